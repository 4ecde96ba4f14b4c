"""What the bridge asks of WHMCS without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from marshmallow import ValidationError

from bridge import whmcs_answers as answers
from bridge.billing.model import (
    CancellationRequest,
    Client,
    Cycle,
    Domain,
    Invoice,
    Product,
    Quote,
    Service,
    User,
)
from bridge.errors import Reason, RemoteError
from bridge.whmcs_calls import SERVICE, WhmcsApi, unreadable
from bridge.whmcs_fields import Row, first_trouble, unwrap

_PAGE = 250
_MOST_PAGES = 2000


class _HasId(Protocol):
    @property
    def id(self) -> int: ...


class _Owned(Protocol):
    @property
    def client_id(self) -> int | None: ...


Value = TypeVar("Value")
WithId = TypeVar("WithId", bound=_HasId)
WithOwner = TypeVar("WithOwner", bound=_Owned)


class WhmcsReads(WhmcsApi):
    """The reading half of `WhmcsClient`."""

    _zone: ZoneInfo

    def client(self, client_id: int) -> Client:
        """Return a client as he is now."""
        client = self._client(clientid=client_id)
        same("client", client_id, client.id)
        return client

    def client_by_email(self, email: str) -> Client:
        """Return the one client with this e-mail.

        The panel's database takes letters with other accents for the same.
        """
        client = self._client(email=email)
        if client.email.strip().casefold() == email.strip().casefold():
            return client
        if email.isascii() and client.email.isascii():
            raise unreadable("the panel answered about another e-mail than asked")
        detail = "the panel has no client with just this e-mail"
        raise RemoteError(SERVICE, Reason.NOT_FOUND, detail, sent=False)

    def _client(self, **which: Any) -> Client:
        told = self.call("GetClientsDetails", **which)
        return read_as("GetClientsDetails", answers.read_client, told.get("client"))

    def user(self, user_id: int) -> User:
        """Return a login with the clients it owns; searched page by page."""
        for user in self._rows("GetUsers", "users", "", answers.read_user):
            if user.id == user_id:
                return user
        return _one("user", user_id, [])

    def service(self, service_id: int) -> Service:
        """Return a service as it is now."""
        return _one("service", service_id, self._services(serviceid=service_id))

    def services(self, client_id: int) -> list[Service]:
        """Return all services of a client."""
        return _owned(client_id, self._services(clientid=client_id))

    def _services(self, **which: Any) -> list[Service]:
        read = answers.read_service
        rows = self._rows("GetClientsProducts", "products", "product", read, **which)
        return list(rows)

    def product(self, product_id: int) -> Product:
        """Return a plan with its prices."""
        return _one("product", product_id, self._products(pid=product_id))

    def products(self) -> list[Product]:
        """Return the whole catalogue."""
        return self._products()

    def _products(self, **which: Any) -> list[Product]:
        told = self.call("GetProducts", **which)
        rows = _unwrapped("GetProducts", told, "products", "product")
        total = read_as("GetProducts", answers.page, told)["total"]
        if total != len(rows):
            raise unreadable(f"GetProducts: {len(rows)} rows of {total}, and no pages")
        return [read_as("GetProducts", answers.read_product, row) for row in rows]

    def invoice(self, invoice_id: int) -> Invoice:
        """Return an invoice with its lines; its currency is not told here."""
        told = self.call("GetInvoice", invoiceid=invoice_id)
        if "invoiceid" not in told:
            raise unreadable("GetInvoice: invoiceid: missing")
        invoice = read_as("GetInvoice", self._invoice, told)
        same("invoice", invoice_id, invoice.id)
        return invoice

    def invoices(self, client_id: int, status: str = "") -> list[Invoice]:
        """Return a client's invoices, newest (highest id) first, without lines."""
        asked: Row = {"userid": client_id, "status": status or None}
        asked |= {"orderby": "id", "order": "desc"}
        rows = self._rows("GetInvoices", "invoices", "invoice", self._invoice, **asked)
        found = _owned(client_id, list(rows))
        return sorted(found, key=lambda invoice: invoice.id, reverse=True)

    def _invoice(self, row: Row) -> Invoice:
        return answers.read_invoice(row, self._zone)

    def domain(self, domain_id: int) -> Domain:
        """Return a domain."""
        return _one("domain", domain_id, self._domains(domainid=domain_id))

    def client_ids(self, start: int, limit: int) -> tuple[list[int], int]:
        """Return the ids of some clients from place *start* on, and how many there are.

        The panel's list has no telephones, and no search by them.
        """
        asked: Row = {"limitstart": start, "limitnum": limit, "sorting": "ASC"}
        told = self.call("GetClients", **asked)
        page = read_as("GetClients", answers.page, told)
        rows = _unwrapped("GetClients", told, "clients", "client")
        ids = [read_as("GetClients", answers.client_id, row)["id"] for row in rows]
        return ids, int(page["total"])

    def domains(self, client_id: int) -> list[Domain]:
        """Return all domains of a client."""
        return _owned(client_id, self._domains(clientid=client_id))

    def domains_named(self, name: str) -> list[Domain]:
        """Return the domains of that name: one, or several where some are old."""
        found = self._domains(domain=name.lower())
        return [one for one in found if one.name.casefold() == name.casefold()]

    def _domains(self, **which: Any) -> list[Domain]:
        read = answers.read_domain
        return list(self._rows("GetClientsDomains", "domains", "domain", read, **which))

    def quote(self, quote_id: int) -> Quote:
        """Return a quote."""
        return _one("quote", quote_id, self._quotes(quoteid=quote_id))

    def quotes(self, client_id: int) -> list[Quote]:
        """Return all quotes of a client."""
        return _owned(client_id, self._quotes(userid=client_id))

    def _quotes(self, **which: Any) -> list[Quote]:
        read = answers.read_quote
        return list(self._rows("GetQuotes", "quotes", "quote", read, **which))

    def cancellation_requests(self) -> list[CancellationRequest]:
        """Return every cancellation request, from a complete pass over all pages."""
        wrap = ("packages", "package")
        return list(self._rows("GetCancelledPackages", *wrap, answers.read_request))

    def native_upgrade_price(
        self, service_id: int, product_id: int, cycle: Cycle, payment_method: str
    ) -> Decimal:
        """Return what the panel itself would charge; negative is a credit."""
        told = self.call(
            "UpgradeProduct",
            serviceid=service_id,
            calconly=True,
            type="product",
            newproductid=product_id,
            newproductbillingcycle=cycle.value,
            paymentmethod=payment_method,
        )
        got, price = read_as("UpgradeProduct", answers.read_upgrade_price, told)
        same("product", product_id, got["product_id"])
        return price

    def setting(self, name: str) -> str:
        """Return one configuration value of the panel."""
        told = self.call("GetConfigurationValue", setting=name)
        got = read_as("GetConfigurationValue", answers.setting, told)
        if got["name"].casefold() != name.casefold():
            raise unreadable(f"the panel answered about another setting than {name}")
        return str(got["value"])

    def version(self) -> str:
        """Return the panel's version; also proves address and credentials."""
        told = self.call("WhmcsDetails")
        return str(
            read_as("WhmcsDetails", answers.version, told.get("whmcs"))["version"]
        )

    def _rows(
        self,
        action: str,
        outer: str,
        inner: str,
        read: Callable[[Row], WithId],
        **which: Any,
    ) -> Iterator[WithId]:
        """Yield every row of a list, page by page.

        A list that moves while it is read may skip rows, so a page without new
        rows, a total that shrinks and a count that does not come out all raise.
        """
        start, total, seen = 0, 0, set[int]()
        for _ in range(_MOST_PAGES):
            told = self.call(action, **which, limitstart=start, limitnum=_PAGE)
            page = read_as(action, answers.page, told)
            rows = _unwrapped(action, told, outer, inner)
            if page["total"] < total:
                raise unreadable(f"{action}: the list shrank while it was read")
            total, known = page["total"], len(seen)
            for row in rows:
                value = read_as(action, read, row)
                if value.id not in seen:
                    seen.add(value.id)
                    yield value
            start += len(rows) if page["returned"] is None else page["returned"]
            if start >= total or len(seen) == known:
                break
        if len(seen) != total:
            raise unreadable(f"{action}: {len(seen)} rows of {total} were told")


def read_as(action: str, read: Callable[[Any], Value], told: Any) -> Value:
    """Return what *read* makes of an answer; a RemoteError says what is wrong."""
    if not isinstance(told, dict):
        raise unreadable(f"{action}: the answer lacks what it is about")
    try:
        return read(told)
    except ValidationError as error:
        raise unreadable(f"{action}: {first_trouble(error)}") from None


def same(kind: str, asked: int, told: int | None) -> None:
    """Raise unless the panel answered about what was asked, if it said so."""
    if told is not None and told != asked:
        raise unreadable(
            f"the panel answered about {kind} {told} when asked about {asked}"
        )


def _one(kind: str, asked: int, rows: list[WithId]) -> WithId:
    if not rows:
        detail = f"the panel has no {kind} {asked}"
        raise RemoteError(SERVICE, Reason.NOT_FOUND, detail, sent=False)
    for row in rows:
        same(kind, asked, row.id)
    if len(rows) > 1:
        raise unreadable(f"the panel told {len(rows)} rows for {kind} {asked}")
    return rows[0]


def _owned(client_id: int, rows: list[WithOwner]) -> list[WithOwner]:
    for row in rows:
        same("client", client_id, row.client_id or 0)
    return rows


def _unwrapped(action: str, told: Row, outer: str, inner: str) -> list[Row]:
    try:
        return unwrap(told, outer, inner)
    except ValueError as error:
        raise unreadable(f"{action}: {error}") from None
