"""transfer_service: look, act, look; a service passes once, if both sides agreed."""

from __future__ import annotations

from dataclasses import replace

from marshmallow import fields

from bridge.billing.transfer_case import CODES, Move, Moved, checks, failing
from bridge.errors import MoveRefused, Reason, RemoteError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Transfer
from bridge.hooks.transferring import (
    case_of,
    for_staff,
    hand_over,
    kept,
    refuse,
    service_or_none,
    tell,
)

#: The panel's words for what has another name here.
_PANELS = {"other_owner": "not_owner", "no_service": "not_owner"}


@action(
    acts=True,
    result=("service", "how"),
    transfer=fields.String(load_default=""),
)
def transfer_service(ctx: Context, *, transfer: str = "") -> Outcome:
    """Let a service pass to the client whom both sides named, if all still holds.

    Reads owner and conditions from the panel first: what passed already is done, by
    whomever. The panel's add-on checks again and moves it; without one, staff do.
    A lost answer is settled by the service's owner. As a rule's action it moves the
    event's service if both sides agreed on that.
    """
    if not transfer:
        return _hand_over(ctx)
    row = ctx.book.transfer(transfer)
    if row is None or row.state not in ("agreed", "moving", "staff"):
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.from_client_id
    service = service_or_none(ctx, row.service_id)
    if service is not None and service.client_id == row.to_client_id:
        how = "it belonged to the new owner already"
        if row.acted_at:
            how = "it belongs to the new owner, as the panel shows"
        return _done(ctx, row, how, None)
    if row.state == "staff" and row.acted_at is None and not row.approved_by:
        raise Skipped(f"it waits for staff: whmcs-bridge transfers approve {row.id}")
    ctx.not_held()
    found = checks(case_of(ctx, row))
    if code := failing(found):
        return refuse(ctx, row, code, found)
    if reason := for_staff(ctx, row):
        return hand_over(ctx, row, reason, found)
    move = Move(
        row.key,
        row.service_id,
        row.from_client_id,
        row.to_client_id,
        row.agreed_at or row.expires_at,
        ctx.policies.transfers.verified_field,
    )
    if ctx.dry_run:
        ctx.keep("transfers", row.key, was=row.state, state="rehearsed")
        ctx.panel.move_service(move)
    ctx.not_held()
    begun = ctx.book.begin_transfer(row.key, ctx.policies.transfers.caps)
    if begun.over:
        raise Skipped(begun.reason)
    if begun.again_at is not None:
        raise ctx.not_now(begun.reason, begun.again_at)
    if not begun.granted:
        once = begun.once("transfers", row.from_client_id, ctx.today)
        return hand_over(ctx, row, begun.reason, found, once=once)
    fresh = replace(row, state="moving", checks=kept(ctx, found))
    return _move(ctx, fresh, move)


def _hand_over(ctx: Context) -> Outcome:
    """Leave it to the transfer's own job: two jobs might both act."""
    row = ctx.book.open_transfer(ctx.facts.service.id)
    if row is None or row.state not in ("agreed", "moving"):
        raise Skipped("both sides did not agree on a change of owner of this service")
    ctx.later("transfer_service", key=f"{row.key}/move", transfer=row.key)
    return {"service": row.service_id, "how": f"job {row.key}/move carries it out"}


def _move(ctx: Context, row: Transfer, move: Move) -> Outcome:
    try:
        moved = ctx.panel.move_service(move)
    except MoveRefused as error:
        code = _PANELS.get(error.code, error.code)
        service = service_or_none(ctx, row.service_id) if code == "not_owner" else None
        if service is not None and service.client_id == row.to_client_id:
            return _done(ctx, row, "it was moved by somebody else meanwhile", None)
        if code in CODES:
            return refuse(ctx, row, code)
        return hand_over(ctx, row, f"the panel refuses it ({error.detail})")
    except RemoteError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return hand_over(ctx, row, "the panel has no add-on that could move it")
    service = ctx.panel.service(row.service_id)
    if service.client_id != row.to_client_id:
        raise ctx.staff(
            f"the panel says that service {service.id} was moved to client "
            f"{row.to_client_id}, but it belongs to client {service.client_id}"
        )
    return _done(ctx, row, "moved", moved)


def _done(ctx: Context, row: Transfer, how: str, moved: Moved | None) -> Outcome:
    values = {"moved": moved.changed if moved else row.moved, "checks": row.checks}
    ctx.keep("transfers", row.key, was=row.state, state="done", reason=how, **values)
    tell(ctx, row, "transfer_done_from", "from")
    tell(ctx, row, "transfer_done_to", "to")
    ctx.later("list_open_items", key=f"{row.key}/open-items", transfer=row.key)
    return {"service": row.service_id, "how": how}
