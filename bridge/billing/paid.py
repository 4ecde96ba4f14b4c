"""Find what was already paid for the running period of a service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from bridge.billing.model import (
    Cycle,
    Invoice,
    InvoiceLine,
    NoPeriod,
    Period,
    Refusal,
    Service,
)
from bridge.billing.money import decimals
from bridge.billing.periods import last_invoiced_period, line_period, own_lines
from bridge.billing.upgrade_case import CannotPrice, QuoteLine, UpgradeCase

# Kinds of line that always mean one thing, by its number. A negative line of any other
# kind (group discount, free line, billable item) is a discount on the whole invoice.
_TIED = ("hosting", "promohosting", "setup", "addon", "upgrade", "latefee", "invoice")


@dataclass(frozen=True)
class Paid:
    """What was paid, as negative lines, and what it was read from."""

    basis: str
    lines: tuple[QuoteLine, ...]


@dataclass(frozen=True)
class _Billed:
    """A line of the service on an invoice, and its period."""

    invoice: Invoice
    line: InvoiceLine
    period: Period


def already_paid(case: UpgradeCase) -> Paid:
    """Return what the client paid for the running period.

    That is the service's lines and their discounts on the newest paid invoice
    whose period covers today, and the upgrade charges paid since that period
    began and not given back. Without such an invoice it is the recurring amount. Raises
    CannotPrice where it is not certain which. The invoices must have lines.
    """
    running = None if case.paid_basis == "recurring" else _running(case)
    _refuse_forgotten(case, running)
    if running is None:
        return _recurring(case)
    discounts = tuple(_discounts(case.service, running))
    charges = tuple(_charges(case, running.period))
    if charges:
        _refuse_fee_before(case, running, discounts + charges)
    lines = (*_own(case, running), *discounts, *charges)
    if sum(line.amount for line in lines) > 0:
        raise _unknown(
            f"the discounts on invoice {running.invoice.id} exceed the price"
        )
    return Paid("invoice", lines)


def _refuse_forgotten(case: UpgradeCase, running: _Billed | None) -> None:
    """Refuse where a plan change was paid that nobody remembers: it may count."""
    if running is not None:
        since = running.period.first_day
    else:
        since = case.today - relativedelta(months=case.service.cycle.months or 12)
    for invoice in case.unknown:
        day = invoice.paid_at.date() if invoice.paid_at else invoice.date
        # The day is another in another zone.
        if invoice.paid and (day is None or day >= since - timedelta(days=1)):
            raise _unknown(f"invoice {invoice.id} is of a plan change in no book")


def _recurring(case: UpgradeCase) -> Paid:
    free = case.service.cycle is Cycle.FREE
    amount = Decimal(0) if free else case.service.recurring
    kind = "recurring" if case.paid_basis == "recurring" else "uncovered"
    label = "recurring amount of the service"
    line = QuoteLine(label, -amount, "service", "free" if free else kind)
    return Paid("recurring", (line,))


def _unknown(why: str) -> CannotPrice:
    return CannotPrice(Refusal.NOT_PRICED, f"It cannot be priced: {why}.")


def _running(case: UpgradeCase) -> _Billed | None:
    """Return the service's line on the newest paid invoice covering today."""
    billed = list(_billed(case, [i for i in case.invoices if i.paid]))
    _refuse_paid_ahead(case, billed)
    covering = [one for one in billed if one.period.covers(case.today)]
    if covering:
        best = max(covering, key=lambda one: (one.period.last_day, one.invoice.id))
        if best.invoice.currency not in ("", case.currency):
            why = f"Invoice {best.invoice.id} is in {best.invoice.currency}."
            raise CannotPrice(Refusal.CURRENCY_DIFFERS, why)
        return best
    refunded = [invoice for invoice in case.invoices if invoice.refunded]
    for one in _billed(case, refunded):
        if one.period.covers(case.today):
            raise _unknown(f"invoice {one.invoice.id} was refunded")
    silent = _running_by_status(case, billed)
    if silent is None:
        _refuse_unread(case, billed)
    return silent


def _billed(case: UpgradeCase, invoices: list[Invoice]) -> Iterator[_Billed]:
    for invoice in invoices:
        for line in own_lines(invoice, case.service.id):
            if read := line_period(line, case.service, case.date_format):
                yield _Billed(invoice, line, read[0])


def _refuse_paid_ahead(case: UpgradeCase, billed: list[_Billed]) -> None:
    """Refuse another cycle over a period paid ahead: that money would be lost."""
    for one in billed:
        if case.cycle != case.service.cycle and one.period.first_day > case.today:
            raise _unknown(f"invoice {one.invoice.id} was paid ahead")


def _refuse_unread(case: UpgradeCase, billed: list[_Billed]) -> None:
    """Refuse where the running period's invoice may be among those left unread.

    It is not, where an invoice that was read is of a period already over.
    """
    over = any(one.period.last_day < case.today for one in billed)
    if case.unread and not over and case.service.cycle.months is not None:
        raise _unknown("the invoice of the running period is too far back")


def _running_by_status(case: UpgradeCase, billed: list[_Billed]) -> _Billed | None:
    """Look at paid invoices whose lines do not tell their period.

    One older than an invoice whose period is over is over as well.
    """
    read = {one.invoice.id for one in billed}
    over = [o.invoice.id for o in billed if o.period.last_day < case.today]
    silent = [
        invoice
        for invoice in case.invoices
        if invoice.paid
        and invoice.id not in read
        and invoice.id > max(over, default=0)
        and own_lines(invoice, case.service.id)
    ]
    if not silent or case.service.cycle.months is None:
        return None
    newest = max(silent, key=lambda invoice: invoice.id)
    try:
        last = last_invoiced_period(case.service, case.invoices, case.date_format)
    except NoPeriod as error:
        raise _unknown(str(error)) from error
    if last.invoice_id != newest.id or not last.period.covers(case.today):
        raise _unknown(f"invoice {newest.id} does not tell its period")
    return _Billed(newest, own_lines(newest, case.service.id)[0], last.period)


def _own(case: UpgradeCase, running: _Billed) -> Iterator[QuoteLine]:
    """Yield the service's lines for the running period, setup fees left out.

    A setup fee has a line of the kind Setup, which is not looked at. The
    panel's cron puts it into the first period's own line instead: it is taken
    off where price and fee make up that line exactly.
    """
    source = f"invoice {running.invoice.id}"
    lines = own_lines(running.invoice, case.service.id)
    for line in lines:
        read = line_period(line, case.service, case.date_format)
        if len(lines) > 1 and (read is None or read[0] != running.period):
            raise _unknown(f"{source} bills more than one period")
        yield _line("already paid", -line.amount, running, "paid")
    if fee := _fee_inside(case, running):
        yield _line("setup fee in it, not counted", fee, running, "setup")


def _line(label: str, amount: Decimal, running: _Billed, kind: str) -> QuoteLine:
    source, period = f"invoice {running.invoice.id}", running.period
    return QuoteLine(label, amount, source, kind, period.first_day, period.last_day)


def _fee_inside(case: UpgradeCase, running: _Billed) -> Decimal:
    service = case.service
    fee = case.old_product.setup.get(case.currency, {}).get(service.cycle, Decimal(0))
    first = running.period.first_day == service.registered
    more = running.line.amount - service.recurring
    if not first or fee <= 0 or more <= 0 or _setup(service, running.invoice):
        return Decimal(0)
    if more != fee * service.quantity:
        raise _unknown(f"invoice {running.invoice.id} may hold a setup fee")
    return more


def _refuse_fee_before(
    case: UpgradeCase, running: _Billed, lines: tuple[QuoteLine, ...]
) -> None:
    """Refuse a first period whose line may hold the setup fee of an earlier plan.

    What the service renews at, less the charges since, is what that plan cost. Each
    charge was rounded, once.
    """
    first = running.period.first_day == case.service.registered
    unit = Decimal(1).scaleb(-decimals(case.currency))
    since = sum((line.amount for line in lines), Decimal(0))
    more = running.line.amount - since - case.service.recurring
    if first and more > unit * len(lines):
        raise _unknown(f"invoice {running.invoice.id} may hold a setup fee")


def _setup(service: Service, invoice: Invoice) -> bool:
    return any(
        line.kind.casefold() == "setup"
        and line.related_id == service.id
        and line.amount
        for line in invoice.lines
    )


def _discounts(service: Service, running: _Billed) -> Iterator[QuoteLine]:
    """Yield the discounts that belong to the service's lines.

    Those are its promotion's lines, and a discount on the whole invoice where
    nothing else was on it. Which part of one is the setup fee's is not known.
    """
    invoice = running.invoice
    whole = [line for line in invoice.lines if _on_the_whole(line)]
    others = [
        line
        for line in invoice.lines
        if line.amount > 0 and not _about(line, service, ("hosting", "setup"))
    ]
    if whole and others:
        raise _unknown(f"invoice {invoice.id} has a discount on several things")
    promotion = [i for i in invoice.lines if _about(i, service, ("promohosting",))]
    discounts = [line for line in (*promotion, *whole) if line.amount]
    if discounts and _setup(service, invoice):
        raise _unknown(f"a discount on invoice {invoice.id} may be the setup fee's")
    for line in discounts:
        yield _line("discount on it", -line.amount, running, "discount")


def _about(line: InvoiceLine, service: Service, kinds: tuple[str, ...]) -> bool:
    return line.related_id == service.id and line.kind.casefold() in kinds


def _on_the_whole(line: InvoiceLine) -> bool:
    kind = line.kind.casefold()
    tied = kind in _TIED or kind.startswith(("domain", "promodomain"))
    return line.amount < 0 and not tied


def _charges(case: UpgradeCase, period: Period) -> Iterator[QuoteLine]:
    """Yield the charges paid since the period began, those given back left out."""
    for charge in case.charges:
        since = charge.paid_on >= period.first_day
        status = charge.status.casefold()
        if charge.service_id != case.service.id or not since:
            continue
        if status not in ("paid", "refunded", "cancelled"):
            raise _unknown(f"upgrade invoice {charge.invoice_id} is {charge.status}")
        if status == "paid":
            label = f"upgrade charge paid {charge.paid_on.isoformat()}"
            on = charge.paid_on
            yield QuoteLine(label, -charge.amount, "charge", "charge", on, on)
