"""From the ids in an event to client, invoice, service: looked up when used, once.

Who owns an object is read from the panel, never from the delivery. Where the
delivery names another client than the panel does, Parked is raised with both
numbers: nothing is sent to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from bridge.billing.model import Client, Domain, Invoice, Quote, Service
from bridge.billing.money import Amount
from bridge.errors import Parked, Reason, RemoteError, Skipped
from bridge.events import Event, Subject, subject
from bridge.panel import PanelReads
from bridge.policies import Company
from bridge.views import (
    View,
    client_view,
    company_view,
    domain_view,
    event_view,
    invoice_view,
    language_of,
    quote_view,
    service_view,
)

T = TypeVar("T")


class Ledger(Protocol):
    """What facts ask of our own store."""

    def cancellation_view(self, service_id: int) -> dict[str, Any] | None:
        """Return the newest cancellation of a service; Skipped if it was withdrawn."""
        ...

    def upgrade_view(self, event: Event) -> dict[str, Any] | None:
        """Return the upgrade that an event is about."""
        ...

    def ended_by_request(self, service_id: int) -> bool:
        """Tell whether we ended this service lately, as its owner had asked."""
        ...

    def domain_name(self, domain_id: int) -> tuple[str, int | None] | None:
        """Return name and owner of a domain seen before."""
        ...


class Facts:
    """Everything an event leads to; each thing is asked for once, when used.

    *given* are values known without the panel: `cancellation`, `result`, ... *held*
    says that it waited for over an hour: what was news may be none any more.
    """

    def __init__(
        self,
        event: Event | None,
        panel: PanelReads,
        ledger: Ledger,
        company: Company,
        *,
        contact: str = "",
        language: str = "es",
        client_id: int | None = None,
        service_id: int | None = None,
        domain_id: int | None = None,
        held: bool = False,
        given: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.event = event
        self.subject = subject(event) if event else Subject()
        self._panel = panel
        self._ledger = ledger
        self._company = company
        self._contact = contact
        self._default_language = language
        self._held = held
        self._client_id = client_id
        self._service_id = service_id or self.subject.service
        self._domain_id = domain_id or self.subject.domain
        self._given = dict(given or {})
        self._known: dict[str, Any] = {}

    @property
    def invoice(self) -> Invoice:
        """The invoice that the event names."""
        return self._once("invoice", self._read_invoice)

    @property
    def service(self) -> Service:
        """The service that the event names."""
        return self._once("service", self._read_service)

    @property
    def quote(self) -> Quote:
        """The quote that the event names."""
        return self._once("quote", self._read_quote)

    @property
    def domain(self) -> Domain:
        """The domain that the event names, as the panel or our index knows it."""
        return self._once("domain", self._read_domain)

    @property
    def client(self) -> Client:
        """The one client the event's object belongs to, read from the panel."""
        return self._once("client", self._read_client)

    def owners(self) -> list[int]:
        """Return the ids of the clients to be told: the object's owner, or all
        the clients that the event's user owns. Raises Parked or Skipped."""
        return self._once("owners", self._read_owners)

    def _once(self, name: str, read: Callable[[], T]) -> T:
        if name not in self._known:
            self._known[name] = read()
        found: T = self._known[name]
        return found

    def _read_invoice(self) -> Invoice:
        found = self._panel.invoice(self._needed("invoice", self.subject.invoice))
        self._his(f"invoice {found.id}", found.client_id)
        return found

    def _read_service(self) -> Service:
        return self._panel.service(self._needed("service", self._service_id))

    def _read_quote(self) -> Quote:
        found = self._panel.quote(self._needed("quote", self.subject.quote))
        self._his(f"quote {found.id}", found.client_id)
        return found

    def _read_domain(self) -> Domain:
        number = self._needed("domain", self._domain_id)
        named = self.event.context.get("domain", "") if self.event else ""
        try:
            found = self._panel.domain(number)
        except RemoteError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
        else:
            self._his(f"domain {found.id}", found.client_id)
            return found
        seen = self._ledger.domain_name(number)
        name = named or (seen[0] if seen else "") or f"#{number}"
        owner = (seen[1] if seen else None) or self.subject.claims
        if owner is None:
            raise Parked(f"domain {number} is gone and nobody knows whose it was")
        return Domain(number, owner, name, "Deleted")

    def _needed(self, what: str, number: int | None) -> int:
        if number is None:
            raise Parked(f"the event names no {what}, or not by a whole number")
        return number

    def _read_owners(self) -> list[int]:
        about = self.subject
        if self._client_id is not None:
            return [self._expected(self._client_id)]
        owner: int | None
        if about.invoice is not None:
            owner = self.invoice.client_id
        elif self._service_id is not None:
            owner = self.service.client_id
        elif about.quote is not None:
            owner = self.quote.client_id
            if owner is None:
                raise Skipped(f"quote {about.quote} went to nobody who is a client")
        elif self._domain_id is not None:
            owner = self.domain.client_id
        elif about.client is not None:
            return [about.client]
        elif about.user is not None:
            return self._owned(about.user)
        else:
            raise Parked("the event names no client, invoice, service, quote or domain")
        if about.claims is not None and about.claims != owner:
            raise Parked(
                f"the delivery names client {about.claims}, but the panel says it "
                f"belongs to client {owner}: nobody was written to"
            )
        return [owner]

    def _expected(self, client_id: int) -> int:
        """Return the client that a job was made for, if it is still the owner."""
        if self._service_id is not None and self.service.client_id != client_id:
            raise Parked(
                f"service {self._service_id} belongs to client "
                f"{self.service.client_id} now, not {client_id}: nobody was written to"
            )
        return client_id

    def _his(self, what: str, owner: int | None) -> None:
        """Raise Parked where a job that was made for one client reads of another's."""
        if self._client_id is not None and owner != self._client_id:
            raise Parked(
                f"{what} belongs to client {owner}, not {self._client_id}: nobody was "
                "written to"
            )

    def _owned(self, user_id: int) -> list[int]:
        user = self._panel.user(user_id)
        if not user.owns:
            raise Skipped(f"user {user_id} owns no client account")
        return sorted(user.owns)

    def _read_client(self) -> Client:
        owners = self.owners()
        if len(owners) != 1:
            raise Parked(f"the event concerns {len(owners)} clients, not one")
        client = self._panel.client(owners[0])
        if client.id != owners[0]:
            raise Parked(
                f"the panel answered about client {client.id} when asked about "
                f"client {owners[0]}"
            )
        return client

    @property
    def language(self) -> str:
        """The client's language, else the bridge's own."""
        return language_of(self.client, self._default_language)

    def variables(
        self, uses: Iterable[str], language: str | None = None
    ) -> dict[str, Any]:
        """Return the views named in *uses*; only those are looked up."""
        return {name: self.view(name, language) for name in sorted(set(uses))}

    def view(self, name: str, language: str | None = None) -> View:
        """Return one variable for a text or condition."""
        if name in self._given:
            return View(self._given[name])
        if name == "event" and language is None and self._plain_event():
            return self._once("view:event", lambda: self._event_view(None))
        make = {
            "event": lambda: self._event_view(language),
            "client": lambda: client_view(self.client, self.language, self._company),
            "invoice": lambda: invoice_view(self.invoice, self._money(), self._company),
            "service": self._service_view,
            "domain": lambda: domain_view(self.domain),
            "quote": lambda: quote_view(self.quote, self._money(), self._company),
            "company": lambda: company_view(self._company, self._contact),
            "cancellation": self._cancellation_view,
            "upgrade": self._upgrade_view,
        }.get(name)
        if make is None:
            raise Parked(f"nothing is known of {name} here")
        return self._once(f"view:{name}:{language}", make)

    def _plain_event(self) -> bool:
        return self.event is not None and "changed" not in self.event.context

    def _money(self) -> str:
        return self.client.currency

    def _event_view(self, language: str | None) -> View:
        language = language or self._default_language
        return event_view(self.event, language, held=self._held)

    def _service_view(self) -> View:
        view = service_view(self.service, self._money(), self._company)
        by_request = self._ledger.ended_by_request(self.service.id)
        return View(view.fields() | {"ended_by_request": by_request})

    def _cancellation_view(self) -> View:
        found = self._ledger.cancellation_view(
            self._needed("service", self._service_id)
        )
        if found is None:
            raise Skipped("no cancellation of this service is known")
        return View(found)

    def _upgrade_view(self) -> View:
        if self.event is None:
            raise Parked("no event, no upgrade")
        found = self._ledger.upgrade_view(self.event)
        if found is None:
            raise Skipped("the panel's add-on did not say which upgrade it was")
        currency = self.client.currency
        found["charge"] = Amount(found["charge"], found.get("currency") or currency)
        return View(found)
