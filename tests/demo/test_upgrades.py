"""The panel's native upgrade, worked by hand."""

from decimal import Decimal

import pytest

from bridge.demo.panel_example import FREE, PLAN_100, PLAN_150, PLAN_220, RADIO_PRO
from bridge.demo.panel_upgrades import UpgradeRefusedError

ANAS_PLAN, BRUNOS_PLAN, CARLAS_RADIO, FREE_PLAN = 1, 2, 3, 9


def answering(**returns):
    """Return a bridge that answers each question, by hookpoint, and nothing else."""
    return lambda hook: returns.get(hook.type)


def test_without_an_opinion_the_panel_charges_by_days(world):
    ordered = world.upgrade(ANAS_PLAN, PLAN_150)

    # 2026-11-20 to 2027-05-20 are 181 days of 365: 50 * 181 / 365
    assert ordered.price.days == 181
    assert ordered.price.price == Decimal("24.79")
    assert ordered.invoice.total == Decimal("24.79")


def test_into_another_cycle_each_price_counts_by_the_days_of_its_own(world):
    ordered = world.upgrade(BRUNOS_PLAN, PLAN_150, "annually")

    # 18 of 30 days of 10.00 are left: 6.00; of 150.00 a year they cost 7.40
    assert ordered.price.price == Decimal("1.40")


def test_the_price_of_the_bridge_replaces_the_panels(world):
    world.decide = answering(
        OrderProductUpgradeOverride={"price": "50.00", "discount": "0.00"}
    )

    ordered = world.upgrade(ANAS_PLAN, PLAN_150)

    assert ordered.invoice.total == Decimal("50.00")
    assert ordered.price.overridden


def test_the_amount_at_checkout_has_the_last_word(world):
    world.decide = answering(
        OrderProductUpgradeOverride={"price": "50.00"},
        PreUpgradeCheckout={"amount": "49.00"},
    )

    assert world.upgrade(ANAS_PLAN, PLAN_150).invoice.total == Decimal("49.00")


@pytest.mark.parametrize("answer", [[], "50", {"price": "a lot"}, {"price": True}, {}])
def test_an_answer_of_another_kind_is_no_opinion(world, answer):
    world.decide = answering(OrderProductUpgradeOverride=answer)

    assert world.upgrade(ANAS_PLAN, PLAN_150).price.price == Decimal("24.79")


def test_sentences_of_the_bridge_stop_it_before_anything_is_made(world):
    world.decide = answering(ShoppingCartValidateUpgrade=["No es posible."])

    with pytest.raises(UpgradeRefusedError) as caught:
        world.upgrade(ANAS_PLAN, PLAN_150)

    assert caught.value.sentences == ("No es posible.",)
    assert not world.upgrades


def test_the_questions_come_in_order_and_name_the_service(world):
    asked = []
    world.decide = asked.append

    world.upgrade(ANAS_PLAN, PLAN_150)

    assert [hook.type for hook in asked] == [
        "ShoppingCartValidateUpgrade",
        "OrderProductUpgradeOverride",
        "PreUpgradeCheckout",
    ]
    assert {hook.context["service_id"] for hook in asked} == {ANAS_PLAN}
    assert asked[0].context["upgrade_targets"] == [PLAN_150, PLAN_220]
    assert "serviceid" not in asked[1].data


def test_nothing_changes_until_the_invoice_is_paid(world):
    ordered = world.upgrade(ANAS_PLAN, PLAN_150)
    service = world.services[ANAS_PLAN]
    before, due = service.pid, service.nextduedate

    world.pay_invoice(ordered.invoice.id)

    assert (before, service.pid) == (PLAN_100, PLAN_150)
    assert service.recurringamount == Decimal("150.00")
    assert service.nextduedate == due
    assert world.count("package_change", ANAS_PLAN) == 1


def test_what_was_upgraded_is_told_with_the_row_of_the_table(world):
    ordered = world.upgrade(ANAS_PLAN, PLAN_150)

    world.pay_invoice(ordered.invoice.id)

    told = [hook for hook in world.fired if hook.type == "AfterProductUpgrade"]
    assert told[0].data == {"upgradeid": ordered.upgrade.id}
    assert told[0].context["upgrade"] == {
        "relid": ANAS_PLAN,
        "type": "package",
        "originalvalue": "21",
        "newvalue": "22,annually",
        "amount": "24.79",
        "status": "Completed",
    }


def test_a_second_upgrade_waits_for_the_first_to_be_paid(world):
    world.upgrade(ANAS_PLAN, PLAN_150)

    with pytest.raises(UpgradeRefusedError, match="still unpaid"):
        world.upgrade(ANAS_PLAN, PLAN_220)


def test_an_upgrade_for_nothing_is_done_at_once_without_an_invoice(world):
    world.decide = answering(OrderProductUpgradeOverride={"price": "0.00"})

    ordered = world.upgrade(ANAS_PLAN, PLAN_150)

    assert ordered.invoice is None
    assert world.services[ANAS_PLAN].pid == PLAN_150


def test_from_a_free_plan_all_is_due_and_the_period_begins_today(world):
    ordered = world.upgrade(FREE_PLAN, PLAN_150)

    world.pay_invoice(ordered.invoice.id)

    assert ordered.invoice.total == Decimal("150.00")
    assert world.services[FREE_PLAN].nextduedate.isoformat() == "2027-11-20"
    assert world.products[FREE].paytype == "free"


def test_a_cycle_that_is_not_sold_is_refused(world):
    with pytest.raises(UpgradeRefusedError, match="cycle"):
        world.upgrade(CARLAS_RADIO, RADIO_PRO, "Annually")


def test_what_is_not_offered_is_refused(world):
    with pytest.raises(UpgradeRefusedError, match="offered"):
        world.upgrade(ANAS_PLAN, RADIO_PRO)
