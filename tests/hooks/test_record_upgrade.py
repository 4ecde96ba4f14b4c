"""What counts as paid for a native upgrade is what a paid invoice says."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from looking import cancellation, job, rows, staff_lines

from bridge.store import book, outbox, tables

SERVICE, CLIENT, OLD, NEW = 1, 2, 21, 22
MONTHLY = 2  # Bruno's: the plan of 10 a month


def told(kit: Kit, number: int = 77, **more: Any) -> None:
    row = {
        "relid": SERVICE,
        "type": "package",
        "originalvalue": str(OLD),
        "newvalue": f"{NEW},annually",
        "amount": "30.00",
        "status": "Completed",
    }
    kit.world.fire(
        "AfterProductUpgrade", {"upgradeid": number}, "client", upgrade=row | more
    )
    kit.work()


def recorded(kit: Kit) -> list[Any]:
    return rows(kit.bridge.store, tables.upgrades)


def test_the_charge_of_a_paid_invoice_counts(kit: Kit) -> None:
    ordered = kit.world.upgrade(SERVICE, NEW)
    assert ordered.invoice is not None
    kit.world.pay_invoice(ordered.invoice.id)
    kit.work()

    (row,) = recorded(kit)
    assert (row.charge, row.paid_on) == (Decimal("50.00"), kit.clock.today())
    assert row.invoice_id == ordered.invoice.id


def test_the_charge_of_an_invoice_that_was_refunded_since_counts_no_more(
    kit: Kit,
) -> None:
    ordered = kit.world.upgrade(SERVICE, NEW)
    assert ordered.invoice is not None
    kit.world.pay_invoice(ordered.invoice.id)
    kit.work()
    kit.world.refund_invoice(ordered.invoice.id)
    kit.work()
    kit.world.decide = kit.outbox.ask
    price = kit.world.upgrade(SERVICE, 25).price

    assert price.due == Decimal("120.00")  # 220 - 100


def test_a_charge_that_no_paid_invoice_shows_does_not_count(kit: Kit) -> None:
    kit.world.service(SERVICE).pid = NEW
    told(kit)
    waiting = job(kit, "/record-upgrade").state
    kit.advance(minutes=11)

    (row,) = recorded(kit)
    assert waiting == "waiting"
    assert (row.charge, row.paid_on) == (Decimal("30.00"), None)
    with kit.bridge.store.read() as db:
        assert book.paid_charges(db, SERVICE) == []


def test_a_plan_that_the_panel_does_not_show_is_not_recorded(kit: Kit) -> None:
    told(kit)
    kit.advance(minutes=11)

    assert recorded(kit) == []
    assert job(kit, "/record-upgrade").state == "skipped"
    assert "plan 21, not 22" in job(kit, "/record-upgrade").reason


@pytest.mark.parametrize("amount", ["1e2", "-5.00", "NaN", "", " 5", "٣"])
def test_an_amount_that_is_none_is_not_recorded(kit: Kit, amount: str) -> None:
    kit.world.service(SERVICE).pid = NEW
    told(kit, amount=amount)

    assert recorded(kit) == []
    assert "no amount" in job(kit, "/record-upgrade").reason


def test_a_free_change_costs_nothing_and_asks_for_no_invoice(kit: Kit) -> None:
    kit.world.service(SERVICE).pid = NEW
    told(kit, amount="0.00")
    kit.clock.advance(timedelta(seconds=1))

    (row,) = recorded(kit)
    assert (row.charge, row.paid_on) == (Decimal(0), None)
    assert kit.panel.count("GetInvoice") == 0


def to_a_year(kit: Kit) -> None:
    """Have the monthly plan of 10 changed to the annual one of 150, and paid."""
    kit.world.decide = kit.outbox.ask
    ordered = kit.world.upgrade(MONTHLY, NEW, "Annually")
    kit.world.pay_invoice(ordered.invoice.id)
    kit.work()


def test_staff_are_told_of_the_due_date_that_a_longer_cycle_should_have(
    kit: Kit,
) -> None:
    to_a_year(kit)

    (row,) = recorded(kit)
    (line,) = staff_lines(kit)
    assert (row.charge, row.paid_on) == (Decimal("140.00"), date(2026, 11, 2))
    assert f"service {MONTHLY}: it is paid annually now, but due on 2026-11-21" in line
    assert "set that to 2027-11-02" in line


def test_once_staff_set_it_the_service_ends_with_the_year_it_paid(kit: Kit) -> None:
    to_a_year(kit)
    kit.world.service(MONTHLY).nextduedate = date(2027, 11, 2)
    key = job(kit, "/record-upgrade").key
    kit.bridge.store.write(lambda db: outbox.again(db, kit.clock.now(), keys=[key]))
    kit.clock.advance(timedelta(days=60))
    kit.world.request_cancellation(MONTHLY)
    kit.work()

    assert job(kit, "/record-upgrade").state == "done"
    assert cancellation(kit, MONTHLY).ends == date(2027, 11, 1)


def test_a_change_within_the_same_cycle_needs_nobody(kit: Kit) -> None:
    kit.world.decide = kit.outbox.ask
    ordered = kit.world.upgrade(MONTHLY, 25, "Monthly")
    kit.world.pay_invoice(ordered.invoice.id)
    kit.work()

    assert [row.paid_on for row in recorded(kit)] == [kit.clock.today()]
    assert staff_lines(kit) == []
