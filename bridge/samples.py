"""Made-up answers of a panel, for trying a map before a panel is wired."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from bridge.billing.model import (
    CancellationRequest,
    Client,
    Cycle,
    Domain,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    Service,
    User,
)
from bridge.errors import Rehearsed
from bridge.events import Event, catalogue, subject

#: What the panel shows when a hookpoint fires: the state of a service, of an invoice.
_SERVICES = {"AfterModuleSuspend": "Suspended", "AfterModuleTerminate": "Terminated"}
_INVOICES = {
    "InvoiceCreated": "Unpaid",
    "InvoicePaymentReminder": "Unpaid",
    "InvoiceCancelled": "Cancelled",
    "InvoiceRefunded": "Refunded",
}
#: What only the panel's side knows of a hook, made up.
CONTEXTS: dict[str, dict[str, Any]] = {
    "ClientEdit": {
        "changed": ["email", "phonenumber"],
        "old_phonenumber": "+54.1155550001",
    },
    "OrderProductUpgradeOverride": {"service_id": 1},
    "AfterProductUpgrade": {
        "service_id": 1,
        "upgrade": {
            "relid": 1,
            "type": "package",
            "originalvalue": "21",
            "newvalue": "22,annually",
            "amount": "50.00",
            "status": "Completed",
        },
    },
}


_WORDS = {
    "status": "Delivered",
    "type": "End of Billing Period",
    "newproductbillingcycle": "annually",
    "oldproductid": 21,
    "newproductid": 22,
    "pid": 22,
}
_REMINDER = {"type": "reminder"}
#: The fields that name the client to whom a service or an invoice belongs.
_CLIENTS = {"client_id", "clientid", "clientId", "userid", "params.userid"}
_NEVER = datetime.min.replace(tzinfo=UTC)


def sample_data(hookpoint: str, named: Collection[str] = ()) -> dict[str, Any]:
    """Return data as the hookpoint may carry it: every id is 1.

    *named* are the fields that somebody gives. Whoever names a service or an invoice
    need not know its client: he is left out unless he is named as well, since client
    1 would be a claim that the panel contradicts.
    """
    data: dict[str, Any] = {}
    for name, kind in catalogue()[hookpoint].fields.items():
        holder, _, leaf = name.rpartition(".")
        value: Any = _WORDS.get(leaf, 1 if kind == "int" or leaf.endswith("id") else "")
        if hookpoint == "InvoicePaymentReminder":
            value = _REMINDER.get(leaf, value)
        (data.setdefault(holder, {}) if holder else data)[leaf] = value
    if named and subject(Event("", "", hookpoint, data, {}, _NEVER, _NEVER)).claims:
        for name in _CLIENTS.difference(named):
            holder, _, leaf = name.rpartition(".")
            (data.get(holder, {}) if holder else data).pop(leaf, None)
    return data


class SamplePanel:
    """Answers every question with the same invented client; changes nothing.

    Service and invoice are as they are when *hookpoint* fires.
    """

    def __init__(
        self, today: date, *, immediate: bool = False, hookpoint: str = ""
    ) -> None:
        self._today = today
        self._immediate = immediate
        self._service = _SERVICES.get(hookpoint, "Active")
        self._invoice = _INVOICES.get(hookpoint, "Paid")
        self._upgraded = hookpoint == "AfterProductUpgrade"

    def clock_off(self) -> timedelta | None:
        """Return nothing: it tells no time."""
        return None

    def client(self, client_id: int) -> Client:
        """Return Ana, who does not exist."""
        return Client(
            client_id,
            "Ana",
            "Ejemplo",
            "",
            "ana@cliente.example",
            "AR",
            "spanish",
            "ARS",
            "Active",
            "+54.1155550000",
            "54",
            True,
            1,
        )

    def client_by_email(self, email: str) -> Client:
        """Return Ana."""
        return self.client(1)

    def user(self, user_id: int) -> User:
        """Return Ana's login."""
        return User(user_id, "ana@cliente.example", (1,))

    def service(self, service_id: int) -> Service:
        """Return an annual plan, half a year in."""
        due = self._today + timedelta(days=183)
        plan = self.product(22 if self._upgraded else 21)
        return Service(
            service_id,
            1,
            plan.id,
            plan.name,
            "ejemplo.com.ar",
            Cycle.ANNUALLY,
            self._service,
            plan.prices["ARS"][Cycle.ANNUALLY],
            registered=due.replace(year=due.year - 1, day=1),
            next_due=due,
            suspension_reason="Overdue on Payment",
        )

    def services(self, client_id: int) -> list[Service]:
        """Return that service."""
        return [self.service(1)]

    def product(self, product_id: int) -> Product:
        """Return plan 21 at 100 or any other at 150, a year."""
        price = Decimal("100.00") if product_id == 21 else Decimal("150.00")
        name = f"Plan {price:.0f}"
        return Product(product_id, name, prices={"ARS": {Cycle.ANNUALLY: price}})

    def products(self) -> list[Product]:
        """Return both plans."""
        return [self.product(21), self.product(22)]

    def invoice(self, invoice_id: int) -> Invoice:
        """Return an invoice of that service."""
        service = self.service(1)
        last = (service.next_due or self._today) - timedelta(days=1)
        first = last - timedelta(days=364)
        period = f"({first:%d/%m/%Y} - {last:%d/%m/%Y})"
        text = f"Plan 100 - ejemplo.com.ar {period}"
        lines = [InvoiceLine(1, "Hosting", 1, text, Decimal("100.00"))]
        if self._upgraded:
            text = "Plan 100 => Plan 150 - ejemplo.com.ar"
            lines.append(InvoiceLine(2, "Upgrade", 1, text, Decimal("50.00")))
        return Invoice(
            invoice_id,
            1,
            f"A-{invoice_id}",
            self._invoice,
            first,
            first + timedelta(days=10),
            Decimal("100.00"),
            Decimal("100.00"),
            balance=Decimal("100.00" if self._invoice == "Unpaid" else "0.00"),
            currency="ARS",
            lines=tuple(lines),
        )

    def invoices(self, client_id: int, status: str = "") -> list[Invoice]:
        """Return that invoice."""
        return [self.invoice(1)]

    def domain(self, domain_id: int) -> Domain:
        """Return a domain."""
        expires = self._today + timedelta(days=90)
        return Domain(domain_id, 1, "ejemplo.com.ar", "Active", expires)

    def domains(self, client_id: int) -> list[Domain]:
        """Return that domain."""
        return [self.domain(1)]

    def domains_named(self, name: str) -> list[Domain]:
        """Return that domain."""
        return [self.domain(1)]

    def quote(self, quote_id: int) -> Quote:
        """Return a delivered quote."""
        until = self._today + timedelta(days=15)
        total = Decimal("2500.00")
        return Quote(quote_id, 1, "Servidor dedicado", "Delivered", total, until)

    def cancellation_requests(self) -> list[CancellationRequest]:
        """Return a request for that service, of today."""
        return [CancellationRequest(1, 1, self._immediate, self._today)]

    def native_upgrade_price(self, *_: Any) -> Decimal:
        """Return what a panel might charge by days."""
        return Decimal("25.00")

    def setting(self, name: str) -> str:
        """Return nothing."""
        return ""

    def version(self) -> str:
        """Return no version."""
        return "sample"

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise Rehearsed(f"sample data: {name} was not called")

        return refuse
