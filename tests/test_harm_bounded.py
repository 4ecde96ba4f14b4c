"""A thousand valid requests in a day: no more than the caps is carried out.

Each comes signed through the door, and the panel really shows it: a stolen session of
the panel, or a script gone wrong. Fewer requests and lower caps without SWEEP=full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from effort import pick
from hooks.test_terminate_service import at_once
from looking import rows, staff_lines

from bridge import wiring
from bridge.demo.clock import Clock
from bridge.demo.world import World
from bridge.preparing import TOLD_AN_HOUR
from bridge.store import tables

MANY, AN_HOUR, A_DAY = pick(full=(1000, 20, 100), ci=(300, 20, 100), quick=(50, 3, 8))
#: Of one client's services so many may end in a day, by the map as it is delivered.
A_CLIENT = 10
CAPS = {
    "max_terminations_per_hour": AN_HOUR,
    "max_terminations_per_day": A_DAY,
}


@pytest.fixture
def world(clock: Clock) -> World:
    """A company of so many clients, each with a service."""
    return World.filled(MANY, MANY, clock)


@pytest.fixture
def workers(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Path]
) -> Callable[..., list[wiring.Bridge]]:
    """Return a function that starts two workers whose map has such caps."""

    def make(**caps: int) -> list[wiring.Bridge]:
        changes = ((f"    {name}: ", f"    {name}: {n} #") for name, n in caps.items())
        config = config_with(*changes)
        return [bridge_for(config_dir=config) for _ in range(2)]

    return make


def a_day(kit: Kit, workers: list[wiring.Bridge], services: Sequence[int]) -> None:
    """Have services cancelled from ten in the morning to ten at night; wait a day."""
    for hour in range(48):
        for service in services[hour : 13 * len(services) : 13] if hour < 13 else ():
            kit.world.request_cancellation(service, "Immediate")
        assert kit.flush() or hour >= 13
        at_once([bridge.worker for bridge in workers])
        kit.clock.advance(timedelta(hours=1))


def most_within(times: Sequence[datetime], span: timedelta) -> int:
    """Return how many of *times* lie within one such span at most."""
    return max(sum(end - span < at <= end for at in times) for end in times)


def ended_at(kit: Kit) -> list[datetime]:
    return [call.at for call in kit.panel.calls if call.action == "ModuleTerminate"]


def book_of(kit: Kit) -> dict[int, Any]:
    found = rows(kit.bridge.store, tables.cancellations)
    assert len(found) == len({row.service_id for row in found})
    return {row.service_id: row for row in found}


def test_of_so_many_requests_in_a_day_the_caps_are_carried_out_and_the_rest_waits(
    kit: Kit, workers: Callable[..., list[wiring.Bridge]]
) -> None:
    services = list(kit.world.services)
    a_day(kit, workers(**CAPS), services)

    times, book = ended_at(kit), book_of(kit)
    states = Counter(row.state for row in book.values())
    running = [n for n in services if kit.world.service(n).status == "Active"]
    assert len(times) == A_DAY
    assert most_within(times, timedelta(hours=1)) == AN_HOUR
    assert set(kit.panel.terminations.values()) == {1}
    assert states == {"done": A_DAY, "staff": MANY - A_DAY}
    assert sorted(book) == sorted(services)
    assert {n for n, row in book.items() if row.state == "staff"} == set(running)
    assert len(staff_lines(kit)) == 1
    assert kit.panel.refused == []


def test_of_one_clients_services_his_cap_is_carried_out_and_others_go_on(
    kit: Kit, workers: Callable[..., list[wiring.Bridge]]
) -> None:
    his, others = range(1, 31), (31, 32)
    with kit.world.muted():
        for service in his:
            kit.world.move_service(service, 1)
    a_day(kit, workers(), [*his, *others])

    book = book_of(kit)
    states = Counter(book[n].state for n in his)
    assert states == {"done": A_CLIENT, "staff": len(his) - A_CLIENT}
    assert [book[n].state for n in others] == ["done", "done"]
    assert len(ended_at(kit)) == A_CLIENT + len(others)
    (told,) = staff_lines(kit)
    assert f"cap of {A_CLIENT} terminations a day for one client" in told


def test_however_many_clients_are_over_their_caps_staff_hear_a_bounded_number(
    kit: Kit, workers: Callable[..., list[wiring.Bridge]]
) -> None:
    services = list(kit.world.services)[: 2 * (TOLD_AN_HOUR + 3)]
    with kit.world.muted():
        for service in services[1::2]:
            kit.world.move_service(service, kit.world.service(service - 1).clientid)
    two = workers(max_terminations_per_client_per_day=1, max_terminations_per_hour=500)
    for service in services:
        kit.world.request_cancellation(service, "Immediate")
    kit.flush()
    at_once([bridge.worker for bridge in two])
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    at_once([bridge.worker for bridge in two])

    states = Counter(row.state for row in book_of(kit).values())
    assert states == {"done": len(services) // 2, "staff": len(services) // 2}
    assert len(staff_lines(kit)) == TOLD_AN_HOUR + 1
    assert sum("more than 20 things wait" in line for line in staff_lines(kit)) == 1
