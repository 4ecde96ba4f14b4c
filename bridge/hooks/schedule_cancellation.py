"""schedule_cancellation: put the end of a service in the book, for the right day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.billing.cancellations import (
    fell_due,
    immediate_moment,
    moment,
    reminder_days,
)
from bridge.billing.model import CancellationRequest, End, Invoice, NoPeriod, Service
from bridge.errors import Skipped
from bridge.gather import end_of, request_for
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Cancellation

IMMEDIATE, END_OF_PERIOD = "immediate", "end_of_period"
#: The hook fires while the request is being made: ask again for so long.
_PATIENCE = timedelta(minutes=10)
_AGAIN = timedelta(seconds=20)
#: How the reason begins where it was on none then either.
NOT_LISTED = "the panel lists no cancellation request"
#: A request that was on no list for so long is gone: one list may be wrong.
CERTAIN = timedelta(minutes=10)
#: What should have ended longer ago waits for staff.
TOO_LATE = timedelta(hours=72)


@action(result=("ends", "kind", "because"))
def schedule_cancellation(ctx: Context) -> Outcome:
    """Read the request back from the panel and schedule the service's end.

    Nothing ends on the delivery's word: a request that the panel does not list
    is looked for some minutes longer and then forgotten. A repeated request
    changes nothing, but an immediate one comes before a later end, and one that
    had no day is looked at anew.
    """
    client_id = ctx.facts.owners()[0]
    service = ctx.facts.service
    ctx.client_id = client_id
    request = request_for(ctx.panel, service.id)
    if request is None:
        raise _not_listed(ctx, service)
    if service.ended:
        raise Skipped(f"service {service.id} is {service.status} already")
    known = ctx.book.live_cancellation(service.id)
    if known is not None and known.at and not _sooner(request, known):
        raise Skipped(
            f"a repetition: service {service.id} ends on {known.ends} already"
        )
    key = known.key if known else key_of(service.id, request.id)
    known = known or _rehearsed(ctx, key)
    try:
        end, owed = end_of(
            ctx.panel,
            request,
            service,
            ctx.today,
            ctx.date_format,
            ctx.event,
            ctx.book.earlier_owners(service.id),
            ctx.book.paid_charges(service.id),
        )
    except NoPeriod as error:
        _book(ctx, key, known, service, request, None, None, [], str(error))
        raise ctx.staff(
            f"service {service.id} has no certain last day ({error}): decide by hand"
        ) from error
    _not_too_late(ctx, key, known, service, request, end, owed)
    at = moment_of(ctx, request, end)
    _book(ctx, key, known, service, request, end, at, owed, None)
    if known:
        ctx.move(terminate_key(key), at)
        ctx.revive(terminate_key(key), at)
        ctx.withdraw(reminder_keys(ctx, key), f"it ends on {end.day} now")
    ctx.later("terminate_service", key=terminate_key(key), at=at, cancellation=key)
    if not request.immediate:
        remind(ctx, key, end, anew=known is not None)
    return {
        "service": service.id,
        "kind": IMMEDIATE if request.immediate else END_OF_PERIOD,
        "ends": end.day.isoformat(),
        "because": end.because,
        "way": end.way,
    }


def key_of(service_id: int, request_id: int) -> str:
    """Return the key of a cancellation: one request of one service."""
    return f"cancellation:{service_id}:{request_id}"


def terminate_key(key: str) -> str:
    """Return the key of the one job that ends the service."""
    return f"{key}/terminate"


def reminder_keys(ctx: Context, key: str) -> list[str]:
    """Return the keys of the reminders' jobs."""
    days = ctx.policies.cancellations.remind_days
    return [f"{key}/remind:{before}" for before in days]


def moment_of(ctx: Context, request: CancellationRequest, end: End) -> datetime:
    """Return the instant at which a service ends, as the policy's hours say."""
    policy = ctx.policies.cancellations
    if request.immediate or end.way == "over":
        day = fell_due(request, end)
        return immediate_moment(day, ctx.now, policy.immediate_at, ctx.zone)
    return moment(end.day, policy.end_of_day, ctx.zone)


def _not_too_late(
    ctx: Context,
    key: str,
    known: Cancellation | None,
    service: Service,
    request: CancellationRequest,
    end: End,
    owed: list[Invoice],
) -> None:
    """Leave to staff what should have ended more than TOO_LATE ago."""
    policy = ctx.policies.cancellations
    hour = policy.immediate_at if request.immediate else policy.end_of_day
    due = moment(fell_due(request, end), hour, ctx.zone)
    if ctx.now - due <= TOO_LATE:
        return
    late = (ctx.now - due).total_seconds() / 3600
    reason = f"{late:.0f} hours late (more than 72) when the bridge heard of it"
    _book(ctx, key, known, service, request, end, None, owed, reason)
    raise ctx.staff(
        f"service {service.id} should have ended on {due.astimezone(ctx.zone):%Y-%m-%d}"
        f", {reason}: decide by hand"
    )


def remind(ctx: Context, key: str, end: End, *, anew: bool) -> None:
    """Put the reminders before the end in the outbox, at ten in the morning.

    *anew*: there may have been some before. What is over under a key stays so, and
    these have their day in theirs.
    """
    named = f"{key}/{end.day.isoformat()}" if anew else key
    days = reminder_days(end, ctx.policies.cancellations.remind_days, ctx.today)
    for day in days:
        before = (end.day - day).days
        at = datetime(day.year, day.month, day.day, 10, tzinfo=ctx.zone)
        ctx.later(
            "remind_cancellation",
            key=f"{named}/remind:{before}",
            at=at.astimezone(UTC),
            cancellation=key,
        )


def _rehearsed(ctx: Context, key: str) -> Cancellation | None:
    """Return the row of a request that is to be scheduled after all.

    A dry run carried it out on paper only, or it was missing on the panel's list
    for a while. One that really ended, or staff withdrew, is over: raises Skipped.
    """
    row = ctx.book.cancellation(key)
    back = row is not None and row.state == "withdrawn" and row.missing_at is not None
    if row is not None and row.state != "rehearsed" and not back:
        raise Skipped(f"that request of service {row.service_id} is {row.state}")
    return row


def _not_listed(ctx: Context, service: Service) -> Exception:
    began = ctx.created_at or ctx.now
    if ctx.now - began < _PATIENCE:
        return ctx.not_now("the panel does not list the request yet", ctx.now + _AGAIN)
    return Skipped(f"{NOT_LISTED} for service {service.id}: withdrawn, or never made")


def _sooner(request: CancellationRequest, known: Cancellation) -> bool:
    return request.immediate and known.kind != IMMEDIATE and known.state == "scheduled"


def _book(
    ctx: Context,
    key: str,
    known: Cancellation | None,
    service: Service,
    request: CancellationRequest,
    end: End | None,
    at: datetime | None,
    owed: list[Invoice],
    reason: str | None,
) -> None:
    values: dict[str, Any] = {
        "service_id": service.id,
        "client_id": service.client_id,
        "request_id": request.id,
        "domain": service.domain,
        "product": service.product_name,
        "kind": IMMEDIATE if request.immediate else END_OF_PERIOD,
        "requested_on": request.requested_on,
        "ends": end.day if end else None,
        "at": at,
        "because": end.because if end else "no period",
        "way": end.way if end else "none",
        "next_due": service.next_due,
        "owed": [{"id": one.id, "number": one.number} for one in owed],
        "state": "scheduled" if at else "staff",
        "missing_at": None,
        "approved_by": None,
        "reason": reason,
        "event_id": ctx.event.id if ctx.event else None,
    }
    ctx.keep("cancellations", key, was=known.state if known else "", **values)
