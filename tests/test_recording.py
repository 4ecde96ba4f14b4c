"""What a job came to is kept with the next commit, and never lost on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import perf_counter
from typing import Any

import pytest
from conftest import Kit
from looking import rows

from bridge import wiring
from bridge.errors import StoreUnavailable
from bridge.outcomes import Outcome
from bridge.recording import Recorder
from bridge.store import COMPANY, groups, outbox, tables
from bridge.store.outbox import Finish, Job, NewJob

MANY = 40


def claimed(bridge: wiring.Bridge, now: Any, count: int = MANY) -> list[Job]:
    """Put *count* jobs in and claim them."""
    new = [
        NewJob(key=f"j{n}", event_id=None, action="log_activity", rule="r", run_at=now)
        for n in range(count)
    ]
    bridge.store.write(lambda db: outbox.put(db, new, now))
    return bridge.worker._take(count)[0]


def states(bridge: wiring.Bridge) -> set[str]:
    return {row.state for row in rows(bridge.store, tables.jobs)}


DONE = Finish("done", None, {"ran": True})


def test_what_nobody_waits_for_is_committed_together(
    bridge_for: Callable[..., wiring.Bridge], clock: Any
) -> None:
    heard: list[str] = []
    bridge = bridge_for(watch=heard.append)
    jobs = claimed(bridge, clock.now())
    heard.clear()
    recorder = Recorder(bridge.bench, MANY)

    began = perf_counter()
    for job in jobs:
        recorder.keep(job, [], None, DONE, soon=True)
        states(bridge)  # takes a moment, in which it would be committed alone
    recorder.close()
    took = perf_counter() - began

    assert states(bridge) == {"done"}
    writers = 1 if bridge.store.sqlite else 4
    assert heard.count("after commit") <= writers * (1 + took / COMPANY)


def test_with_as_many_on_their_way_as_may_be_the_next_is_waited_for(kit: Kit) -> None:
    [job, *_] = claimed(kit.bridge, kit.clock.now())

    Recorder(kit.bridge.bench, 0).keep(job, [], None, DONE, soon=True)

    assert [row.key for row in rows(kit.bridge.store, tables.jobs) if row.outcome] == [
        job.key
    ]


class Troubled:
    """A store whose next writes that nobody waits for fail; the rest is the store's."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def submit_each(self, function: Any, item: Outcome) -> Future[bool]:
        self.failed += 1
        failing: Future[bool] = Future()
        threading.Timer(0, failing.set_exception, [StoreUnavailable("away")]).start()
        return failing


def test_what_could_not_be_kept_with_the_others_is_kept_by_itself(kit: Kit) -> None:
    jobs = claimed(kit.bridge, kit.clock.now(), 3)
    bench = kit.bridge.bench
    bench.store = troubled = Troubled(bench.store)
    recorder = Recorder(bench, MANY)

    for job in jobs:
        recorder.keep(job, [], None, DONE, soon=True)
    recorder.close()

    assert troubled.failed == 3
    assert states(kit.bridge) == {"done"}


def test_a_claim_that_was_lost_is_not_written_over(kit: Kit) -> None:
    jobs = claimed(kit.bridge, kit.clock.now(), 3)
    other = Finish("skipped", "by somebody else")
    lost = jobs[1]
    kit.bridge.store.write(lambda db: outbox.finish(db, lost, other, kit.clock.now()))
    recorder = Recorder(kit.bridge.bench, MANY)

    for job in jobs:
        recorder.keep(job, [], None, DONE, soon=True)
    recorder.close()

    found = {row.key: row.state for row in rows(kit.bridge.store, tables.jobs)}
    assert found == {job.key: "done" for job in jobs} | {lost.key: "skipped"}


def test_what_shares_a_message_that_was_repeated_is_over_with_it(kit: Kit) -> None:
    now, store = kit.clock.now(), kit.bridge.store
    first, *members, other, another = claimed(kit.bridge, now, 5)
    store.write(lambda db: groups.join(db, first, members))
    refused = Finish("retry", "too fast", run_at=now)
    store.write(lambda db: outbox.finish(db, first, refused, now))
    [again] = kit.bridge.worker._take(1)[0]
    recorder = Recorder(kit.bridge.bench, MANY)

    for job in (other, again, another):  # with the same commit
        recorder.keep(job, [], None, DONE, soon=True)
    recorder.close()

    assert states(kit.bridge) == {"done"}


@pytest.mark.parametrize(
    "finish",
    [
        Finish("retry", "away", run_at=None),
        Finish("parked", "somebody looks"),
    ],
)
def test_what_does_not_just_end_is_waited_for(kit: Kit, finish: Finish) -> None:
    [job] = claimed(kit.bridge, kit.clock.now(), 1)
    bench = kit.bridge.bench
    bench.store = troubled = Troubled(bench.store)

    Recorder(bench, MANY).keep(job, [], None, finish, soon=True)

    assert troubled.failed == 0
    assert states(kit.bridge) >= {finish.state}


def test_what_is_on_its_way_is_waited_for_where_the_rest_cannot_be_put_off(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, closed = kit.bridge.worker, threading.Event()

    def away(*_: Any) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(worker, "_put_off", away)
    monkeypatch.setattr(worker._recorder, "close", closed.set)
    worker.stop()
    worker.run()

    assert closed.is_set()
