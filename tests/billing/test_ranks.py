"""Which of two plans is the lower one."""

from decimal import Decimal

import pytest

from bridge.billing.model import (
    Cycle,
    Product,
)
from bridge.billing.upgrades import is_downgrade

from .builders import (
    ANNUALLY,
    MONTHLY,
    NEW,
    OLD,
    product,
    service,
)

RANKS = {
    "lower price": (product(NEW, annually="99"), ANNUALLY, (), True),
    "same price": (product(NEW, annually="100"), ANNUALLY, (), False),
    "higher price": (product(NEW, annually="101"), ANNUALLY, (), False),
    "the chosen cycle decides": (
        product(NEW, monthly="9", annually="101"), MONTHLY, (), True),
    "a cycle both are sold for": (
        product(NEW, monthly="9", quarterly="500"), Cycle.QUARTERLY, (), True),
    "a ladder comes before prices": (
        product(NEW, annually="99"), ANNUALLY, ((OLD, NEW),), False),
    "a ladder with one of them says nothing": (
        product(NEW, annually="99"), ANNUALLY, ((OLD, 30), (NEW, 31)), True),
    "nobody can say": (product(NEW, triennially="9"), Cycle.TRIENNIALLY, (), None),
    "the plan itself": (product(OLD, monthly="1"), MONTHLY, (), False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("new", "cycle", "ladders", "lower"), RANKS.values(), ids=RANKS
)
def test_a_plan_that_ranks_lower_is_a_downgrade(new, cycle, ladders, lower):
    old = product(OLD, monthly="10", annually="100")

    got = is_downgrade(
        service(), old, new, currency="USD", cycle=cycle, ladders=ladders
    )

    assert got is lower


def test_a_plan_no_longer_sold_is_compared_by_what_the_client_pays_for_one():
    of = service(quantity=2, recurring=Decimal(200))
    new = product(NEW, annually="150")

    got = is_downgrade(of, Product(OLD, "Old"), new, currency="USD", cycle=ANNUALLY)

    assert got is False
