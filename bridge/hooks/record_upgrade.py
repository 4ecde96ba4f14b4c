"""record_upgrade: remember what a client paid for an upgrade of the panel's own."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from bridge.errors import Skipped
from bridge.events import read_id
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(internal=True)
def record_upgrade(ctx: Context) -> Outcome:
    """Keep a native upgrade's charge, so that the next one counts it as paid.

    The panel's API cannot tell upgrades; the add-on sends its row along.
    """
    event = ctx.event
    row = event.context.get("upgrade", {}) if event else {}
    number = event.identifier("upgradeid") if event else None
    if event is None or number is None or not row:
        raise Skipped("the panel's add-on did not say which upgrade it was")
    if str(row.get("type", "package")).casefold() not in ("package", ""):
        raise Skipped("an upgrade of options, not of the plan")
    old, new, cycle = _products(row)
    service = ctx.facts.service
    ctx.client_id = service.client_id
    client = ctx.facts.client
    day = event.occurred_at.astimezone(ctx.zone).date()
    ctx.keep(
        "upgrades",
        f"native:{number}",
        service_id=service.id,
        client_id=service.client_id,
        from_product_id=old,
        to_product_id=new,
        from_product=_name(ctx, old),
        to_product=service.product_name,
        cycle=cycle or service.cycle.value,
        charge=_amount(row.get("amount")),
        currency=client.currency,
        recurring=service.recurring,
        new_period=False,
        next_due=service.next_due,
        working=[],
        native=True,
        state="done",
        paid_on=day,
        created_at=ctx.now,
    )
    return {"upgrade": number, "service": service.id}


def _products(row: dict[str, object]) -> tuple[int, int, str]:
    old = read_id(str(row.get("originalvalue", "")).strip())
    new_text, _, cycle = str(row.get("newvalue", "")).partition(",")
    new = read_id(new_text.strip())
    if old is None or new is None:
        raise Skipped("the panel's upgrade row names no plans")
    return old, new, cycle.strip()


def _amount(value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise Skipped("the panel's upgrade row has no amount that was paid")
    return amount


def _name(ctx: Context, product_id: int) -> str:
    return ctx.panel.product(product_id).name
