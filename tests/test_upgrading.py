"""An executive's upgrade is ordered once, however often and by whomever it is asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from bridge import upgrading
from bridge.billing.model import Cycle
from bridge.demo.panel_example import PLAN_150
from bridge.store import tables


@pytest.fixture
def quoted(kit):
    """The manual's example: 100 paid for the year, the plan of 150."""
    return upgrading.price(kit.bridge.bench, 1, PLAN_150, None)


def rows(kit, table):
    with kit.bridge.store.read() as db:
        return db.execute(sa.select(table)).all()


def test_a_quote_without_a_cycle_is_for_the_cycle_the_service_has(quoted):
    assert quoted.quote.cycle is Cycle.ANNUALLY
    assert (str(quoted.quote.charge), quoted.to_name) == ("50.00", "Plan 150")


def test_nothing_is_ordered_beside_an_upgrade_in_the_panel_that_waits_to_be_paid(kit):
    native = kit.world.upgrade(1, PLAN_150)
    waiting = upgrading.price(kit.bridge.bench, 1, PLAN_150, None).quote
    kit.world.cancel_invoice(native.invoice.id)
    over = upgrading.price(kit.bridge.bench, 1, PLAN_150, None).quote

    assert (waiting.allowed, waiting.refusal) == (False, "upgrade_pending")
    assert "an open invoice of the panel's own" in waiting.reason
    assert str(over.charge) == "50.00"


@pytest.fixture
def forgotten(kit, quoted):
    """The invoice of an order that an older copy of the store does not have."""
    upgrading.order(kit.bridge.bench, quoted, "ana", "seed")
    kit.work()
    older_copy(kit)
    return max(kit.world.invoices)


def older_copy(kit):
    def put_back(db):
        db.execute(sa.delete(tables.upgrades))
        db.execute(sa.delete(tables.jobs).where(tables.jobs.c.key.like("upgrade:%")))

    kit.bridge.store.write(put_back)


def test_an_order_that_the_store_forgot_is_not_invoiced_a_second_time(kit, forgotten):
    quote = upgrading.price(kit.bridge.bench, 1, PLAN_150, None).quote
    kit.world.cancel_invoice(forgotten)
    over = upgrading.price(kit.bridge.bench, 1, PLAN_150, None).quote

    assert (quote.allowed, quote.refusal) == (False, "upgrade_pending")
    assert f"Invoice {forgotten} is of a plan change that is in no book" in quote.reason
    assert str(over.charge) == "50.00"


def test_what_was_paid_for_an_order_that_the_store_forgot_is_not_billed_again(
    kit, forgotten
):
    kit.world.pay_invoice(forgotten)
    quote = upgrading.price(kit.bridge.bench, 1, PLAN_150, None).quote

    assert (quote.allowed, quote.refusal) == (False, "not_priced")
    assert f"invoice {forgotten} is of a plan change in no book" in quote.reason


def test_the_same_seed_is_the_same_order(kit, quoted):
    first = upgrading.order(kit.bridge.bench, quoted, "ana", "seed")
    again = upgrading.order(kit.bridge.bench, quoted, "ana", "seed")

    assert first == again
    assert [row.id for row in rows(kit, tables.upgrades)] == [first]
    assert [row.key for row in rows(kit, tables.jobs)] == [f"upgrade:{first}/invoice"]
    assert [row.about for row in rows(kit, tables.audit)] == [first]


def test_another_seed_is_refused_while_the_first_order_is_pending(kit, quoted):
    upgrading.order(kit.bridge.bench, quoted, "ana", "seed")

    assert upgrading.order(kit.bridge.bench, quoted, "ana", "other") is None
    assert len(rows(kit, tables.jobs)) == 1


def test_the_same_seed_at_once_is_one_order_for_all(kit, bridge_for, quoted):
    bridges = [kit.bridge, bridge_for()]

    def ask(number: int) -> str | None:
        return upgrading.order(bridges[number % 2].bench, quoted, "ana", "seed")

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(ask, range(32)))

    assert [row.id for row in rows(kit, tables.upgrades)] == list(found)
    assert len(rows(kit, tables.jobs)) == 1


def test_many_at_once_make_one_order_with_one_job(kit, bridge_for, quoted):
    bridges = [kit.bridge, bridge_for()]

    def ask(number: int) -> str | None:
        bench = bridges[number % 2].bench
        return upgrading.order(bench, quoted, "ana", f"seed {number}")

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(32)))

    [made] = {id for id in found if id is not None}
    assert [row.id for row in rows(kit, tables.upgrades)] == [made]
    assert [row.parameters for row in rows(kit, tables.jobs)] == [{"order": made}]
    assert len(rows(kit, tables.audit)) == 1
