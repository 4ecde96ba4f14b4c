"""terminate_service: look, act, look; one termination per request, ever."""

from __future__ import annotations

from marshmallow import fields

from bridge.billing.model import CancellationRequest, End, NoPeriod, Service
from bridge.errors import NoModule, Parked, Reason, RemoteError, Skipped
from bridge.gather import end_of, request_for
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Cancellation, Reserved
from bridge.hooks.schedule_cancellation import (
    CERTAIN,
    IMMEDIATE,
    TOO_LATE,
    moment_of,
    remind,
    terminate_key,
)


@action(
    acts=True,
    result=("service", "how"),
    cancellation=fields.String(load_default=""),
)
def terminate_service(ctx: Context, *, cancellation: str = "") -> Outcome:
    """End the service of a scheduled cancellation, if everything still agrees.

    Reads service and request from the panel first. Gone already is done; gone
    from the list is withdrawn; a later period is a new date; another owner or
    domain is for staff. Raises Later while it is held back and over the
    hourly cap, Parked over the daily ones. As a rule's action it ends the service
    whose cancellation is in the book.
    """
    if not cancellation:
        return _hand_over(ctx)
    row, caps = _row(ctx, cancellation), ctx.policies.cancellations.caps
    ctx.not_held()
    if row.acted_at is None and not row.approved_by:
        # Before anything is looked up: what waits does not weigh on the panel.
        _within(ctx, row, ctx.book.room(row.client_id, caps))
    service = _service(ctx, row)
    if service.ended:
        return _gone(ctx, row, service)
    _same(ctx, row, service)
    request = request_for(ctx.panel, row.service_id)
    if request is None:
        return _withdrawn(ctx, row)
    _still_now(ctx, row, service, request)
    if ctx.dry_run:
        ctx.keep("cancellations", row.key, was=row.state, state="rehearsed")
        ctx.panel.terminate(service.id)
    ctx.not_held()
    _within(ctx, row, ctx.book.reserve(row.key, caps))
    how = _end(ctx, service)
    return _done(ctx, row, how)


def _hand_over(ctx: Context) -> Outcome:
    """Leave it to the cancellation's own job: two jobs might both act."""
    service = ctx.facts.service
    if service.ended:
        raise Skipped(f"service {service.id} is {service.status} already")
    row = ctx.book.live_cancellation(service.id)
    if row is None:
        raise ctx.staff("there is no cancellation in the book for this service")
    ctx.client_id = row.client_id
    if row.at is None or row.at > ctx.now:
        raise Skipped(f"service {row.service_id} ends later, on {row.ends}")
    key = terminate_key(row.key)
    ctx.later("terminate_service", key=key, cancellation=row.key)
    return {"service": row.service_id, "how": f"job {key} carries it out"}


def _row(ctx: Context, key: str) -> Cancellation:
    row = ctx.book.cancellation(key)
    if row is None:
        raise ctx.staff(f"there is no cancellation {key} in the book")
    ctx.client_id = row.client_id
    if row.state not in ("scheduled", "acting", "staff"):
        raise Skipped(f"the cancellation is {row.state} already")
    if row.at is not None and row.at > ctx.now:
        raise ctx.not_now(f"it is due on {row.ends}", row.at)
    if row.at is not None and ctx.now - row.at > TOO_LATE and row.acted_at is None:
        late = (ctx.now - row.at).total_seconds() / 3600
        raise _for_staff(ctx, row, f"{late:.0f} hours late (more than 72)")
    return row


def _service(ctx: Context, row: Cancellation) -> Service:
    try:
        return ctx.panel.service(row.service_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            raise _for_staff(ctx, row, "the panel knows no such service") from error
        raise


def _gone(ctx: Context, row: Cancellation, service: Service) -> Outcome:
    if row.acted_at is not None:
        return _done(ctx, row, f"{service.status}, as the panel shows")
    reason = f"the service was {service.status} already"
    ctx.keep("cancellations", row.key, was=row.state, state="done", reason=reason)
    return {"service": row.service_id, "how": reason}


def _same(ctx: Context, row: Cancellation, service: Service) -> None:
    if service.client_id != row.client_id:
        raise _for_staff(
            ctx,
            row,
            f"it belongs to client {service.client_id} now, not {row.client_id}",
        )
    if service.domain != row.domain:
        raise _for_staff(ctx, row, "its domain is another than when it was asked for")
    if service.status.casefold() not in ("active", "suspended"):
        raise _for_staff(ctx, row, f"its status is {service.status}")


def _withdrawn(ctx: Context, row: Cancellation) -> Outcome:
    """Withdraw what the panel does not list, now and ten minutes ago."""
    since = row.missing_at or ctx.now
    if ctx.now - since < CERTAIN:
        if row.missing_at is None:
            ctx.keep("cancellations", row.key, was=row.state, missing_at=ctx.now)
        raise ctx.not_now(
            "the panel does not list the request: looked for once more",
            since + CERTAIN,
        )
    reason = "the request is not on the panel's list any more: withdrawn"
    ctx.keep("cancellations", row.key, was=row.state, state="withdrawn", reason=reason)
    tell(ctx, row, "cancellation_withdrawn")
    return {"service": row.service_id, "how": reason}


def _still_now(
    ctx: Context, row: Cancellation, service: Service, request: CancellationRequest
) -> None:
    """Raise Later with a new date if the paid period has moved on.

    A row made immediate while its request is not was made so by staff.
    """
    by_hand = row.kind == IMMEDIATE and request.id == row.request_id
    if request.immediate or by_hand:
        return
    try:
        end, _ = end_of(
            ctx.panel,
            request,
            service,
            ctx.today,
            ctx.date_format,
            earlier_owners=ctx.book.earlier_owners(service.id),
            charges=ctx.book.paid_charges(service.id),
        )
    except NoPeriod as error:
        raise _for_staff(ctx, row, f"its last day is not certain: {error}") from error
    if row.ends is None or end.day <= row.ends:
        return
    if row.kind != IMMEDIATE and end.way == "over":
        return
    _moved(ctx, row, service, request, end)


def _moved(
    ctx: Context,
    row: Cancellation,
    service: Service,
    request: CancellationRequest,
    end: End,
) -> None:
    at = moment_of(ctx, request, end)
    ctx.keep(
        "cancellations",
        row.key,
        was=row.state,
        kind="end_of_period",
        request_id=request.id,
        ends=end.day,
        at=at,
        because=end.because,
        way=end.way,
        next_due=service.next_due,
        state="scheduled",
        approved_by=None,
    )
    remind(ctx, row.key, end, anew=True)
    tell(ctx, row, "cancellation_moved", suffix=f":{end.day.isoformat()}")
    raise ctx.not_now(f"its period moved on: it ends on {end.day.isoformat()}", at)


def _within(ctx: Context, row: Cancellation, found: Reserved) -> None:
    """Raise Later over the cap of the hour, Parked over those of a day."""
    if found.granted:
        return
    if found.over:
        raise Skipped(found.reason)
    if found.again_at is not None:
        raise ctx.not_now(found.reason, found.again_at)
    once = found.once("terminations", row.client_id, ctx.today)
    raise _for_staff(ctx, row, found.reason, once=once)


def _end(ctx: Context, service: Service) -> str:
    try:
        ctx.panel.terminate(service.id)
    except NoModule:
        ctx.panel.set_service_status(service.id, "Cancelled")
        return "Cancelled: its product has no server module"
    return "terminated"


def _done(ctx: Context, row: Cancellation, how: str) -> Outcome:
    ctx.keep("cancellations", row.key, state="done", reason=how)
    tell(ctx, row, "cancellation_done")
    return {"service": row.service_id, "how": how}


def tell(ctx: Context, row: Cancellation, message: str, *, suffix: str = "") -> None:
    """Have the owner of a cancellation told, in the same transaction."""
    ctx.later(
        "send_alert",
        key=f"{row.key}/{message}{suffix}",
        message=message,
        service_id=row.service_id,
        client_id=row.client_id,
        cancellation=row.key,
    )


def _for_staff(
    ctx: Context, row: Cancellation, reason: str, *, once: str = ""
) -> Exception:
    ctx.keep("cancellations", row.key, was=row.state, state="staff", reason=reason)
    sentence = f"service {row.service_id} was not ended: {reason}"
    if once:
        sentence += " (told once a day: see cancellations list --state staff)"
    return Parked(sentence, once=once)
