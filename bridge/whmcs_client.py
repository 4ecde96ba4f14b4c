"""WHMCS as a panel: every call the rules need, over its classic API."""

from __future__ import annotations

import base64
import copy
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bridge import whmcs_answers as answers
from bridge import whmcs_transfer
from bridge.billing.model import Cycle
from bridge.billing.transfer_case import Move, Moved
from bridge.errors import Reason, RemoteError
from bridge.settings import Settings
from bridge.transport import Transport
from bridge.whmcs_calls import SERVICE, Credentials, Sender, unreadable
from bridge.whmcs_fields import Row
from bridge.whmcs_form import php_serialize
from bridge.whmcs_reads import WhmcsReads, read_as, same

#: UpdateClientProduct takes the words of services, UpgradeProduct those of prices.
_SERVICE_WORDS = {
    Cycle.MONTHLY: "Monthly",
    Cycle.QUARTERLY: "Quarterly",
    Cycle.SEMIANNUALLY: "Semi-Annually",
    Cycle.ANNUALLY: "Annually",
    Cycle.BIENNIALLY: "Biennially",
    Cycle.TRIENNIALLY: "Triennially",
    Cycle.ONE_TIME: "One Time",
    Cycle.FREE: "Free Account",
}


class WhmcsClient(WhmcsReads):
    """A WHMCS panel, as `bridge.panel.Panel` describes one.

        from bridge.whmcs_client import WhmcsClient

        with WhmcsClient.open("https://panel.example", "identifier", "secret") as panel:
            invoice = panel.invoice(4711)
            print(invoice.number, invoice.total, invoice.due)
            print(panel.call("GetTicket", ticketid=12)["subject"])

    *url* is the panel's base address. *timeout* is for each whole call, in
    seconds. *zone* is the panel's: its times are local and come back aware in
    it. *date_format* is its setting, for the few parameters that want it
    (`local_day`). *ticket_email* signs tickets that belong to no client.

    One client serves many threads. Reads raise `RemoteError`, whose `reason`
    says what to do; an answer about another thing than asked is UNREADABLE, and
    lists are complete or raise. Writes are never repeated: after an error with
    `sent` true, look before acting again.
    """

    #: Every action that may be called: what the API role must allow.
    actions = (
        "AddCancelRequest",
        "AddClientNote",
        "CreateInvoice",
        "GetCancelledPackages",
        "GetClients",
        "GetClientsDetails",
        "GetClientsDomains",
        "GetClientsProducts",
        "GetConfigurationValue",
        "GetInvoice",
        "GetInvoices",
        "GetProducts",
        "GetQuotes",
        "GetUsers",
        "LogActivity",
        "ModuleChangePackage",
        "ModuleTerminate",
        "OpenTicket",
        "SendEmail",
        "UpdateClientDomain",
        "UpdateClientProduct",
        "UpdateInvoice",
        "UpgradeProduct",
        "WhmcsDetails",
    )

    def __init__(
        self,
        transport: Sender,
        url: str,
        identifier: str,
        secret: str,
        *,
        access_key: str = "",
        date_format: str = "DD/MM/YYYY",
        timeout: float = 30.0,
        zone: ZoneInfo | None = None,
        ticket_email: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        hidden: Iterable[str] = (),
    ) -> None:
        super().__init__(
            transport,
            url,
            Credentials(identifier, secret, access_key, hidden),
            timeout=timeout,
            now=now,
        )
        self._zone = zone or ZoneInfo("UTC")
        self._date_format = date_format
        self._ticket_email = ticket_email
        self._url = url
        #: What signs to the add-on, the newest first; another list after a rotation.
        self.keys: Sequence[bytes] = ()

    @classmethod
    def open(cls, url: str, identifier: str, secret: str, **more: Any) -> WhmcsClient:
        """Make a client with connections of its own; close it when done."""
        return cls(Transport(pool=4), url, identifier, secret, **more)

    def with_deadline(self, seconds: float) -> WhmcsClient:
        """Return the same client whose calls take *seconds* at most."""
        other = copy.copy(self)
        other._timeout = seconds
        return other

    def close(self) -> None:
        """Close the connections, also for those that share them."""
        if isinstance(self._transport, Transport):
            self._transport.close()

    def __enter__(self) -> WhmcsClient:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"WhmcsClient({self._address!r})"

    def local_day(self, day: date) -> str:
        """Return *day* in the panel's own format, as quotes and payments want it."""
        words = {"DD": "%d", "MM": "%m", "YYYY": "%Y"}
        text = self._date_format
        for word, code in words.items():
            text = text.replace(word, code)
        return day.strftime(text)

    def terminate(self, service_id: int) -> None:
        """End a service on its server; without one `NoModule` is raised."""
        self._act("ModuleTerminate", service_id=service_id)

    def change_package(self, service_id: int) -> None:
        """Tell the server the service's plan; without one `NoModule` is raised."""
        self._act("ModuleChangePackage", service_id=service_id)

    def set_service_status(self, service_id: int, status: str) -> None:
        """Set a service's status; runs no module."""
        self._act("UpdateClientProduct", service_id=service_id, status=status)

    def change_service(
        self,
        service_id: int,
        *,
        product_id: int,
        cycle: Cycle,
        recurring: Decimal,
        next_due: date | None = None,
    ) -> None:
        """Change plan, cycle, renewal amount and, if given, the due date."""
        self._act(
            "UpdateClientProduct",
            service_id=service_id,
            pid=product_id,
            billingcycle=_SERVICE_WORDS[cycle],
            recurringamount=recurring,
            nextduedate=next_due,
        )

    def set_custom_fields(self, service_id: int, values: Mapping[int, str]) -> None:
        """Set custom fields of a service, by their ids."""
        packed = base64.b64encode(php_serialize(values)).decode("ascii")
        self._act("UpdateClientProduct", service_id=service_id, customfields=packed)

    def create_draft_invoice(
        self,
        client_id: int,
        *,
        description: str,
        amount: Decimal,
        day: date,
        due: date,
        notes: str,
        payment_method: str = "",
        taxed: bool = False,
    ) -> int:
        """Create a draft with one line and return its id; *notes* carries our key."""
        done = self._act(
            "CreateInvoice",
            userid=client_id,
            draft=True,
            sendinvoice=False,
            autoapplycredit=False,
            date=day,
            duedate=due,
            notes=notes,
            paymentmethod=payment_method or None,
            itemdescription1=description,
            itemamount1=amount,
            itemtaxed1=taxed,
        )
        if not done["invoice_id"] or done["invoice_id"] < 0:
            raise unreadable("CreateInvoice: the panel did not tell the invoice's id")
        if done["status"].casefold() not in ("", "draft"):
            raise unreadable(f"invoice {done['invoice_id']} was not made as a draft")
        return int(done["invoice_id"])

    def publish_invoice(self, invoice_id: int) -> None:
        """Publish a draft and send the panel's own e-mail."""
        self._act("UpdateInvoice", invoice_id=invoice_id, publishandsendemail=True)

    def cancel_invoice(self, invoice_id: int) -> None:
        """Set an invoice to Cancelled."""
        self._act("UpdateInvoice", invoice_id=invoice_id, status="Cancelled")

    def request_cancellation(
        self, service_id: int, *, immediate: bool, reason: str
    ) -> None:
        """Put a cancellation request; a second one for a service is REFUSED."""
        kind = "Immediate" if immediate else "End of Billing Period"
        self._act("AddCancelRequest", service_id=service_id, type=kind, reason=reason)

    def move_service(self, move: Move) -> Moved:
        """Let a service pass to another client, by the add-on's own endpoint."""
        return whmcs_transfer.ask(
            self._transport,
            self._url,
            self.keys,
            move,
            timeout=self._timeout,
            now=self._now(),
        )

    def stop_renewal(self, domain_id: int) -> None:
        """Set "do not renew" on a domain."""
        self._act("UpdateClientDomain", domain_id=domain_id, donotrenew=True)

    def open_ticket(
        self, *, department: int, subject: str, message: str, client_id: int | None
    ) -> str:
        """Open a ticket and return its number; the client sees it, if it is his."""
        sender: Row = {"clientid": client_id}
        if client_id is None:
            if not self._ticket_email:
                detail = "a ticket without a client needs the e-mail it comes from"
                raise RemoteError(SERVICE, Reason.REFUSED, detail, sent=False)
            sender = {"name": "Hook bridge", "email": self._ticket_email}
        text: Row = {"deptid": department, "subject": subject, "message": message}
        done = self._act("OpenTicket", **text, **sender)
        if not done["ticket"]:
            raise unreadable("OpenTicket: the panel did not tell the ticket's number")
        return str(done["ticket"])

    def send_email(self, client_id: int, subject: str, text: str) -> None:
        """Send a client an e-mail of ours, as plain text, by the panel's own mailer."""
        lines = "<br>".join(html.escape(line) for line in text.splitlines())
        custom: Row = {"customtype": "general", "customsubject": subject}
        self._act("SendEmail", id=client_id, custommessage=lines, **custom)

    def note(self, client_id: int, text: str) -> None:
        """Add a note to a client."""
        self._act("AddClientNote", userid=client_id, notes=text)

    def log(self, text: str, client_id: int | None = None) -> None:
        """Write a line in the panel's activity log."""
        line = " ".join(text.split())
        self._act("LogActivity", description=line, clientid=client_id)

    def _act(
        self,
        action: str,
        *,
        service_id: int | None = None,
        invoice_id: int | None = None,
        domain_id: int | None = None,
        **params: Any,
    ) -> Row:
        """Call an action that changes something, once; return what it says of it."""
        told = self.call(
            action,
            serviceid=service_id,
            invoiceid=invoice_id,
            domainid=domain_id,
            **params,
        )
        done = read_as(action, answers.done, told)
        asked = {"service": service_id, "invoice": invoice_id, "domain": domain_id}
        for kind, asked_id in asked.items():
            if asked_id is not None:
                same(kind, asked_id, done[f"{kind}_id"])
        return done


def from_settings(
    settings: Settings, transport: Sender, clock: Callable[[], datetime]
) -> WhmcsClient:
    """Return the client that the environment describes (for `wiring`)."""
    client = WhmcsClient(
        transport,
        settings.whmcs_url,
        settings.whmcs_identifier.reveal(),
        settings.whmcs_secret.reveal(),
        access_key=settings.whmcs_access_key.reveal(),
        date_format=settings.whmcs_date_format,
        timeout=settings.whmcs_timeout,
        zone=settings.zone,
        now=clock,
        hidden=settings.secrets,
    )
    client.keys = settings.keys
    return client
