"""What WHMCS answers, turned into the bridge's plain values.

Each function takes the decoded map, raises marshmallow's ValidationError for
what cannot be read, and returns a value without secrets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError

from bridge import whmcs_schemas as schemas
from bridge.billing.model import (
    CancellationRequest,
    Client,
    ConfigOption,
    Cycle,
    Domain,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    Service,
    User,
)
from bridge.whmcs_fields import Row, first_trouble, moment, money


def loader(schema: type[Schema]) -> Callable[[Any], Row]:
    """Return a function that reads a map by *schema*, built once."""
    ready = schema()

    def load(row: Any) -> Row:
        return dict(ready.load(row))

    return load


page = loader(schemas.Page)
done = loader(schemas.DoneAnswer)
setting = loader(schemas.SettingAnswer)
version = loader(schemas.VersionAnswer)
_client = loader(schemas.ClientAnswer)
_user = loader(schemas.UserAnswer)
_service = loader(schemas.ServiceAnswer)
_product = loader(schemas.ProductAnswer)
_invoice = loader(schemas.InvoiceAnswer)
_full_invoice = loader(schemas.FullInvoiceAnswer)
_domain = loader(schemas.DomainAnswer)
_quote = loader(schemas.QuoteAnswer)
_request = loader(schemas.RequestAnswer)
client_id = loader(schemas.OnlyId)
_upgrade_price = loader(schemas.PriceOfUpgradeAnswer)


def read_client(row: Row) -> Client:
    """Read a client; the phone starts with + and holds no dot, if the panel can."""
    got = _client(row)
    country, raw = got.pop("country_too"), got.pop("phone_raw")
    got["country"] = got["country"] or country
    got["phone"] = got["phone"].replace(".", "") or raw
    got["custom_fields"] = {item["id"]: item["value"] for item in got["custom_fields"]}
    return Client(**got)


def read_user(row: Row) -> User:
    """Read a login: the clients it owns, apart from those where it is a guest."""
    got = _user(row)
    return User(
        got["id"],
        got["email"],
        tuple(client["id"] for client in got["clients"] if client["owner"]),
        tuple(client["id"] for client in got["clients"] if not client["owner"]),
    )


def read_service(row: Row) -> Service:
    """Read a service. A quantity of 0, as old rows have it, is one."""
    got = _service(row)
    got["quantity"] = got["quantity"] or 1
    got["options"] = tuple(ConfigOption(**option) for option in got["options"])
    return Service(**got)


def read_product(row: Row) -> Product:
    """Read a plan: what it costs, once and each time, and which options cost more."""
    got = _product(row)
    got["paid_options"] = frozenset(
        option["id"]
        for option in got.pop("options")
        for choice in option["choices"]
        for prices in choice["prices"].values()
        if any(price is not None and price > 0 for price in prices.values())
    )
    got["setup"] = {
        currency: {
            cycle: fee
            for word, cycle in schemas.CYCLES.items()
            if (fee := prices[schemas.setup_fee(word)]) is not None and fee > 0
        }
        for currency, prices in got["prices"].items()
    }
    got["prices"] = {
        currency: _sold(got["pay_type"].casefold(), prices)
        for currency, prices in got["prices"].items()
    }
    return Product(**got)


def _sold(pay_type: str, prices: Row) -> dict[Cycle, Decimal]:
    """Return the cycles that are sold. A one-time price stands under `monthly`."""
    if pay_type == "free":
        return {Cycle.FREE: Decimal(0)}
    if pay_type == "onetime":
        prices, cycles = {"monthly": prices["monthly"]}, {"monthly": Cycle.ONE_TIME}
    else:
        cycles = schemas.CYCLES
    return {
        cycle: prices[word]
        for word, cycle in cycles.items()
        if prices[word] is not None and prices[word] >= 0
    }


def read_invoice(row: Row, zone: ZoneInfo) -> Invoice:
    """Read an invoice, of a list or whole; without a number its id is the number."""
    got = _full_invoice(row) if "invoiceid" in row else _invoice(row)
    got["number"] = got["number"] or str(got["id"])
    try:
        got["paid_at"] = moment(got["paid_at"], zone)
    except ValueError as error:
        raise ValidationError({"datepaid": [str(error)]}) from None
    got["lines"] = tuple(InvoiceLine(**line) for line in got.get("lines", ()))
    return Invoice(**got)


def read_domain(row: Row) -> Domain:
    """Read a domain."""
    got = _domain(row)
    return Domain(renews=not got.pop("stopped"), **got)


def read_quote(row: Row) -> Quote:
    """Read a quote."""
    got = _quote(row)
    return Quote(**{**got, "client_id": got["client_id"] or None})


def read_request(row: Row) -> CancellationRequest:
    """Read a cancellation request; a type that nobody knows is not guessed.

    One that cannot be read is kept as unclear: the others of the list still count.
    """
    try:
        return _clear_request(row)
    except ValidationError as error:
        service = str(row.get("relid", ""))
        certain = service.isascii() and service.isdigit()
        return CancellationRequest(
            client_id(row)["id"],
            int(service) if certain else 0,
            False,
            date.min,
            unclear=first_trouble(error),
        )


def _clear_request(row: Row) -> CancellationRequest:
    got = _request(row)
    kind = " ".join(got.pop("kind").casefold().split())
    if kind not in ("immediate", "immediately") and not kind.startswith("end of bill"):
        raise ValidationError({"type": ["neither immediate nor end of period"]})
    if got["requested_on"] is None:
        raise ValidationError({"date": ["not a day"]})
    return CancellationRequest(immediate=kind.startswith("imm"), **got)


def read_upgrade_price(row: Row) -> tuple[Row, Decimal]:
    """Read what an upgrade costs, and the ids it was worked out for."""
    got = _upgrade_price(row)
    try:
        return got, money(got["price"])
    except ValueError as error:
        raise ValidationError({"price": [str(error)]}) from None
