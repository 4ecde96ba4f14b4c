"""What a change of owner depends on, as a table of conditions; and the move itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.billing.model import Client, Invoice, Service

#: Why a change of owner is refused; each has a text `transfer_refused_<code>`. The
#: panel alone sees that a third client has an e-mail.
CODES = (
    "same_client",
    "same_email",
    "shared_email",
    "email_changed",
    "client_closed",
    "not_verified",
    "not_owner",
    "not_active",
    "invoice_open",
    "cancellation_pending",
    "upgrade_pending",
    "currencies_differ",
    "phone_changed",
)
#: What has to be so, for those who read the evidence: by the code of its refusal.
CLAIMS = {
    "same_client": "two different clients",
    "same_email": "two different e-mails",
    "shared_email": "no third client has one of the e-mails",
    "email_changed": "the e-mails are those of the text",
    "client_closed": "neither account is closed",
    "not_verified": "both accounts are verified",
    "not_owner": "the service belongs to who gives it",
    "not_active": "the service is Active",
    "invoice_open": "no invoice of the service is open",
    "cancellation_pending": "no cancellation of it is pending",
    "upgrade_pending": "no upgrade of it is pending",
    "currencies_differ": "both bill in one currency",
    "phone_changed": "the telephones are those that wrote",
}
_OWN = frozenset({"hosting", "promohosting", "setup"})
_NO = frozenset({"", "0", "no", "off", "false", "não", "nao"})


@dataclass(frozen=True)
class Move:
    """A service that is to pass to another client; *key* and *agreed_at* never change.

    *verified_field* is the custom field that counts instead of a verified e-mail.
    """

    key: str
    service_id: int
    from_client_id: int
    to_client_id: int
    agreed_at: datetime
    verified_field: int | None = None


@dataclass(frozen=True)
class Moved:
    """That a service passed; *again* where an earlier try had done it already."""

    again: bool
    changed: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferCase:
    """What the panel and our book know of a change of owner at one moment.

    *numbers* are the telephones that agreed, *phones* those the accounts have now,
    each as (giver's, taker's); "" where there is none (yet). *verified_field* is the
    custom field that counts instead of a verified e-mail.
    """

    giver: Client
    taker: Client
    service: Service | None
    invoices: tuple[Invoice, ...] = ()
    cancellation: bool = False
    upgrade: bool = False
    numbers: tuple[str, str] = ("", "")
    phones: tuple[str, str] = ("", "")
    emails: tuple[str, str] = ("", "")
    verified_field: int | None = None


@dataclass(frozen=True)
class Check:
    """One condition: its code, whether it holds, and what was found."""

    code: str
    holds: bool
    found: str


def checks(case: TransferCase) -> list[Check]:
    """Return every condition of a change of owner with its answer, in their order."""
    giver, taker, service = case.giver, case.taker, case.service
    mine = service is not None and service.client_id == giver.id
    owing = [
        invoice.number or str(invoice.id)
        for invoice in case.invoices
        if service is not None and invoice.open and _bills(invoice, service.id)
    ]
    mails = [client.email.strip().casefold() for client in (giver, taker)]
    said = [email.strip().casefold() or mail for email, mail in zip(
        case.emails, mails, strict=True)]  # fmt: skip
    closed = [str(client.id) for client in (giver, taker) if client.closed]
    doubtful = [
        str(client.id)
        for client in (giver, taker)
        if not verified(client, case.verified_field)
    ]
    changed = [
        str(client.id)
        for client, number, phone in zip(
            (giver, taker), case.numbers, case.phones, strict=True
        )
        if number and number != phone
    ]
    status = service.status if service is not None else "-"
    return [
        Check("same_client", giver.id != taker.id, f"{giver.id} -> {taker.id}"),
        Check("same_email", *_or(mails[0] != mails[1], "they differ", "one for both")),
        Check("email_changed", *_or(said == mails, "as in the text", "another now")),
        Check("client_closed", not closed, f"closed: {', '.join(closed) or 'none'}"),
        Check("not_verified", not doubtful, f"not: {', '.join(doubtful) or 'none'}"),
        Check("not_owner", mine, f"owner: {service.client_id if service else '-'}"),
        Check("not_active", service is not None and service.active, status),
        Check("invoice_open", not owing, f"open: {', '.join(owing) or 'none'}"),
        Check("cancellation_pending", *_or(not case.cancellation, "none is", "one is")),
        Check("upgrade_pending", *_or(not case.upgrade, "none is", "one is")),
        Check(
            "currencies_differ",
            giver.currency == taker.currency,
            f"{giver.currency}, {taker.currency}",
        ),
        Check("phone_changed", not changed, f"other: {', '.join(changed) or 'none'}"),
    ]


def _or(holds: bool, found: str, otherwise: str) -> tuple[bool, str]:
    return holds, found if holds else otherwise


def _bills(invoice: Invoice, service_id: int) -> bool:
    return any(
        line.kind.casefold() in _OWN and line.related_id == service_id
        for line in invoice.lines
    )


def failing(found: Iterable[Check]) -> str:
    """Return the code of the first condition that does not hold, "" if all do."""
    return next((one.code for one in found if not one.holds), "")


def worded(code: str, holds: bool, found: str) -> str:
    """Return a condition with its answer, as staff read it."""
    return f"{CLAIMS.get(code, code)}: {'yes' if holds else 'NO'} ({found})"


def verified(client: Client, custom_field: int | None) -> bool:
    """Tell whether an account is verified, by its e-mail or by a custom field."""
    if custom_field is None:
        return client.email_verified
    value = client.custom_fields.get(custom_field, "")
    return value.strip().casefold() not in _NO
