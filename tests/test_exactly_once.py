"""Very many at once, several workers, any order: each once.

The panel counts what really happened; 10,000 due in one second with SWEEP=full, fewer
without.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from conftest import Kit
from effort import FULL, pick
from looking import cancellation, rows

from bridge import wiring
from bridge.demo.clock import Clock
from bridge.demo.panel import Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World
from bridge.hooks.schedule_cancellation import key_of, terminate_key
from bridge.store import book, outbox, tables
from bridge.store.outbox import NewJob

MANY = pick(full=10_000, ci=300, quick=120)


def uncapped(bridge: wiring.Bridge) -> wiring.Bridge:
    """Let it end more in an hour than any map may allow."""
    hookmap = bridge.map.current
    caps = replace(
        hookmap.policies.cancellations,
        max_terminations_per_hour=10**6,
        max_terminations_per_day=10**6,
    )
    policies = replace(hookmap.policies, cancellations=caps)
    bridge.map._current = replace(hookmap, policies=policies)
    return bridge


def schedule_all(bridge: wiring.Bridge, world: World, at: Any) -> None:
    """Put a cancellation and its job in for each request, as schedule does."""
    now = bridge.bench.now()

    def put(db: Any) -> None:
        jobs = []
        for request in world.cancellations.values():
            service = world.service(request.relid)
            key = key_of(service.id, request.id)
            values = {
                "service_id": service.id,
                "client_id": service.clientid,
                "request_id": request.id,
                "domain": service.domain,
                "product": "p",
                "kind": "immediate",
                "requested_on": world.clock.today(),
                "ends": world.clock.today(),
                "at": at,
                "because": "b",
                "way": "immediate",
                "state": "scheduled",
            }
            book.keep(db, "cancellations", key, values, now, "")
            parameters = {"cancellation": key}
            jobs.append(
                NewJob(
                    terminate_key(key), None, "terminate_service", "cancellation",
                    at, parameters, acts=True, client_id=service.clientid,
                )
            )  # fmt: skip
        outbox.put(db, jobs, now)

    bridge.store.write(put, 120)


@pytest.fixture
def crowd(clock: Clock) -> World:
    """A company of which every service is to end this evening."""
    world = World.filled(MANY // 3 + 1, MANY, clock)
    with world.muted():
        for service in list(world.services):
            world.request_cancellation(service, "Immediate")
    return world


def test_very_many_due_in_one_second_end_once_each(
    crowd: World,
    clock: Clock,
    bridge_for: Callable[..., wiring.Bridge],
    record_property: Callable[[str, object], None],
) -> None:
    panel = Panel(crowd)
    with PanelServer(panel) as server:
        bridges = [uncapped(bridge_for(server, workers=32)) for _ in range(2)]
        due = clock.at(clock.today(), 20)
        schedule_all(bridges[0], crowd, due)
        clock.set(due)
        began = time.monotonic()
        threads = [
            threading.Thread(target=bridge.worker.run, args=(0.05,))
            for bridge in bridges
        ]
        for thread in threads:
            thread.start()

        def all_ended() -> bool:
            # What met a lock that was held too long is due again 5 s later.
            clock.advance(timedelta(seconds=1))
            return ended(bridges[0]) == MANY

        until(all_ended, 60 if not FULL else 3600)
        took = time.monotonic() - began
        for bridge in bridges:
            bridge.worker.stop()
        for thread in threads:
            thread.join(60)

    lists, pages = panel.count("GetCancelledPackages"), -(-MANY // 250)
    record_property("terminations_per_second", round(MANY / took, 1))
    record_property("calls_for_the_list", lists)
    print(f"{MANY} in {took:.1f} s: {MANY / took:.0f} a second, {lists} list pages")
    assert sum(panel.terminations.values()) == MANY
    assert max(panel.terminations.values()) == 1
    assert panel.count("ModuleTerminate") == MANY
    assert panel.refused == []
    # A long list is read once for all that wait for it, not once for each.
    assert lists <= MANY * pages / (4 if FULL else 1)


def ended(bridge: wiring.Bridge) -> int:
    """Return how many cancellations are done."""
    with bridge.store.read() as db:
        query = tables.cancellations.select().where(
            tables.cancellations.c.state == "done"
        )
        return len(db.execute(query).all())


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait for the threads, *seconds* at most."""
    never, ends = threading.Event(), time.monotonic() + seconds
    while not holds() and time.monotonic() < ends:
        never.wait(0.2)


def test_a_withdrawal_between_claim_and_act_is_seen(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.world.request_cancellation(3, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    (first,), events = kit.bridge.worker._take(0)
    (second,), _ = kit.bridge.worker._take(0)
    kit.bridge.worker._act([first], events)  # reads the list
    kit.world.withdraw_cancellation(service_of(second))
    kit.bridge.worker._act([second], events)
    kit.advance(minutes=11)

    assert kit.panel.terminations == {service_of(first): 1}
    assert cancellation(kit, service_of(second)).state == "withdrawn"


def service_of(job: Any) -> int:
    return int(job.parameters["cancellation"].split(":")[1])


def test_two_workers_on_one_store_share_the_work_and_double_nothing(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    other = bridge_for()
    for service in (1, 2, 3, 4, 5, 7, 10, 11):
        kit.world.request_cancellation(service, "Immediate")
        kit.world.generate_renewal(service)
    kit.flush()
    drain(kit.bridge, other)
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    drain(kit.bridge, other)
    kit.flush()
    drain(kit.bridge, other)
    kit.clock.advance(timedelta(minutes=1))
    drain(kit.bridge, other)

    states = [row.state for row in rows(kit.bridge.store, tables.cancellations)]
    names = [(message["tag"], message["to"]) for message in kit.sent]
    assert set(kit.panel.terminations.values()) == {1}
    assert len(kit.panel.terminations) == 8
    assert states == ["done"] * 8
    assert len(names) == len(set(names))


def drain(*bridges: wiring.Bridge) -> None:
    threads = [threading.Thread(target=bridge.worker.drain) for bridge in bridges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
