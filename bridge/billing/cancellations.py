"""Decide when a cancelled service ends, and what its client still owes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bridge.billing.model import CancellationRequest, End, Invoice, Service
from bridge.billing.periods import Invoiced, last_invoiced_period, own_lines

_WAYS = {
    "description": "as its line says",
    "line_due": "one cycle from the due date of its line",
    "status": "worked out from whether it is paid and the service's due date",
}


def service_end(
    request: CancellationRequest,
    service: Service,
    invoices: Iterable[Invoice],
    today: date,
    *,
    date_format: str,
    line_dues: Mapping[int, date] | None = None,
    upgraded: Invoiced | None = None,
) -> End:
    """Return the day a cancelled service ends, and why that day.

    Immediate: the day of the request, or today where that day has gone by. End
    of billing period: the last day of the last invoiced period, or today where
    that is over. *invoices* are the client's, with lines; *upgraded* is the period
    that a paid plan change began, which no line of theirs tells. Raises NoPeriod
    when nobody can say.
    """
    earliest = max(today, request.requested_on)
    if request.immediate:
        return End(earliest, _immediate(request.requested_on, earliest), "immediate")
    known = list(invoices)
    billed = any(i.counts and own_lines(i, service.id) for i in known)
    if upgraded is not None and not billed:
        invoiced = upgraded
    else:
        invoiced = last_invoiced_period(service, known, date_format, line_dues)
        if upgraded and _since(upgraded, invoiced, service):
            invoiced = upgraded
    if invoiced.period.last_day < earliest:
        because = f"The last invoiced period ({invoiced.period}) is already over."
        return End(earliest, because, "over", invoiced.period)
    return End(
        invoiced.period.last_day, _because(invoiced), invoiced.way, invoiced.period
    )


def fell_due(request: CancellationRequest, end: End) -> date:
    """Return the day on which the service should have ended, heard of in time.

    It is before *end* where the request, or the period's end, lies in the past.
    """
    if request.immediate:
        return request.requested_on
    if end.way == "over" and end.period is not None:
        return max(request.requested_on, end.period.last_day)
    return end.day


def _immediate(requested_on: date, day: date) -> str:
    if day == requested_on:
        return "The client asked for it to end in the course of the day."
    return f"The client asked on {requested_on} for it to end that day, which is over."


def _since(upgraded: Invoiced, invoiced: Invoiced, service: Service) -> bool:
    """Tell whether a plan change began the last period: then the due date moved on."""
    last = invoiced.period.last_day
    due = service.next_due
    moved = due is not None and due - last > timedelta(days=1)
    return moved and upgraded.period.last_day > last


def _because(invoiced: Invoiced) -> str:
    if invoiced.way == "upgrade":
        bill = f" (invoice {invoiced.invoice_id})" if invoiced.invoice_id else ""
        return f"A paid plan change{bill} began the period {invoiced.period}."
    return (
        f"The last generated invoice ({invoiced.invoice_id}) covers {invoiced.period}, "
        f"{_WAYS[invoiced.way]}."
    )


def moment(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the instant (aware UTC) of an hour of the panel's calendar day.

    An hour that a clock change doubles is the second one: the service works
    until then. One that it leaves out is later by what was left out, or earlier
    where later would be the next day.
    """
    first, second = (
        datetime.combine(day, at.replace(fold=fold, tzinfo=zone)).astimezone(UTC)
        for fold in (0, 1)
    )
    if first <= second:
        return second
    return first if first.astimezone(zone).date() == day else second


def immediate_moment(
    requested_on: date, now: datetime, immediate_at: time, zone: tzinfo
) -> datetime:
    """Return when an immediate cancellation is carried out (aware UTC).

    It is *immediate_at* on the day of the request, or *now* if that has passed.
    """
    return max(moment(requested_on, immediate_at, zone), now.astimezone(UTC))


def reminder_days(
    end: End, remind_days: Iterable[int], today: date
) -> tuple[date, ...]:
    """Return the days on which the client is reminded, in order.

    Today is none of them: he was told today. Neither is the last day itself.
    """
    days = {end.day - timedelta(days=before) for before in remind_days if before > 0}
    return tuple(sorted(day for day in days if day > today))


def owed(service_id: int, invoices: Iterable[Invoice]) -> tuple[Invoice, ...]:
    """Return the open invoices that bill the service, the oldest first."""
    billing = [i for i in invoices if i.open and own_lines(i, service_id)]
    return tuple(sorted(billing, key=lambda invoice: invoice.id))
