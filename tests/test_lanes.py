"""A provider that hangs holds the messages' threads, and nobody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
from conftest import Kit
from looking import rows

from bridge import wiring
from bridge.demo.panel_rows import Line
from bridge.lanes import share
from bridge.store import tables
from bridge.whatsapp import Message, Provider, Receipt


class Hanging(Provider):
    """A provider that answers nobody while it hangs; *begun* are who came."""

    name, number, per_second = "hanging", "1", 1000.0

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.begun: list[str] = []

    def send(self, message: Message) -> Receipt:
        """Keep whoever comes."""
        self.begun.append(message.tag)
        assert self.let_go.wait(60)
        return Receipt(message.tag)


Make = Callable[[int], tuple[Kit, Hanging]]


@pytest.fixture
def hanging(kit: Kit, bridge_for: Callable[..., wiring.Bridge]) -> Iterator[Make]:
    provider = Hanging()

    def make(workers: int) -> tuple[Kit, Hanging]:
        bridge = bridge_for(provider=provider, workers=workers)
        return replace(kit, bridge=bridge), provider

    yield make
    provider.let_go.set()


@contextmanager
def working(kit: Kit) -> Iterator[None]:
    thread = threading.Thread(target=kit.bridge.worker.run)
    thread.start()
    try:
        yield
    finally:
        kit.bridge.worker.stop()
        thread.join(60)
    assert not thread.is_alive()


def until(holds: Callable[[], bool], seconds: float = 30.0) -> float:
    """Wait until something holds; return how many seconds it took."""
    began, pause = monotonic(), threading.Event()
    while not holds() and monotonic() - began < seconds:
        pause.wait(0.005)
    assert holds()
    return monotonic() - began


def bill(kit: Kit, times: int) -> None:
    """Have so many alerts wait."""
    for number in range(times):
        kit.world.create_invoice(1 + number % 6, [Line("Algo", Decimal(10))])
    kit.flush()


def over(kit: Kit) -> bool:
    """Let time pass for what a busy machine had tried again; tell if all is done."""
    kit.clock.advance(timedelta(seconds=1))
    return set(states(kit)) <= {"done", "skipped"}


def states(kit: Kit) -> list[str]:
    return sorted(row.state for row in rows(kit.bridge.store, tables.jobs))


def jobs_of(kit: Kit, keys: set[str] | None = None) -> list[Any]:
    found = rows(kit.bridge.store, tables.jobs)
    return [row for row in found if keys is None or row.key in keys]


def epochs(kit: Kit, without: set[str]) -> list[int]:
    return [row.epoch for row in jobs_of(kit) if row.key not in without]


@pytest.mark.parametrize(
    ("threads", "most"), [(1, 1), (2, 1), (4, 3), (32, 24), (128, 120)]
)
def test_messages_leave_a_few_threads_to_what_acts(threads: int, most: int) -> None:
    assert share(threads) == most


@pytest.mark.parametrize("workers", [1, 4])
def test_a_due_termination_runs_while_the_provider_hangs(
    hanging: Make, workers: int
) -> None:
    kit, provider = hanging(workers)
    provider.let_go.set()
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    provider.let_go.clear()
    kit.clock.set(kit.clock.at(kit.clock.today(), 19, 59))
    bill(kit, 8)

    with working(kit):
        until(lambda: len(provider.begun) == 1 + share(workers))
        kit.clock.advance(timedelta(minutes=1))
        waited = until(lambda: kit.panel.terminations == {2: 1})
        hung = len(provider.begun)
        provider.let_go.set()
        until(lambda: over(kit))

    assert hung == 1 + share(workers)
    assert waited < 5  # a second, on a machine that has nothing else to do
    assert len(provider.begun) == 1 + 8 + 1  # and that the service ended


def test_what_was_not_begun_at_the_end_is_given_back_untried(hanging: Make) -> None:
    kit, provider = hanging(4)
    bill(kit, 6)
    with working(kit):
        until(lambda: len(provider.begun) == 3 and states(kit) == ["running"] * 6)
        kit.bridge.worker.stop()
        provider.let_go.set()

    found = rows(kit.bridge.store, tables.jobs)
    assert states(kit) == ["done"] * 3 + ["waiting"] * 3
    assert {row.attempts for row in found if row.state == "waiting"} == {0}


def test_what_waits_longer_for_a_thread_than_a_claim_lasts_is_no_death(
    hanging: Make,
) -> None:
    kit, provider = hanging(4)
    bill(kit, 6)
    with working(kit):
        until(lambda: len(provider.begun) == 3 and states(kit) == ["running"] * 6)
        begun = set(provider.begun)
        kit.clock.advance(timedelta(minutes=2))
        until(lambda: set(epochs(kit, without=begun)) == {2})
        kit.clock.advance(timedelta(seconds=90))
        until(lambda: any(row.deaths for row in jobs_of(kit)))
        waiting = [row for row in jobs_of(kit) if row.key not in begun]
        provider.let_go.set()
        until(lambda: over(kit))

    assert {row.deaths for row in waiting} == {0}


def test_urgent_ones_are_written_first_then_the_oldest(hanging: Make) -> None:
    kit, provider = hanging(1)
    bill(kit, 1)
    with working(kit):
        until(lambda: len(provider.begun) == 1)
        for _ in range(2):
            kit.clock.advance(timedelta(seconds=1))
            bill(kit, 1)
        kit.world.change_password(1)
        kit.flush()
        until(lambda: states(kit) == ["running"] * 4)
        provider.let_go.set()
        until(lambda: states(kit) == ["done"] * 4)

    names = [tag.partition("/")[2] for tag in provider.begun[1:]]
    assert names == ["user-password", "invoice-created", "invoice-created"]
    assert provider.begun[2:] == sorted(provider.begun[2:])
