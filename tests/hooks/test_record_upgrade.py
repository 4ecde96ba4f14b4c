"""What counts as paid for a native upgrade is what a paid invoice says."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from looking import job, rows

from bridge.store import book, tables

SERVICE, CLIENT, OLD, NEW = 1, 2, 21, 22


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
