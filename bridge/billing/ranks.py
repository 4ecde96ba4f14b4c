"""Tell which of two plans is the lower one."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from bridge.billing.model import Cycle, Product, Service


def is_downgrade(
    service: Service,
    old_product: Product,
    new_product: Product,
    *,
    currency: str,
    cycle: Cycle,
    ladders: Iterable[tuple[int, ...]] = (),
) -> bool | None:
    """Tell whether the new plan ranks lower; None where nobody can say.

    A ladder that lists both plans decides. Else the lower price for the same
    cycle: the one chosen, the service's, or the shortest that both are sold for.
    """
    if old_product.id == new_product.id:
        return False
    for ladder in ladders:
        if old_product.id in ladder and new_product.id in ladder:
            return ladder.index(new_product.id) < ladder.index(old_product.id)
    if service.cycle is Cycle.FREE:
        return False
    if cycle is Cycle.FREE:
        return True
    for same in (cycle, service.cycle, *Cycle):
        new = list_price(new_product, currency, same)
        old = _old_price(service, old_product, currency, same)
        if new is not None and old is not None:
            return new < old
    return None


def list_price(product: Product, currency: str, cycle: Cycle) -> Decimal | None:
    """Return the price of one unit, or None; the panel's -1.00 is none."""
    if cycle is Cycle.FREE:
        return Decimal(0) if product.pay_type == "free" else None
    price = product.price(currency, cycle)
    sold = price is not None and price.is_finite() and price >= 0
    return price if sold and product.pay_type != "free" else None


def _old_price(
    service: Service, product: Product, currency: str, cycle: Cycle
) -> Decimal | None:
    """Return the old plan's price; of one no longer sold, what this client pays."""
    listed = list_price(product, currency, cycle)
    if listed is None and cycle is service.cycle and service.quantity > 0:
        return service.recurring / service.quantity
    return listed
