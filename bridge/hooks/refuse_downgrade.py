"""refuse_downgrade: what must not be ordered, before the panel prices it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bridge.billing.model import Cycle, Refusal
from bridge.billing.upgrades import UpgradeCase, quote
from bridge.errors import Parked
from bridge.gather import begin_upgrade, upgrade_case
from bridge.hooks import decision
from bridge.hooks.context import Context

#: These need the cycle, which ShoppingCartValidateUpgrade itself does not tell.
_WITH_THE_CYCLE = frozenset({Refusal.CYCLE_NOT_SOLD, Refusal.COSTS_LESS})


@decision()
def refuse_downgrade(ctx: Context) -> tuple[Any, str]:
    """Answer a list of sentences in the client's language; an empty one lets pass.

    Where the add-on says which cycle the client's form asks for, this is the last
    word: what is not priced later would be priced by the panel alone. Without it,
    what is refused for each cycle that the plan is sold for is refused here.
    """
    event = ctx.event
    product_id = event.identifier("pid") if event else None
    if event is None or product_id is None:
        raise Parked("the event names no plan")
    ctx.begin("product", product_id)
    service = ctx.facts.service
    begin_upgrade(ctx.begin, service)
    ctx.facts.owners()
    ctx.client_id = service.client_id
    order = ctx.book.pending_order(service.id)
    case = upgrade_case(
        ctx.panel,
        service,
        ctx.facts.client,
        product_id,
        service.cycle,
        ctx.today,
        ctx.policies.upgrades,
        charges=ctx.book.paid_charges(service.id),
        pending=order is not None and not order.native,
        targets=event.context.get("upgrade_targets"),
        date_format=ctx.date_format,
        begin=ctx.begin,
        earlier_owners=ctx.book.earlier_owners(service.id),
    )
    refusal, reason = _refusal(case, _chosen(str(event.context.get("billing_cycle"))))
    if refusal is None:
        return [], "nothing speaks against it"
    name = f"refusal_{refusal.value}"
    language = ctx.facts.language
    variables = ctx.facts.variables(ctx.post.uses(name), language)
    sentence = ctx.post.render(name, language, variables).text
    return [sentence], f"refused ({refusal.value}): {reason}"


def _chosen(text: str) -> Cycle | None:
    try:
        return Cycle.read(text)
    except ValueError:
        return None


def _refusal(case: UpgradeCase, chosen: Cycle | None) -> tuple[Refusal | None, str]:
    """Return why the chosen cycle, or else every cycle, is refused; None if not."""
    if chosen is not None:
        found = quote(replace(case, cycle=chosen))
        return found.refusal, found.reason
    first: tuple[Refusal | None, str] = (None, "")
    for cycle in _cycles(case):
        found = quote(replace(case, cycle=cycle))
        if found.refusal is None or found.refusal in _WITH_THE_CYCLE:
            return None, ""
        if first[0] is None:
            first = (found.refusal, found.reason)
    return first


def _cycles(case: UpgradeCase) -> list[Cycle]:
    sold = list(case.new_product.prices.get(case.currency, {}))
    own = case.service.cycle
    return (
        [own, *(cycle for cycle in sold if cycle is not own)]
        if own in sold
        else (sold or [own])
    )
