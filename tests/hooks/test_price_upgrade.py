"""What the panel is answered while its client waits: the table of the rules.

Each row is set up in the panel's own world and asked as the panel asks: through
`ShoppingCartValidateUpgrade`, `OrderProductUpgradeOverride`, `PreUpgradeCheckout`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from conftest import Kit

from bridge.demo.panel_example import (
    DESIGN,
    MAILBOXES_PRO,
    PLAN_100,
    PLAN_150,
    PLAN_220,
    VPS_PRO,
    running,
)
from bridge.demo.panel_rows import Line
from bridge.demo.panel_upgrades import UpgradeRefusedError
from bridge.demo.world import World
from bridge.gather import FURTHEST

ANA, BRUNO, DIEGO = 1, 2, 4
ANNUAL, MONTHLY, ELENAS, GRATIS, VPS_PAID = 1, 2, 5, 9, 10


def as_it_is(world: World) -> int:
    return ANNUAL


def one_day_left(world: World) -> int:
    return running(
        world, ANA, PLAN_100, "Annually", world.clock.today() - timedelta(days=364)
    ).id


def a_month_plan(world: World) -> int:
    return MONTHLY


def with_a_promotion(world: World) -> int:
    service = world.add_service(
        ANA, PLAN_100, "Annually", nextduedate=date(2026, 5, 2), domain="p.example.com"
    )
    invoice = world.generate_renewal(service.id, discount=Decimal(50))
    world.pay_invoice(invoice.id)
    return service.id


def with_a_setup_fee(world: World) -> int:
    """The panel's cron puts the fee into the line of the first period."""
    world.products[PLAN_100].setup = Decimal("40.00")
    service = world.add_service(ANA, PLAN_100, "Annually", domain="s.example.com")
    invoice = world.generate_renewal(service.id, amount=Decimal(140))
    world.pay_invoice(invoice.id)
    return service.id


def renewal_raised(world: World) -> int:
    world.service(ANNUAL).recurringamount = Decimal("130.00")
    world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal("180.00")
    return ANNUAL


def free(world: World) -> int:
    return GRATIS


def same_price(world: World) -> int:
    world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal("100.00")
    return ANNUAL


def half_a_cent(world: World) -> int:
    world.products[PLAN_100].prices["ARS"]["Annually"] = Decimal("99.99")
    world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal("149.995")
    return running(world, ANA, PLAN_100, "Annually", date(2026, 5, 2)).id


def three_of_them(world: World) -> int:
    return ELENAS


TABLE = [
    ("row-1", as_it_is, PLAN_150, "Annually", "50.00"),
    ("row-2", one_day_left, PLAN_150, "Annually", "50.00"),
    ("row-3", a_month_plan, PLAN_220, "Monthly", "15.00"),
    ("row-4", a_month_plan, PLAN_150, "Annually", "140.00"),
    ("row-6", with_a_promotion, PLAN_150, "Annually", "100.00"),
    ("setup-fee", with_a_setup_fee, PLAN_150, "Annually", "50.00"),
    ("row-7", renewal_raised, PLAN_150, "Annually", "80.00"),
    ("row-9", free, PLAN_150, "Annually", "150.00"),
    ("row-10", same_price, PLAN_150, "Annually", "0.00"),
    ("row-11", half_a_cent, PLAN_150, "Annually", "50.01"),
    ("row-12", three_of_them, MAILBOXES_PRO, "Monthly", "45000.00"),
]


@pytest.mark.parametrize(
    ("make", "to", "cycle", "due"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_only_the_difference_is_charged(
    kit: Kit, make: Callable[[World], int], to: int, cycle: str, due: str
) -> None:
    with kit.world.muted():
        service = make(kit.world)

    ordered = kit.world.upgrade(service, to, cycle)

    assert ordered.price.overridden
    assert ordered.upgrade.amount == Decimal(due)
    assert (ordered.invoice is None) == (due == "0.00")
    assert kit.panel.refused == []


def test_row_8_a_native_upgrade_paid_before_counts(kit: Kit) -> None:
    first = kit.world.upgrade(ANNUAL, PLAN_150)
    assert first.invoice is not None
    kit.world.pay_invoice(first.invoice.id)
    kit.work()
    kit.clock.advance(timedelta(days=30))

    second = kit.world.upgrade(ANNUAL, PLAN_220)

    assert second.upgrade.amount == Decimal("70.00")


def test_row_5_a_cycle_that_costs_less_gets_no_price_from_us(kit: Kit) -> None:
    """Neither in the client area, which asks first, nor through the API."""
    with pytest.raises(UpgradeRefusedError):
        kit.world.upgrade(ANNUAL, PLAN_150, "Monthly")
    kit.world.price_upgrade(kit.world.service(ANNUAL), PLAN_150, "Monthly", "api")

    answer = next(d for d in kit.outbox.decisions if d.type.startswith("Order"))
    assert answer.value is None
    assert "downgrade" in answer.reason


def test_a_smaller_plan_is_refused_in_the_clients_language(kit: Kit) -> None:
    with pytest.raises(UpgradeRefusedError) as refused:
        kit.world.upgrade(4, PLAN_100)  # Diego has the plan of 150, in Portuguese

    assert len(refused.value.sentences) == 1
    assert "plano" in refused.value.sentences[0].casefold()


def test_an_open_invoice_of_the_service_refuses(kit: Kit) -> None:
    with kit.world.muted():
        kit.world.generate_renewal(MONTHLY)

    with pytest.raises(UpgradeRefusedError, match="factura"):
        kit.world.upgrade(MONTHLY, PLAN_220, "Monthly")


def billed_for_other_things(world: World, client: int) -> None:
    """Bill and have paid more than what is looked through for a price."""
    for _ in range(FURTHEST + 1):
        line = Line("Otra cosa", Decimal(5), "", 0)
        world.pay_invoice(world.create_invoice(client, [line]).id)


def test_an_open_invoice_of_the_service_refuses_however_old_it_is(kit: Kit) -> None:
    with kit.world.muted():
        kit.world.generate_renewal(MONTHLY)
        billed_for_other_things(kit.world, BRUNO)

    with pytest.raises(UpgradeRefusedError, match="factura"):
        kit.world.upgrade(MONTHLY, PLAN_220, "Monthly")


def too_far_back(world: World) -> int:
    service = with_a_promotion(world)
    billed_for_other_things(world, ANA)
    return service


def paid_months_ahead(world: World) -> int:
    for _ in range(4):
        world.pay_invoice(world.generate_renewal(MONTHLY).id)
    return MONTHLY


def given_back(world: World) -> int:
    [one] = [i for i in world.invoices_of(BRUNO) if i.items[0].relid == MONTHLY]
    world.refund_invoice(one.id)
    return MONTHLY


@pytest.mark.parametrize("make", [too_far_back, paid_months_ahead, given_back])
def test_where_what_was_paid_was_not_found_nothing_is_guessed(
    kit: Kit, make: Callable[[World], int]
) -> None:
    with kit.world.muted():
        service = make(kit.world)
    cycle = kit.world.service(service).billingcycle

    with pytest.raises(UpgradeRefusedError, match="calcular con certeza"):
        kit.world.upgrade(service, PLAN_220, cycle)


def test_options_that_cost_extra_refuse(kit: Kit) -> None:
    with pytest.raises(UpgradeRefusedError):
        kit.world.upgrade(VPS_PAID, VPS_PRO, "Monthly")


def test_a_one_time_service_is_refused(kit: Kit) -> None:
    kit.world.products[DESIGN].upgrades = (PLAN_150,)
    with pytest.raises(UpgradeRefusedError):
        kit.world.upgrade(8, PLAN_150, "Monthly")


def test_with_the_panel_away_there_is_no_opinion(kit: Kit) -> None:
    with kit.panel.faults.outage_now():
        ordered = kit.world.upgrade(ANNUAL, PLAN_150)

    assert not ordered.price.overridden
    assert {decision.value for decision in kit.outbox.decisions} == {None}
    assert all(decision.reason for decision in kit.outbox.decisions)


def test_a_decision_changes_nothing_at_the_panel(kit: Kit) -> None:
    kit.world.upgrade(ANNUAL, PLAN_150)

    assert {call.action for call in kit.panel.calls} <= READING


READING = {
    "GetClientsProducts",
    "GetClientsDetails",
    "GetProducts",
    "GetInvoices",
    "GetInvoice",
}
