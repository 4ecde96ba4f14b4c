"""Orders of plan changes by hand: they are listed, and one that waits is ended."""

from __future__ import annotations

import json

import pytest
from looking import rows, upgrade

from bridge import upgrading
from bridge.demo.panel_example import PLAN_150, PLAN_220
from bridge.hooks.records import step_key
from bridge.store import book, outbox, tables

SERVICE = 1


@pytest.fixture
def ordered(kit, shell):
    """An order whose invoice waits for its payment."""
    words = ("upgrade", "order", str(SERVICE), "--to", str(PLAN_150), "--yes")
    return json.loads(shell(*words, "--json").stdout)


@pytest.fixture
def with_staff(kit, ordered):
    """One that was paid while the service was suspended: nothing was applied."""
    with kit.world.muted():
        kit.world.suspend(SERVICE, "Mantenimiento")
    kit.world.pay_invoice(ordered["invoice_id"])
    kit.work()
    with kit.world.muted():
        kit.world.unsuspend(SERVICE)
    assert upgrade(kit, SERVICE).state == "staff"
    return ordered


def test_an_order_with_staff_is_found_and_ended(kit, shell, with_staff):
    listed = json.loads(shell("upgrade", "list", "--state", "staff", "--json").stdout)
    order = with_staff["order"]
    ended = shell("upgrade", "end", order, "--reason", "given back", "--yes")

    assert [(one["id"], one["charge"]) for one in listed] == [(order, "50.00")]
    assert "is Suspended" in listed[0]["reason"]
    assert f"Invoice {with_staff['invoice_id']} stays as it is" in ended.output
    assert upgrade(kit, SERVICE).state == "ended"
    assert upgrade(kit, SERVICE).reason == "ended by staff: given back"
    shell("upgrade", "quote", str(SERVICE), "--to", str(PLAN_150))


def test_what_was_paid_for_a_plan_that_was_changed_counts_after_its_order_ended(
    kit, shell, ordered
):
    kit.panel.faults.add("ModuleChangePackage", "html_500", times=100)
    kit.world.pay_invoice(ordered["invoice_id"])
    for _ in range(20):
        kit.advance(hours=6)
    assert upgrade(kit, SERVICE).state == "staff"

    shell("upgrade", "end", ordered["order"], "--reason", "done by hand", "--yes")
    quoted = shell("upgrade", "quote", str(SERVICE), "--to", str(PLAN_220), "--json")

    assert json.loads(quoted.stdout)["charge"] == "70.00"  # 220 - (100 + 50)


def test_who_ended_it_and_why_is_in_the_audit(kit, shell, with_staff):
    order = with_staff["order"]
    shell("upgrade", "end", order, "--reason", "given back", "--yes")

    act = rows(kit.bridge.store, tables.audit)[-1]
    assert (act.what, act.about) == ("end upgrade", order)
    assert act.detail == {"reason": "given back", "was": "staff"}


def test_what_is_ended_before_it_is_paid_is_told_to_staff_when_it_is(
    kit, shell, ordered
):
    shell("upgrade", "end", ordered["order"], "--reason", "a mistake", "--yes")
    kit.world.pay_invoice(ordered["invoice_id"])
    kit.work()

    assert kit.panel.count("UpdateClientProduct") == 0
    assert "after the order had ended" in upgrade(kit, SERVICE).reason


def test_it_asks_first(kit, shell, ordered):
    words = ("upgrade", "end", ordered["order"], "--reason", "a mistake")
    shell(*words, status=1, text="n\n")

    assert upgrade(kit, SERVICE).state == "invoiced"


def test_a_dry_run_ends_nothing(kit, shell, ordered):
    words = ("upgrade", "end", ordered["order"], "--reason", "a mistake")
    told = shell(*words, "--dry-run")

    assert "would end: Plan 100 -> Plan 150 (service 1)" in told.output
    assert upgrade(kit, SERVICE).state == "invoiced"


def test_a_reason_is_needed(shell, ordered):
    assert "--reason" in shell("upgrade", "end", ordered["order"], status=2).output


def test_what_is_over_or_unknown_is_a_sentence(shell, ordered):
    words = ("--reason", "a mistake", "--yes")
    shell("upgrade", "end", ordered["order"], *words)

    again = shell("upgrade", "end", ordered["order"], *words, status=1)
    unknown = shell("upgrade", "end", "nothing", *words, status=1)

    assert "It is ended: there is nothing to end." in again.output
    assert 'No plan change "nothing"' in unknown.output


def test_a_step_that_has_not_begun_is_taken_back(kit):
    quoted = upgrading.price(kit.bridge.bench, SERVICE, PLAN_150, None)
    id = upgrading.order(kit.bridge.bench, quoted, "ana", "seed")
    store, now = kit.bridge.store, kit.clock.now()
    with store.read() as db:
        row = book.order(db, id)

    ended = upgrading.end(store, row, "ana", "a mistake", now)
    kit.work()

    assert ended
    assert sum(kit.panel.invoices_created.values()) == 0
    assert upgrade(kit, SERVICE).state == "ended"


def test_one_that_is_worked_on_or_has_changed_is_not_ended(kit):
    quoted = upgrading.price(kit.bridge.bench, SERVICE, PLAN_150, None)
    id = upgrading.order(kit.bridge.bench, quoted, "ana", "seed")
    store, now = kit.bridge.store, kit.clock.now()
    with store.read() as db:
        row = book.order(db, id)
    key = step_key(id, "invoice")
    store.write(lambda db: db.execute(_state(key, "running")))
    busy = upgrading.end(store, row, "ana", "a mistake", now)
    store.write(lambda db: db.execute(_state(key, "waiting")))
    kit.work()
    changed = upgrading.end(store, row, "ana", "a mistake", now)

    assert (busy, changed) == (False, False)
    assert upgrade(kit, SERVICE).state == "invoiced"
    with store.read() as db:
        assert outbox.state_of(db, key) == "done"


def _state(key, state):
    return tables.jobs.update().where(tables.jobs.c.key == key).values(state=state)


def test_those_that_are_not_over_come_first(kit, shell, ordered):
    words = ("--yes", "--json")
    again = shell("upgrade", "order", "2", "--to", str(PLAN_220), *words)
    first = json.loads(again.stdout)["order"]
    shell("upgrade", "end", ordered["order"], "--reason", "a mistake", "--yes")

    listed = json.loads(shell("upgrade", "list", "--json").stdout)
    shown = shell("upgrade", "list").stdout

    assert [one["id"] for one in listed] == [first, ordered["order"]]
    assert [one["state"] for one in listed] == ["invoiced", "ended"]
    assert "50.00 ARS" in shown
