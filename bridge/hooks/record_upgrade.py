"""record_upgrade: remember what a client paid for an upgrade of the panel's own."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

from bridge.billing.model import NoPeriod, Service
from bridge.billing.periods import last_invoiced_period, next_period, nth_due
from bridge.errors import Skipped
from bridge.events import read_id
from bridge.gather import invoices_of, upgrade_paid
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context

_MONEY = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
#: The panel may still be writing it down: ask again for so long.
_PATIENCE = timedelta(minutes=10)
_AGAIN = timedelta(seconds=20)
#: Months are not of one length: two periods of one cycle differ by less than this.
_UNEVEN = timedelta(days=4)


@action(internal=True)
def record_upgrade(ctx: Context) -> Outcome:
    """Keep a native upgrade's charge, so that the next one counts it as paid.

    The panel's API cannot tell upgrades; the add-on sends its row along. It is not
    taken at its word: the service must have the new plan, and what counts as paid
    is what a paid invoice of the client says. Raises Later, then Skipped, where
    the panel shows another plan, and Parked where it left the due date of a shorter
    cycle.
    """
    event = ctx.event
    row = event.context.get("upgrade", {}) if event else {}
    number = event.identifier("upgradeid") if event else None
    if event is None or number is None or not row:
        raise Skipped("the panel's add-on did not say which upgrade it was")
    if str(row.get("type", "package")).casefold() not in ("package", ""):
        raise Skipped("an upgrade of options, not of the plan")
    old, new, cycle = _products(row)
    told = _amount(row.get("amount"))
    service = ctx.facts.service
    ctx.client_id = service.client_id
    if service.product_id != new:
        raise _not_yet(ctx, f"the panel shows plan {service.product_id}, not {new}")
    client = ctx.facts.client
    found = upgrade_paid(ctx.panel, client.id, number) if told else None
    if told and found is None and _young(ctx):
        raise _not_yet(ctx, f"no paid invoice shows upgrade {number}")
    charge, invoice_id = found or (told, None)
    paid = found is not None and charge != 0
    day = event.occurred_at.astimezone(ctx.zone).date()
    key = f"native:{number}"
    due = _due_of_a_new_period(ctx, service, day) if paid else None
    known = ctx.book.order(key)  # staff may have set the date since
    begins = due is not None or (known is not None and known.new_period)
    ctx.keep(
        "upgrades",
        key,
        service_id=service.id,
        client_id=service.client_id,
        from_product_id=old,
        to_product_id=new,
        from_product=_name(ctx, old),
        to_product=service.product_name,
        cycle=service.cycle.value if begins or not cycle else cycle,
        charge=charge,
        currency=client.currency,
        recurring=service.recurring,
        new_period=begins,
        next_due=service.next_due,
        working=[],
        native=True,
        state="done",
        invoice_id=invoice_id,
        paid_on=day if paid else None,
        created_at=ctx.now,
    )
    if due is not None:
        raise ctx.staff(_date_to_set(number, service, due))
    counts = "counts as paid" if paid else "no paid invoice shows it: it does not count"
    return {"upgrade": number, "service": service.id, "charge": counts}


def _date_to_set(number: int, service: Service, due: date) -> str:
    return (
        f"upgrade {number} of service {service.id}: it is paid {service.cycle} "
        f"now, but due on {service.next_due}, as before. If its cycle changed, set "
        f"that to {due} in the panel before it is invoiced again"
    )


def _due_of_a_new_period(ctx: Context, service: Service, day: date) -> date | None:
    """Return when a service should be due that was changed to a longer cycle.

    The panel leaves its due date where it was. None where its last invoice is of as
    long a period as it has now, or does not tell.
    """
    earlier = ctx.book.earlier_owners(service.id)
    invoices = invoices_of(ctx.panel, service, earlier_owners=earlier)
    try:
        last = last_invoiced_period(service, invoices, ctx.date_format)
    except NoPeriod:
        return None
    ends = last.period.last_day
    whole = next_period(last.period.first_day, service.cycle)
    if last.way != "description" or service.next_due != ends + timedelta(days=1):
        return None
    longer = whole.last_day - ends > _UNEVEN
    return nth_due(day, service.cycle, 1) if longer else None


def _young(ctx: Context) -> bool:
    return ctx.now - (ctx.created_at or ctx.now) < _PATIENCE


def _not_yet(ctx: Context, why: str) -> Exception:
    """Return what to raise while the panel may still be writing it down."""
    return ctx.not_now(why, ctx.now + _AGAIN) if _young(ctx) else Skipped(why)


def _products(row: dict[str, object]) -> tuple[int, int, str]:
    old = read_id(str(row.get("originalvalue", "")).strip())
    new_text, _, cycle = str(row.get("newvalue", "")).partition(",")
    new = read_id(new_text.strip())
    if old is None or new is None:
        raise Skipped("the panel's upgrade row names no plans")
    return old, new, cycle.strip()


def _amount(value: object) -> Decimal:
    if not isinstance(value, int | str) or not _MONEY.fullmatch(str(value)):
        raise Skipped("the panel's upgrade row has no amount that was paid")
    return Decimal(value)


def _name(ctx: Context, product_id: int) -> str:
    return ctx.panel.product(product_id).name
