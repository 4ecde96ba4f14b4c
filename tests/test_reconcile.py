"""Book and panel are compared: no hook is lost for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import CONFIG, Kit
from looking import cancellation, job, rows, staff_lines, texts

from bridge import wiring
from bridge.errors import RemoteError
from bridge.reconcile import reconcile, withdraw
from bridge.store import tables


def compare(kit: Kit, *, dry_run: bool = False) -> list[tuple[str, int]]:
    report = reconcile(kit.bridge.bench, dry_run=dry_run)
    return [(one.what, one.service_id) for one in report.differences]


@pytest.fixture
def unheard(kit: Kit) -> Kit:
    """A request of service 2 whose delivery never came."""
    kit.world.request_cancellation(2, "Immediate")
    kit.outbox._rows.clear()
    return kit


def test_a_request_never_heard_of_is_taken_up_once(unheard: Kit) -> None:
    first = compare(unheard)
    unheard.work()
    second = compare(unheard)
    unheard.work()
    unheard.advance(hours=10)

    assert first == [("taken up", 2)]
    assert second == []
    assert texts(unheard)[0] == "cancellation_scheduled_now"
    assert unheard.panel.terminations == {2: 1}


def test_two_comparisons_before_the_work_take_it_up_once(unheard: Kit) -> None:
    compare(unheard)
    compare(unheard)
    unheard.work()

    assert len(unheard.events()) == 1


def test_one_that_was_on_no_list_when_it_was_taken_up_is_taken_up_anew(
    unheard: Kit,
) -> None:
    compare(unheard)
    ((number, request),) = unheard.world.cancellations.items()
    del unheard.world.cancellations[number]
    for _ in range(3):  # a panel in trouble lists nothing for a while
        unheard.advance(minutes=6)
    skipped = job(unheard, "/cancel-now")
    unheard.world.cancellations[number] = request
    again = compare(unheard)
    unheard.work()
    known = compare(unheard)
    unheard.advance(hours=10)

    assert "lists no cancellation request" in skipped.reason
    assert again == [("taken up", 2)]
    assert known == []
    assert texts(unheard)[0] == "cancellation_scheduled_now"
    assert unheard.panel.terminations == {2: 1}


def test_one_that_met_a_map_without_its_rule_is_taken_up_anew_by_the_next(
    unheard: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Any
) -> None:
    whole = (CONFIG / "hooks.yaml").read_text("utf-8")
    rules = whole[
        whole.index("  CancellationRequest:\n") : whole.index("  # --- Presup")
    ]
    before = replace(unheard, bridge=bridge_for(config_dir=config_with((rules, ""))))
    for _ in range(2):
        compare(before)
        before.work()
    ruled_by_none = len(unheard.events())
    again = compare(unheard)
    unheard.work()
    unheard.advance(hours=10)

    assert ruled_by_none == 1
    assert again == [("taken up", 2)]
    assert texts(unheard)[0] == "cancellation_scheduled_now"
    assert unheard.panel.terminations == {2: 1}


def test_an_immediate_request_never_heard_of_comes_before_a_later_end(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    with kit.world.muted():
        kit.world.withdraw_cancellation(2)
        kit.world.request_cancellation(2, "Immediate")
    first, second = reconcile(kit.bridge.bench), reconcile(kit.bridge.bench)
    kit.work()
    third = reconcile(kit.bridge.bench)
    kit.advance(hours=11)

    assert [one.what for one in first.differences] == ["taken up"]
    assert [one.what for one in second.differences] == ["taken up"]
    assert third.differences == []
    assert cancellation(kit, 2).kind == "immediate"
    assert kit.panel.terminations == {2: 1}


def test_the_delivery_that_comes_after_all_is_a_repetition(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    late = kit.outbox._rows[:]
    kit.outbox._rows.clear()
    compare(kit)
    kit.work()
    kit.outbox._rows.extend(late)
    kit.work()
    kit.advance(hours=10)

    assert texts(kit).count("cancellation_scheduled_now") == 1
    assert kit.panel.terminations == {2: 1}


def test_a_request_that_vanished_is_withdrawn_and_told(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.clock.advance(timedelta(minutes=16))
    first = compare(kit)
    at_once = compare(kit)
    kit.clock.advance(timedelta(minutes=15))
    found = compare(kit)
    kit.work()
    kit.advance(hours=10)

    assert (first, at_once) == ([("missing", 2)], [])
    assert found == [("withdrawn", 2)]
    assert cancellation(kit, 2).state == "withdrawn"
    assert job(kit, "/terminate").state == "withdrawn"
    assert "cancellation_withdrawn" in texts(kit)
    assert kit.panel.count("ModuleTerminate") == 0


def test_a_young_one_is_not_withdrawn_yet(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.withdraw_cancellation(2)

    assert compare(kit) == []


def test_one_changed_a_moment_ago_is_young_too(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.clock.advance(timedelta(hours=2))
    kit.world.withdraw_cancellation(2)
    request = kit.world.request_cancellation(2, "Immediate")
    kit.work()
    del kit.world.cancellations[request.id]  # as on a list read before it was made

    assert compare(kit) == []


def test_a_newer_request_of_the_same_service_keeps_it(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.world.request_cancellation(2)
    kit.clock.advance(timedelta(minutes=16))

    assert compare(kit) == []
    assert cancellation(kit, 2).state == "scheduled"


@pytest.mark.parametrize("kind", ["html_500", "cut", "null", "wrong_type", "empty"])
def test_after_an_incomplete_pass_nothing_is_withdrawn(kit: Kit, kind: str) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.clock.advance(timedelta(minutes=16))
    kit.panel.faults.add("GetCancelledPackages", kind)

    with pytest.raises(RemoteError):
        compare(kit)
    assert cancellation(kit, 2).state == "scheduled"


def asked_for(kit: Kit, *services: int) -> dict[int, Any]:
    for service in services:
        kit.world.request_cancellation(service)
    kit.work()
    kit.clock.advance(timedelta(minutes=16))
    return dict(kit.world.cancellations)


def test_a_row_that_one_list_missed_is_not_withdrawn(kit: Kit) -> None:
    listed = asked_for(kit, 2)
    kit.world.cancellations.clear()
    missed = compare(kit)
    kit.world.cancellations.update(listed)
    kit.clock.advance(timedelta(minutes=15))
    back = compare(kit)
    kit.world.cancellations.clear()
    missed_again = compare(kit)

    assert (missed, back, missed_again) == ([("missing", 2)], [], [("missing", 2)])
    assert cancellation(kit, 2).state == "scheduled"


def test_what_was_withdrawn_as_missing_comes_back_when_it_is_listed_again(
    kit: Kit,
) -> None:
    listed = asked_for(kit, 2)
    kit.world.cancellations.clear()
    compare(kit)
    kit.clock.advance(timedelta(minutes=15))
    assert compare(kit) == [("withdrawn", 2)]
    kit.world.cancellations.update(listed)

    assert compare(kit) == [("taken up", 2)]
    kit.work()
    row = cancellation(kit, 2)
    assert (row.state, row.missing_at) == ("scheduled", None)
    assert job(kit, "/terminate").state == "waiting"
    kit.clock.set(row.at)
    kit.work()
    assert kit.panel.terminations == {2: 1}


def test_one_that_came_back_is_reminded_of_as_well(kit: Kit) -> None:
    listed = asked_for(kit, 2)
    kit.world.cancellations.clear()
    compare(kit)
    kit.clock.advance(timedelta(minutes=15))
    compare(kit)
    kit.world.cancellations.update(listed)
    compare(kit)
    kit.work()
    kit.clock.set(kit.clock.at(cancellation(kit, 2).ends - timedelta(days=7), 10))
    kit.work()

    assert texts(kit).count("cancellation_reminder") == 1


def test_what_staff_withdrew_does_not_come_back(kit: Kit) -> None:
    asked_for(kit, 2)
    row = cancellation(kit, 2)
    kit.bridge.store.write(lambda db: withdraw(db, row, "by staff", kit.clock.now()))

    assert compare(kit) == []
    kit.work()
    assert cancellation(kit, 2).state == "withdrawn"


def test_when_most_vanish_at_once_nothing_is_withdrawn_and_staff_are_told(
    kit: Kit,
) -> None:
    listed = asked_for(kit, 1, 2, 3, 11)
    kit.world.cancellations.clear()
    assert {what for what, _ in compare(kit)} == {"missing"}
    kit.clock.advance(timedelta(minutes=15))

    assert compare(kit) == [("too many", 0)]
    assert compare(kit) == [("too many", 0)]
    kit.work()
    states = {row.state for row in rows(kit.bridge.store, tables.cancellations)}
    assert states == {"scheduled"}
    assert [line for line in staff_lines(kit) if "4 requests vanished" in line] != []
    assert len(staff_lines(kit)) == 1
    kit.world.cancellations.update(listed)
    assert compare(kit) == []


def test_a_row_that_cannot_be_read_stops_nobody_else(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    other = kit.world.request_cancellation(3)
    kit.outbox._rows.clear()
    other.relid = "x7"  # type: ignore[assignment] # as an import may have left it
    assert compare(kit) == [("unreadable", 0)]
    kit.clock.set(cancellation(kit, 2).at)
    kit.work()

    assert kit.panel.terminations == {2: 1}


def test_what_is_being_carried_out_is_left_alone(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.world.break_module(2, "Terminate")
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.clock.advance(timedelta(minutes=16))

    assert cancellation(kit, 2).state == "acting"
    assert compare(kit) == []


def test_a_request_of_a_service_that_is_over_is_remembered(unheard: Kit) -> None:
    unheard.world.terminate(2)
    unheard.outbox._rows.clear()
    first = compare(unheard)
    asked = unheard.panel.count("GetClientsProducts")
    second = compare(unheard)

    assert (first, second) == ([], [])
    assert unheard.panel.count("GetClientsProducts") == asked
    assert cancellation(unheard, 2).state == "done"


def test_a_job_that_is_missing_is_put_in_again(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    gone = sa.delete(tables.jobs).where(tables.jobs.c.action == "terminate_service")
    kit.bridge.store.write(lambda db: db.execute(gone))
    found = compare(kit)
    kit.advance(hours=10)

    assert found == [("job put in", 2)]
    assert kit.panel.terminations == {2: 1}


def everything(kit: Kit) -> list[object]:
    """Return all that a comparison could have written."""
    return [
        rows(kit.bridge.store, table)
        for table in (tables.events, tables.jobs, tables.cancellations)
    ]


def test_a_dry_comparison_says_what_it_would_do_and_changes_nothing(
    kit: Kit,
) -> None:
    kit.world.request_cancellation(2)
    kit.world.request_cancellation(3)
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.world.request_cancellation(4)
    kit.outbox._rows.clear()
    gone = sa.delete(tables.jobs).where(tables.jobs.c.key.like("cancellation:3:%"))
    kit.bridge.store.write(lambda db: db.execute(gone))
    kit.clock.advance(timedelta(minutes=16))
    before = everything(kit)

    found = compare(kit, dry_run=True)

    assert found == [("missing", 2), ("taken up", 4), ("job put in", 3)]
    assert everything(kit) == before


def test_what_was_rehearsed_is_taken_up_when_the_bridge_is_switched_on(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    dry = replace(kit, bridge=bridge_for(dry_run=True))
    dry.world.request_cancellation(2, "Immediate")
    dry.work()
    dry.clock.set(dry.clock.at(dry.clock.today(), 20))
    dry.work()
    rehearsed = cancellation(kit, 2).state
    again = compare(dry)
    kit.clock.advance(timedelta(hours=14))  # the next morning it is switched on
    found = compare(kit)
    kit.work()
    kit.advance(hours=10)

    assert rehearsed == "rehearsed"
    assert again == []
    assert found == [("taken up", 2)]
    assert kit.panel.terminations == {2: 1}
    assert cancellation(kit, 2).state == "done"


def test_staff_withdraw_what_has_not_begun_and_the_client_is_told(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    row = cancellation(kit, 2)
    now = kit.clock.now()
    done = kit.bridge.store.write(lambda db: withdraw(db, row, "by hand", now))
    again = kit.bridge.store.write(lambda db: withdraw(db, row, "by hand", now))
    kit.work()
    compare(kit)
    kit.advance(hours=10)

    assert (done, again) == (True, False)
    assert texts(kit)[-1] == "cancellation_withdrawn"
    assert kit.panel.count("ModuleTerminate") == 0
