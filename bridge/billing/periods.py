"""Work out billing periods, always from an anchor, and read them off invoices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from bridge.billing.model import (
    Cycle,
    Invoice,
    InvoiceLine,
    NoPeriod,
    Period,
    Service,
)
from bridge.billing.period_text import read_period

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Invoiced:
    """The period that one invoice bills a service for, and how it was found.

    *way* is `description`, `line_due` or `status`, from sure to less sure.
    """

    period: Period
    way: str
    invoice_id: int


def months_of(cycle: Cycle) -> int:
    """Return the months of one period. Raises NoPeriod for one-time and free."""
    if cycle.months is None:
        raise NoPeriod(f"a service paid {cycle.value} has no billing period")
    return cycle.months


def nth_due(anchor: date, cycle: Cycle, n: int) -> date:
    """Return the *n*-th due day after *anchor* (0 is *anchor* itself).

    Counted from the anchor, so that 31 January, 28 February is followed by
    31 March. Raises NoPeriod for a cycle without periods.
    """
    return anchor + relativedelta(months=months_of(cycle) * n)


def next_period(due: date, cycle: Cycle, anchor: date | None = None) -> Period:
    """Return the period that begins on *due*.

    *anchor* is the day the service began. It counts where *due* is one of its
    due days; after a pro-rata first period it is not, and *due* is the anchor.
    """
    start, n = _place(due, cycle, anchor)
    return Period(due, nth_due(start, cycle, n + 1) - _DAY)


def previous_period(due: date, cycle: Cycle, anchor: date | None = None) -> Period:
    """Return the period that ends on the day before *due*; *anchor* as above."""
    start, n = _place(due, cycle, anchor)
    return Period(nth_due(start, cycle, n - 1), due - _DAY)


def _place(due: date, cycle: Cycle, anchor: date | None) -> tuple[date, int]:
    """Return an anchor and which of its due days *due* is."""
    if anchor is not None:
        months = (due.year - anchor.year) * 12 + due.month - anchor.month
        n = months // months_of(cycle)
        if nth_due(anchor, cycle, n) == due:
            return anchor, n
    return due, 0


def own_lines(invoice: Invoice, service_id: int) -> list[InvoiceLine]:
    """Return the lines that bill the service itself: kind Hosting, its number.

    The number alone does not do: an add-on or domain line may carry it as well,
    meaning an add-on or domain.
    """
    return [
        line
        for line in invoice.lines
        if line.kind.casefold() == "hosting" and line.related_id == service_id
    ]


def line_period(
    line: InvoiceLine, service: Service, date_format: str, due: date | None = None
) -> tuple[Period, str] | None:
    """Return the period of one line and the way it was found, or None.

    The text counts if it begins on the line's due day, where that is known
    (*due*, else the line's own). Without such a text one cycle from that day is
    taken.
    """
    due = due or line.due
    told = read_period(line.description, date_format)
    if told is not None and due in (None, told.first_day):
        return told, "description"
    if due is None or service.cycle.months is None:
        return None
    return next_period(due, service.cycle, service.registered), "line_due"


def last_invoiced_period(
    service: Service,
    invoices: Iterable[Invoice],
    date_format: str,
    line_dues: Mapping[int, date] | None = None,
) -> Invoiced:
    """Return the last period that a service was invoiced for, paid or not.

    Cancelled, refunded and draft invoices do not count. *line_dues* is invoice
    id -> due day of the service's line, where the add-on told it. Raises
    NoPeriod, with a sentence for staff, when nothing is certain.
    """
    months_of(service.cycle)
    known = [invoice for invoice in invoices if invoice.counts]
    if unread := [i.id for i in known if not i.lines and i.total]:
        raise NoPeriod(f"the lines of invoice {unread[0]} are not known")
    own = [invoice for invoice in known if own_lines(invoice, service.id)]
    if not own:
        raise NoPeriod(f"no invoice of service {service.id} was generated")
    found = list(_read(service, own, date_format, line_dues or {}))
    best = max(
        found, key=lambda one: (one.period.last_day, one.invoice_id), default=None
    )
    newest = max(own, key=lambda invoice: invoice.id)
    if best is not None and newest.id in {one.invoice_id for one in found}:
        return best
    return _by_status(service, own, newest, best)


def _read(
    service: Service,
    invoices: list[Invoice],
    date_format: str,
    line_dues: Mapping[int, date],
) -> Iterator[Invoiced]:
    for invoice in invoices:
        for line in own_lines(invoice, service.id):
            due = line_dues.get(invoice.id)
            if read := line_period(line, service, date_format, due):
                yield Invoiced(*read, invoice.id)


def _by_status(
    service: Service, own: list[Invoice], newest: Invoice, best: Invoiced | None
) -> Invoiced:
    """Tell the period from the due date, which moves on only when one is paid."""
    others = [invoice.id for invoice in own if invoice.open and invoice is not newest]
    if others:
        raise NoPeriod(f"several invoices of service {service.id} are unpaid")
    if service.next_due is None or not (newest.paid or newest.open):
        raise NoPeriod(f"invoice {newest.id} does not tell its period")
    period = (previous_period if newest.paid else next_period)(
        service.next_due, service.cycle, service.registered
    )
    if best is not None and period.last_day <= best.period.last_day:
        raise NoPeriod(f"invoices {best.invoice_id} and {newest.id} contradict")
    return Invoiced(period, "status", newest.id)
