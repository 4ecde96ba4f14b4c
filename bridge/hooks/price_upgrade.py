"""price_upgrade: the price of a plan change, while the panel waits for it."""

from __future__ import annotations

from typing import Any

from bridge.billing.model import Cycle
from bridge.billing.money import decimal_text
from bridge.billing.upgrades import UpgradeQuote, quote
from bridge.errors import Parked
from bridge.events import read_id
from bridge.gather import begin_upgrade, native_pending, upgrade_case
from bridge.hooks import decision
from bridge.hooks.context import Context


@decision()
def price_upgrade(ctx: Context) -> tuple[Any, str]:
    """Answer the difference between the plans, or no opinion with the reason.

    OrderProductUpgradeOverride gets `{"price", "discount"}`, PreUpgradeCheckout
    `{"amount"}`. Raises Parked on any doubt: then the panel decides by itself.
    """
    event = ctx.event
    if event is None:
        raise Parked("no event, no price")
    if event.hookpoint == "PreUpgradeCheckout":
        product_id, cycle = _chosen_before(ctx)
    else:
        product_id, cycle = _chosen_now(ctx)
    priced = price(ctx, product_id, cycle)
    if not priced.allowed or priced.charge is None:
        return None, f"refused ({priced.refusal}): {priced.reason}"
    text = decimal_text(priced.charge, priced.currency)
    if event.hookpoint == "PreUpgradeCheckout":
        return {"amount": text}, priced.reason
    return {"price": text, "discount": "0.00"}, priced.reason


def price(
    ctx: Context, product_id: int, cycle: Cycle, *, order: str = ""
) -> UpgradeQuote:
    """Return the quote for the event's service, everything read from the panel.

    *order*: it is for this order of ours, beside which the panel has none.
    """
    facts = ctx.facts
    service = facts.service
    begin_upgrade(ctx.begin, service)
    facts.owners()
    ctx.client_id = service.client_id
    targets = ctx.event.context.get("upgrade_targets") if ctx.event else None
    pending = ctx.book.pending_order(service.id)
    case = upgrade_case(
        ctx.panel,
        service,
        facts.client,
        product_id,
        cycle,
        ctx.today,
        ctx.policies.upgrades,
        charges=ctx.book.paid_charges(service.id),
        pending=(pending is not None and not pending.native)
        or (bool(order) and native_pending(ctx.panel, service.client_id)),
        targets=targets,
        date_format=ctx.date_format,
        begin=ctx.begin,
        earlier_owners=ctx.book.earlier_owners(service.id),
        known=lambda one: one == order or ctx.book.order(one),
    )
    return quote(case)


def _chosen_now(ctx: Context) -> tuple[int, Cycle]:
    event = ctx.event
    assert event is not None
    product_id = event.identifier("newproductid")
    if product_id is None:
        raise Parked("the event names no new product")
    ctx.begin("product", product_id)
    if event.identifier("oldproductid") != ctx.facts.service.product_id:
        raise Parked(
            f"the panel prices a change from plan {event.value('oldproductid')}, but "
            f"service {ctx.facts.service.id} has plan {ctx.facts.service.product_id}"
        )
    return product_id, _cycle(str(event.value("newproductbillingcycle") or ""))


def _chosen_before(ctx: Context) -> tuple[int, Cycle]:
    """Return what was chosen: from the panel's own row, else as last priced."""
    upgrade = ctx.event.context.get("upgrade", {}) if ctx.event else {}
    if upgrade.get("newvalue"):
        chosen, _, cycle = str(upgrade["newvalue"]).partition(",")
        product_id = read_id(chosen.strip())
        same = read_id(upgrade.get("relid")) in (None, ctx.facts.service.id)
        if product_id is None or not same:
            raise Parked("the panel's upgrade row does not fit the service")
        return product_id, _cycle(cycle)
    last = ctx.book.last_price(ctx.facts.service.id)
    if last is None:
        raise Parked("which plan was chosen is not known: no price was asked before")
    return last[0], _cycle(last[1])


def _cycle(text: str) -> Cycle:
    try:
        return Cycle.read(text)
    except ValueError as error:
        raise Parked(f'no billing cycle "{text[:40]}"') from error
