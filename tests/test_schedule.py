"""The clock that calls the worker: it ticks, and loses nothing when it does not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from apscheduler.jobstores.memory import MemoryJobStore
from conftest import Kit
from looking import cancellation, rows

from bridge import wiring
from bridge.forming import put_line
from bridge.schedule import LEASE, Schedule
from bridge.store import book, tables


@pytest.fixture
def schedule(kit: Kit) -> Any:
    made = kit.bridge.schedule()
    yield made
    made.stop()


def mark(kit: Kit, name: str) -> Any:
    with kit.bridge.store.read() as db:
        return book.marked(db, name)


def test_every_tick_is_run_late_rather_than_never_once_and_alone(
    schedule: Schedule,
) -> None:
    schedule.start()
    assert schedule._scheduler is not None
    ticks = schedule._scheduler.get_jobs()

    assert len(ticks) == 6
    assert {tick.misfire_grace_time for tick in ticks} == {None}
    assert {tick.coalesce for tick in ticks} == {True}
    assert {tick.max_instances for tick in ticks} == {1}
    assert {str(tick.trigger.timezone) for tick in ticks} == {"UTC"}
    assert str(schedule._scheduler.timezone) == "UTC"


def test_no_due_date_lives_in_the_scheduler(kit: Kit, schedule: Schedule) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    schedule.start()
    assert schedule._scheduler is not None

    stores = schedule._scheduler._jobstores
    assert [type(store) for store in stores.values()] == [MemoryJobStore]
    assert {type(t.trigger).__name__ for t in schedule._scheduler.get_jobs()} == {
        "IntervalTrigger"
    }


def test_a_scheduler_whose_thread_ended_is_seen(schedule: Schedule) -> None:
    before = schedule.alive
    schedule.start()
    during = schedule.alive
    scheduler: Any = schedule._scheduler

    def breaks(*_: Any) -> Any:
        raise OSError("as when the database of a job store is gone")

    threading.excepthook, kept = (lambda _: None), threading.excepthook
    scheduler._jobstores["default"].get_next_run_time = breaks
    scheduler.wakeup()
    scheduler._thread.join(10)
    threading.excepthook = kept

    assert (before, during) == (False, True)
    assert scheduler.running
    assert not schedule.alive


def test_the_heartbeat_says_when_a_worker_was_last_there(
    kit: Kit, schedule: Schedule
) -> None:
    schedule.heartbeat()
    first = mark(kit, "worker")[0]
    kit.clock.advance(timedelta(seconds=5))
    schedule.heartbeat()

    assert mark(kit, "worker")[0] - first == timedelta(seconds=5)


def test_one_of_two_workers_leads_until_it_stops(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    one, two = kit.bridge.schedule(), bridge_for().schedule()
    first = (one.leads(), two.leads())
    one.stop()
    second = two.leads()
    third = one.leads()
    two.stop()

    assert first == (True, False)
    assert (second, third) == (True, False)


def test_no_two_workers_have_one_name(kit: Kit) -> None:
    made = [kit.bridge.schedule() for _ in range(50)]

    assert len({one._who for one in made}) == 50


def test_who_leads_no_more_is_followed_when_the_lease_is_over(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    one, two = kit.bridge.schedule(), bridge_for().schedule()
    one.leads()
    kit.clock.advance(LEASE)

    assert two.leads()
    assert not one.leads()


def test_two_leaders_do_no_harm(kit: Kit, bridge_for: Any) -> None:
    other = bridge_for()
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    gone = sa.delete(tables.jobs).where(tables.jobs.c.action == "terminate_service")
    kit.bridge.store.write(lambda db: db.execute(gone))
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    kit.bridge.schedule().due()
    kit.clock.advance(LEASE)
    other.schedule().due()
    threads = [
        threading.Thread(target=bridge.worker.drain) for bridge in (kit.bridge, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert kit.panel.terminations == {2: 1}


def test_a_due_cancellation_without_a_job_gets_one_back(
    kit: Kit, schedule: Schedule
) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    gone = sa.delete(tables.jobs).where(tables.jobs.c.action == "terminate_service")
    kit.bridge.store.write(lambda db: db.execute(gone))
    schedule.due()
    too_early = len(rows(kit.bridge.store, tables.jobs))
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    schedule.due()
    kit.work()

    assert too_early == 3  # two rules of the request, and its alert
    assert kit.panel.terminations == {2: 1}


def test_the_comparison_with_the_panel_is_the_leaders(
    kit: Kit, schedule: Schedule, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    kit.world.request_cancellation(2)
    kit.outbox._rows.clear()
    schedule.leads()
    bridge_for().schedule().reconcile()
    idle = kit.events()
    schedule.reconcile()
    kit.work()

    assert idle == []
    assert cancellation(kit, 2).state == "scheduled"


def test_a_comparison_without_the_panel_fails_quietly(
    kit: Kit, schedule: Schedule
) -> None:
    with kit.panel.faults.outage_now():
        schedule.reconcile()

    assert kit.events() == []


def test_pruning_is_the_leaders_and_ends_when_the_process_stops(
    kit: Kit, schedule: Schedule
) -> None:
    kit.world.close_client(1)
    kit.work()
    kit.clock.advance(timedelta(days=91))
    schedule.prune()

    assert kit.events() == []


def test_a_message_of_no_event_is_kept_as_long_as_an_event(
    kit: Kit, schedule: Schedule
) -> None:
    row = dict.fromkeys(("name", "language", "to", "text", "provider"), "x")
    row |= {"key": "notify-test/1", "job_key": "notify-test/1", "event_id": None}
    row |= {"state": "accepted", "states": [], "created_at": kit.clock.now()}
    kit.bridge.store.write(lambda db: book.sent(db, [row]))
    left = []
    for days in (89, 2):
        kit.clock.advance(timedelta(days=days))
        schedule.prune()
        left.append(len(rows(kit.bridge.store, tables.messages)))

    assert left == [1, 0]


def test_a_line_for_staff_of_no_event_is_kept_as_long_as_an_event(
    kit: Kit, schedule: Schedule
) -> None:
    now = kit.clock.now()
    put = partial(put_line, key="halt:cloud/2026-11-22", text="[bridge] x", now=now)
    kit.bridge.store.write(put)
    kit.work()
    left = []
    for days in (89, 2):
        kit.clock.advance(timedelta(days=days))
        schedule.prune()
        left.append([row.state for row in rows(kit.bridge.store, tables.jobs)])

    assert left == [["done"], []]


def test_stopping_ends_a_long_pruning(kit: Kit) -> None:
    kit.world.close_client(1)
    kit.work()
    kit.clock.advance(timedelta(days=91))
    schedule = kit.bridge.schedule()
    schedule.stop()
    schedule.prune()

    assert len(kit.events()) == 1


def test_it_stops_where_the_store_is_away(kit: Kit) -> None:
    schedule = kit.bridge.schedule()
    schedule.start()
    kit.bridge.store.close()

    schedule.stop()

    assert not schedule.alive
