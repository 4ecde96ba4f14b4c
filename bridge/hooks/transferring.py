"""What the steps of a change of owner share: facts, conditions, who is told what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bridge.billing.model import Client, Service
from bridge.billing.transfer_case import Check, TransferCase, worded
from bridge.errors import Reason, RemoteError
from bridge.gather import invoices_of, request_for
from bridge.hooks import Outcome
from bridge.hooks.context import Context
from bridge.hooks.records import Transfer
from bridge.whatsapp.phones import normalise

SIDES = ("from", "to")
_OTHERS = (
    "Others that wait for the same today have no ticket of their own:",
    "whmcs-bridge transfers list --state staff",
)


def key_of(event_id: str, service_id: int) -> str:
    """Return the key of a change of owner: of the message that began it."""
    digest = hashlib.sha256(f"{event_id}:{service_id}".encode()).hexdigest()[:24]
    return f"transfer-{service_id}-{digest}"


def expire_key(key: str) -> str:
    """Return the key of the job that ends a request nobody answered."""
    return f"{key}/expire"


def transfer_fields(row: Transfer, zone: ZoneInfo) -> dict[str, Any]:
    """Return what a text sees of a change of owner."""
    return {
        "id": row.id,
        "service_id": row.service_id,
        "service": row.service,
        "from_name": row.from_name,
        "from_email": row.from_email,
        "to_name": row.to_name,
        "to_email": row.to_email,
        "expires": row.expires_at.astimezone(zone).date(),
        "reason": row.reason or "",
        "said": "",
        "other": "",
    }


def name_of(service: Service) -> str:
    """Return a service as the text of a request names it: plan and domain."""
    if not service.domain:
        return service.product_name
    return f"{service.product_name} ({service.domain})"


def fields_of(giver: Client, taker: Client, service: Service) -> dict[str, Any]:
    """Return what the text of a request names, as the panel has it now."""
    return {
        "from_name": giver.full_name,
        "from_email": giver.email,
        "to_name": taker.full_name,
        "to_email": taker.email,
        "service_id": service.id,
        "service": name_of(service),
    }


def number_of(ctx: Context, client: Client) -> str:
    """Return a client's telephone as a full international number, "" without one."""
    found = normalise(client.phone, client.country, default_country=ctx.country)
    return found or ""


def service_or_none(ctx: Context, service_id: int) -> Service | None:
    """Return a service, None where the panel knows no such one."""
    try:
        return ctx.panel.service(service_id)
    except RemoteError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None


def client_or_none(ctx: Context, client_id: int) -> Client | None:
    """Return a client, None where the panel knows no such one any more."""
    try:
        return ctx.panel.client(client_id)
    except RemoteError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None


def case_of(ctx: Context, row: Transfer) -> TransferCase:
    """Return what the conditions are worked out from, read from the panel now."""
    giver = ctx.panel.client(row.from_client_id)
    taker = ctx.panel.client(row.to_client_id)
    service = service_or_none(ctx, row.service_id)
    asked = ctx.book.live_cancellation(row.service_id) is not None
    earlier = ctx.book.earlier_owners(row.service_id)
    return TransferCase(
        giver=giver,
        taker=taker,
        service=service,
        invoices=tuple(invoices_of(ctx.panel, service, earlier_owners=earlier))
        if service
        else (),
        cancellation=asked or request_for(ctx.panel, row.service_id) is not None,
        upgrade=ctx.book.pending_order(row.service_id) is not None,
        numbers=(row.from_number or "", row.to_number or ""),
        phones=(number_of(ctx, giver), number_of(ctx, taker)),
        emails=(row.from_email, row.to_email),
        verified_field=ctx.policies.transfers.verified_field,
    )


def shared_with(ctx: Context, number: str, known: Iterable[int]) -> list[int]:
    """Return the clients besides *known* who have a number in the panel now."""
    found = []
    for client_id in ctx.book.clients_with(number)[:10]:
        if client_id in known:
            continue
        client = client_or_none(ctx, client_id)
        if client is not None and number_of(ctx, client) == number:
            found.append(client.id)
    return found


def kept(ctx: Context, found: Iterable[Check]) -> list[dict[str, Any]]:
    """Return the answers to the conditions as the book keeps them, with their time."""
    at = ctx.now.isoformat(timespec="seconds")
    return [
        {"code": one.code, "holds": one.holds, "found": one.found, "at": at}
        for one in found
    ]


def for_staff(ctx: Context, row: Transfer) -> str:
    """Return why a person must let it pass although every condition holds, or ""."""
    if row.approved_by:
        return ""
    lasts = ctx.policies.transfers.expires_hours
    if row.agreed_at and ctx.now - row.agreed_at > timedelta(hours=lasts):
        return f"both agreed more than {lasts} hours ago"
    if not ctx.book.knows_telephones():
        return "the telephones of all clients were not read from the panel yet"
    both = (row.from_client_id, row.to_client_id)
    for number in (row.from_number, row.to_number):
        if number and (others := shared_with(ctx, number, both)):
            return f"client {others[0]} has a number of theirs"
    if ctx.policies.transfers.approval == "staff":
        return "the map leaves every change of owner to staff"
    return ""


def tell(ctx: Context, row: Transfer, message: str, side: str) -> None:
    """Have one side told, in his language, in the same transaction."""
    client = row.from_client_id if side == "from" else row.to_client_id
    ctx.later(
        "send_alert",
        key=f"{row.key}/{message}:{side}",
        message=message,
        client_id=client,
        transfer=row.key,
        urgent=True,
    )


def refuse(
    ctx: Context, row: Transfer, code: str, found: Iterable[Check] | None = None
) -> Outcome:
    """End a request for the reason *code*, and tell both sides why."""
    values: dict[str, Any] = {"state": "refused", "reason": code}
    if found is not None:
        values["checks"] = kept(ctx, found)
    ctx.keep("transfers", row.key, was=row.state, **values)
    for side in SIDES:
        tell(ctx, row, f"transfer_refused_{code}", side)
    return {"service": row.service_id, "how": f"refused: {code}"}


def hand_over(
    ctx: Context,
    row: Transfer,
    reason: str,
    found: Iterable[Check] | None = None,
    *,
    once: str = "",
) -> Outcome:
    """Leave the move to staff, with everything that was checked, and tell both.

    Each time it comes to that there is a ticket, one for all with the same *once*;
    the two are told once.
    """
    answers = kept(ctx, found) if found is not None else row.checks or []
    values: dict[str, Any] = {"state": "staff", "reason": reason, "checks": answers}
    ctx.keep("transfers", row.key, was=row.state, **values)
    ctx.later(
        "open_ticket",
        key=f"{once or ctx.key}/ticket",
        subject=f"[bridge] Change of owner of service {row.service_id}",
        text=_ticket(row, reason, answers, _OTHERS if once else ()),
        department=ctx.policies.transfers.ticket_department,
        raw=True,
        client_id=row.from_client_id,
    )
    for side in SIDES:
        tell(ctx, row, "transfer_with_staff", side)
    return {"service": row.service_id, "how": f"for staff: {reason}"}


def _ticket(
    row: Transfer,
    reason: str,
    answers: list[dict[str, Any]],
    others: Sequence[str] = (),
) -> str:
    lines = [
        f"Both sides agreed by WhatsApp that service {row.service_id} ({row.service})",
        f"passes from client {row.from_client_id} ({row.from_email})",
        f"to client {row.to_client_id} ({row.to_email}).",
        f"It waits for a person: {reason}.",
        *others,
        "",
        "What was checked:",
        *(f"- {worded(one['code'], one['holds'], one['found'])}" for one in answers),
        "",
        "- not seen from outside: open invoices of its add-ons, an upgrade ordered in"
        " the panel itself that waits to be paid, a third client with one of the two"
        " e-mails (the add-on looks at them by itself)",
        f"The evidence: whmcs-bridge transfers show {row.id}",
        "Move the service and its add-ons by hand where the bridge cannot, then, or to",
        f"let the bridge move it: whmcs-bridge transfers approve {row.id}",
    ]
    return "\n".join(lines)[:3900]
