"""At the moment everything is read again; what differs ends nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from looking import cancellation, job, rows, staff_lines, texts

from bridge import wiring
from bridge.demo.faults import KINDS
from bridge.demo.world import World
from bridge.reconcile import reconcile
from bridge.store import outbox, tables
from bridge.worker import Worker

EVENING = (date(2026, 11, 2), 20)


@pytest.fixture
def asked(kit: Kit) -> Kit:
    """Services 2 (plan), 6 (no module), each cancelled at once, in the evening."""
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.sent.clear()
    return kit


def evening(kit: Kit) -> None:
    kit.clock.set(kit.clock.at(*EVENING))
    kit.work()


def test_withdrawn_at_the_last_moment_nothing_ends_and_the_client_is_told(
    asked: Kit,
) -> None:
    asked.world.withdraw_cancellation(2)
    evening(asked)
    still = cancellation(asked, 2).state
    asked.advance(minutes=11)

    assert still == "scheduled"
    assert asked.panel.count("ModuleTerminate") == 0
    assert cancellation(asked, 2).state == "withdrawn"
    assert texts(asked) == ["cancellation_withdrawn"]


def test_one_empty_list_at_the_moment_withdraws_nothing(asked: Kit) -> None:
    listed = dict(asked.world.cancellations)
    asked.world.cancellations.clear()
    evening(asked)
    asked.world.cancellations.update(listed)
    asked.advance(minutes=11)

    assert asked.panel.terminations == {2: 1}
    assert texts(asked) == ["cancellation_done"]


def test_what_its_own_job_withdrew_ends_once_it_is_listed_again(asked: Kit) -> None:
    listed = dict(asked.world.cancellations)
    asked.world.cancellations.clear()
    evening(asked)
    asked.advance(minutes=11)
    gone = cancellation(asked, 2).state
    asked.world.cancellations.update(listed)
    reconcile(asked.bridge.bench)
    asked.work()
    asked.advance(minutes=1)

    assert gone == "withdrawn"
    assert cancellation(asked, 2).state == "done"
    assert asked.panel.terminations == {2: 1}


def test_gone_already_is_done_without_a_call(asked: Kit) -> None:
    asked.world.terminate(2)
    evening(asked)

    assert asked.panel.count("ModuleTerminate") == 0
    assert cancellation(asked, 2).state == "done"
    assert "Terminated already" in cancellation(asked, 2).reason


def move_owner(world: World) -> None:
    world.move_service(2, 5)


def change_domain(world: World) -> None:
    world.service(2).domain = "otro.example.com"


def make_pending(world: World) -> None:
    world.service(2).status = "Pending"


def delete_service(world: World) -> None:
    del world.services[2]


DIFFERENCES = [
    (move_owner, "client 5 now"),
    (change_domain, "domain is another"),
    (make_pending, "status is Pending"),
    (delete_service, "no such service"),
]


@pytest.mark.parametrize(("change", "words"), DIFFERENCES)
def test_what_differs_from_the_request_waits_for_staff(
    asked: Kit, change: Callable[[World], None], words: str
) -> None:
    change(asked.world)
    evening(asked)
    asked.advance(days=1)

    assert asked.panel.count("ModuleTerminate") == 0
    assert cancellation(asked, 2).state == "staff"
    assert words in cancellation(asked, 2).reason
    assert words in staff_lines(asked)[0]


def test_a_period_that_moved_on_is_a_new_date_and_told(kit: Kit) -> None:
    kit.world.request_cancellation(2)  # ends on 2026-11-20
    kit.work()
    invoice = kit.world.generate_renewal(2)
    kit.world.pay_invoice(invoice.id)
    kit.clock.set(kit.clock.at(date(2026, 11, 20), 23))
    kit.work()
    first = kit.panel.count("ModuleTerminate")
    kit.advance(hours=10)
    kit.clock.set(kit.clock.at(date(2026, 12, 20), 23))
    kit.work()

    assert first == 0
    assert "cancellation_moved" in texts(kit)
    assert cancellation(kit, 2).ends == date(2026, 12, 20)
    assert kit.panel.terminations == {2: 1}


def test_of_a_period_that_moved_on_the_client_is_reminded_again(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.pay_invoice(kit.world.generate_renewal(2).id)
    for month, day, hour in [(11, 13, 10), (11, 19, 10), (11, 20, 23), (12, 13, 10)]:
        kit.clock.set(kit.clock.at(date(2026, month, day), hour))
        kit.work()

    told = [
        one["text"] for one in kit.sent if one["message"] == "cancellation_reminder"
    ]
    assert ["20/12/2026" in text for text in told] == [False, False, True]


def test_an_immediate_end_made_one_of_the_period_again_is_moved(asked: Kit) -> None:
    asked.world.withdraw_cancellation(2)
    asked.world.request_cancellation(2)
    evening(asked)

    assert asked.panel.count("ModuleTerminate") == 0
    assert cancellation(asked, 2).ends == date(2026, 11, 20)


def test_staff_may_carry_out_an_end_of_period_at_once(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    row = cancellation(kit, 2)
    now = {"at": kit.clock.now(), "ends": kit.clock.today(), "kind": "immediate"}
    with_it = kit.bridge.store.write
    with_it(
        lambda db: (
            db.execute(tables.cancellations.update().values(now))
            and outbox.move(db, f"{row.key}/terminate", kit.clock.now())
        )
    )
    kit.work()

    assert kit.panel.terminations == {2: 1}


def test_a_product_without_a_module_becomes_cancelled(kit: Kit) -> None:
    kit.world.request_cancellation(6, "Immediate")
    kit.work()
    evening(kit)

    assert kit.world.service(6).status == "Cancelled"
    assert cancellation(kit, 6).state == "done"
    assert kit.world.count("status_cancelled", 6, actor="api") == 1


def test_over_72_hours_late_waits_for_staff(asked: Kit) -> None:
    asked.clock.set(asked.clock.at(*EVENING) + timedelta(hours=72, minutes=1))
    asked.work()

    assert asked.panel.count("ModuleTerminate") == 0
    assert cancellation(asked, 2).state == "staff"
    assert "72 hours late" in staff_lines(asked)[0]


def test_72_hours_late_still_runs(asked: Kit) -> None:
    asked.clock.set(asked.clock.at(*EVENING) + timedelta(hours=72))
    asked.work()

    assert asked.panel.terminations == {2: 1}


def test_a_failed_termination_is_tried_again_and_then_waits_for_staff(
    asked: Kit,
) -> None:
    asked.world.break_module(2, "Terminate", times=10)
    evening(asked)
    for _ in range(20):
        asked.advance(hours=6)

    assert len(asked.world.commands) == 10
    assert cancellation(asked, 2).state == "staff"
    assert "cannot be reached" in staff_lines(asked)[0]


def test_staff_let_a_failed_termination_run_again(asked: Kit) -> None:
    asked.world.break_module(2, "Terminate", times=10)
    evening(asked)
    for _ in range(20):
        asked.advance(hours=6)
    now = asked.clock.now()
    asked.bridge.store.write(lambda db: outbox.again(db, now))
    asked.work()

    assert asked.panel.terminations == {2: 1}
    assert cancellation(asked, 2).state == "done"


def test_a_rule_that_terminates_leaves_it_to_the_one_job(
    bridge_for: Callable[..., wiring.Bridge],
    kit: Kit,
    config_with: Callable[..., Path],
) -> None:
    point = "  AfterModuleSuspend:\n"
    rule = f"{point}    - {{ name: end-it, do: terminate_service }}\n"
    other = bridge_for(config_dir=config_with((point, rule)))
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(*EVENING))
    kit.world.suspend(2, "Mantenimiento")
    kit.flush()
    other.worker.drain()

    assert kit.panel.count("ModuleTerminate") == 1
    assert job(kit, "/end-it").state in ("done", "skipped")


# --- The caps ---


@pytest.fixture
def capped(kit: Kit, bridge_for: Any, config_with: Callable[..., Path]) -> Kit:
    """Five requests for the evening; two may end in an hour, four in a day."""
    config = config_with(
        ("max_terminations_per_hour: 20", "max_terminations_per_hour: 2"),
        ("max_terminations_per_day: 100", "max_terminations_per_day: 4"),
    )
    bridge = bridge_for(config_dir=config)
    limited = replace(kit, bridge=bridge)
    for service in (1, 2, 3, 4, 5):
        limited.world.request_cancellation(service, "Immediate")
    limited.work()
    limited.sent.clear()
    return limited


def test_over_the_hourly_cap_it_goes_on_in_the_next_hour_by_itself(capped: Kit) -> None:
    evening(capped)
    first = sum(capped.panel.terminations.values())
    asked = capped.panel.count("GetClientsProducts")
    capped.advance(minutes=59)
    still = sum(capped.panel.terminations.values())
    capped.advance(minutes=2)

    assert (first, still) == (2, 2)
    assert sum(capped.panel.terminations.values()) == 4
    assert capped.panel.count("GetClientsProducts") > asked


def test_what_waits_for_the_next_hour_asks_the_panel_nothing(capped: Kit) -> None:
    evening(capped)
    capped.advance(minutes=30)
    before = len(capped.panel.calls)
    for row in rows(capped.bridge.store, tables.jobs):
        capped.bridge.worker.run_one(row.key)

    assert len(capped.panel.calls) == before


def test_over_the_daily_cap_the_rest_waits_for_staff_who_are_told_once(
    capped: Kit,
) -> None:
    capped.world.request_cancellation(7, "Immediate")
    capped.work()
    evening(capped)
    capped.advance(minutes=61)
    capped.advance(minutes=61)
    capped.advance(days=3)

    states = sorted(
        row.state for row in rows(capped.bridge.store, tables.cancellations)
    )
    assert states == ["done"] * 4 + ["staff"] * 2
    assert sum(capped.panel.terminations.values()) == 4
    assert len(staff_lines(capped)) == 1
    assert "cap of 4 terminations a day" in staff_lines(capped)[0]


def test_the_caps_hold_across_restarts(capped: Kit, bridge_for: Any) -> None:
    evening(capped)
    config = capped.bridge.settings.config_dir
    capped.bridge.close()
    again = replace(capped, bridge=bridge_for(config_dir=config))
    again.bridge.worker.drain()

    assert sum(capped.panel.terminations.values()) == 2


def test_the_caps_hold_for_two_workers_at_once(capped: Kit, bridge_for: Any) -> None:
    other = bridge_for(config_dir=capped.bridge.settings.config_dir)
    capped.clock.set(capped.clock.at(*EVENING))
    both = [capped.bridge.worker, other.worker]
    at_once(both)

    assert sum(capped.panel.terminations.values()) == 2


def at_once(workers: list[Worker]) -> None:
    """Let workers drain side by side."""
    threads = [threading.Thread(target=worker.drain) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


# --- Bad answers ---

ACTING = sorted(KINDS - {"wrong_service", "slow", "dribble", "bomb"})


@pytest.mark.parametrize("kind", ACTING)
def test_after_a_bad_answer_it_looks_before_it_terminates_again(
    asked: Kit, kind: str
) -> None:
    asked.panel.faults.add("ModuleTerminate", kind, times=1)
    evening(asked)
    looked = asked.panel.count("GetClientsProducts", serviceid=2)
    early = asked.panel.count("ModuleTerminate")
    asked.advance(minutes=4)
    soon = asked.panel.count("ModuleTerminate")
    for _ in range(3):
        asked.advance(minutes=6)

    assert asked.panel.terminations == {2: 1}
    assert (early, soon) == (1, 1)
    assert asked.panel.count("GetClientsProducts", serviceid=2) > looked
    assert cancellation(asked, 2).state == "done"
    assert asked.panel.count("ModuleTerminate") <= 2


READS = ["GetClientsProducts", "GetCancelledPackages"]


@pytest.mark.parametrize("action", READS)
@pytest.mark.parametrize("kind", sorted(KINDS - {"slow", "dribble", "bomb"}))
def test_after_a_bad_look_nothing_is_ended_until_a_good_one(
    asked: Kit, action: str, kind: str
) -> None:
    asked.panel.faults.add(action, kind, times=None)
    evening(asked)
    blind = sum(asked.panel.terminations.values())
    asked.panel.faults.clear()
    for _ in range(3):
        asked.advance(minutes=10)

    assert blind == int((kind, action) == NOT_SPOILT)
    assert asked.panel.terminations == {2: 1}


#: That list is asked for without an id, so nothing can be swapped in its answer.
NOT_SPOILT = ("wrong_service", "GetCancelledPackages")


def test_what_the_client_asked_for_is_confirmed_once_not_told_as_news_too(
    asked: Kit,
) -> None:
    evening(asked)
    asked.work()
    told = [row.hookpoint for row in asked.events()]
    assert "AfterModuleTerminate" in told
    assert texts(asked) == ["cancellation_done"]

    asked.world.terminate(11)
    asked.work()
    assert texts(asked)[1:] == ["service_terminated"]
