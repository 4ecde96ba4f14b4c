"""Jobs: once under a key, claimed by one, finished by none but him."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bridge.store import Store, claims, outbox
from bridge.store.outbox import Finish, Job

from .conftest import NOW, new_job

LEASE = timedelta(minutes=5)


def put(store: Store, *jobs: Any) -> None:
    store.write(lambda db: outbox.put(db, jobs, NOW))


def claim(store: Store, at: Any = NOW, *, acts: bool = False, limit: int = 10) -> Any:
    return store.write(lambda db: claims.claim(db, at, LEASE, acts=acts, limit=limit))


def finish(store: Store, job: Job, result: Finish, at: Any = NOW) -> bool:
    return store.write(lambda db: outbox.finish(db, job, result, at))


def state(store: Store, key: str) -> str | None:
    with store.read() as db:
        return outbox.state_of(db, key)


def test_a_key_that_is_known_stays_as_it_is(store: Store) -> None:
    put(store, new_job("a", parameters={"n": 1}))
    put(store, new_job("a", parameters={"n": 2}), new_job("b"))

    kept = {job.key: job.parameters for job in claim(store)}
    assert kept == {"a": {"n": 1}, "b": {}}


def test_what_was_only_rehearsed_waits_once_more_when_it_is_put_in_again(
    store: Store,
) -> None:
    put(store, new_job("a"))
    (job,) = claim(store)
    finish(store, job, Finish("rehearsed", "dry run"))
    put(store, new_job("a", parameters={"n": 2}))

    assert [job.parameters for job in claim(store)] == [{"n": 2}]


@pytest.mark.parametrize("state", ["done", "skipped", "parked", "withdrawn"])
def test_what_is_over_is_not_put_in_again(store: Store, state: str) -> None:
    put(store, new_job("a"))
    (job,) = claim(store)
    finish(store, job, Finish(state))
    put(store, new_job("a"))

    assert claim(store) == []


def test_urgent_ones_come_first_then_the_oldest(store: Store) -> None:
    put(
        store,
        new_job("new", run_at=NOW),
        new_job("old", run_at=NOW - timedelta(hours=1)),
        new_job("urgent", urgent=True),
    )

    assert [job.key for job in claim(store, limit=1)] == ["urgent"]
    assert [job.key for job in claim(store, limit=1)] == ["old"]


def test_nothing_is_claimed_before_its_time(store: Store) -> None:
    put(store, new_job("later", run_at=NOW + timedelta(microseconds=1)))

    assert claim(store) == []
    assert len(claim(store, NOW + timedelta(microseconds=1))) == 1


def test_a_claimed_job_is_nobody_elses_until_its_lease_ends(store: Store) -> None:
    put(store, new_job("a"))
    first = claim(store)
    meanwhile = claim(store, NOW + LEASE - timedelta(seconds=1))
    after = claim(store, NOW + LEASE)

    assert (len(first), len(meanwhile), len(after)) == (1, 0, 1)
    assert (after[0].epoch, after[0].attempts, after[0].deaths) == (2, 2, 1)


def test_one_that_nobody_finished_twice_is_claimed_apart_and_alone(
    store: Store,
) -> None:
    put(store, new_job("a"), new_job("b"))
    for turn in range(2):
        claim(store, NOW + turn * LEASE)
    at = NOW + 2 * LEASE

    def suspect() -> list[Job]:
        return store.write(lambda db: claims.claim_suspect(db, at, LEASE, acts=False))

    assert claim(store, at) == []
    assert [job.deaths for job in suspect() + suspect() + suspect()] == [2, 2]


def test_a_writer_who_lost_his_claim_is_refused(store: Store) -> None:
    put(store, new_job("a"))
    (late,) = claim(store)
    (mine,) = claim(store, NOW + LEASE)

    assert not finish(store, late, Finish("done"))
    assert not store.write(lambda db: claims.extend(db, late, NOW + LEASE))
    assert store.write(lambda db: claims.extend(db, mine, NOW + 3 * LEASE))
    assert finish(store, mine, Finish("done"))
    assert state(store, "a") == "done"


def test_who_finished_once_cannot_finish_again(store: Store) -> None:
    put(store, new_job("a"))
    (job,) = claim(store)

    assert finish(store, job, Finish("done"))
    assert not finish(store, job, Finish("parked", "no"))
    assert state(store, "a") == "done"


def test_a_job_put_off_costs_no_try_and_resets_its_deaths(store: Store) -> None:
    put(store, new_job("a"))
    claim(store)
    (job,) = claim(store, NOW + LEASE)
    at = NOW + timedelta(hours=1)
    finish(store, job, Finish("waiting", run_at=at, forget_attempt=True))
    (again,) = claim(store, at)

    assert (again.attempts, again.deaths) == (2, 0)


def test_acting_jobs_and_alerts_are_claimed_apart(store: Store) -> None:
    put(store, new_job("alert"), new_job("act", acts=True))

    assert [job.key for job in claim(store, acts=True)] == ["act"]
    assert [job.key for job in claim(store)] == ["alert"]


def test_a_start_frees_the_alerts_of_a_dead_process_but_no_acting_job(
    store: Store,
) -> None:
    put(store, new_job("alert"), new_job("act", acts=True))
    claim(store)
    claim(store, acts=True)
    freed = store.write(lambda db: claims.release(db, NOW))

    assert freed == 1
    assert len(claim(store)) == 1
    assert claim(store, acts=True) == []


def test_one_job_can_be_taken_by_its_key_unless_somebody_works_on_it(
    store: Store,
) -> None:
    put(store, new_job("a", run_at=NOW + timedelta(days=9)))
    first = store.write(lambda db: claims.claim_one(db, "a", NOW, LEASE))
    second = store.write(lambda db: claims.claim_one(db, "a", NOW, LEASE))

    assert first is not None
    assert second is None


def test_withdrawing_takes_waiting_jobs_only(store: Store) -> None:
    put(store, new_job("waits"), new_job("runs"))
    store.write(lambda db: claims.claim_one(db, "runs", NOW, LEASE))
    count = store.write(lambda db: outbox.withdraw(db, ["waits", "runs"], "w", NOW))

    assert count == 1
    assert (state(store, "waits"), state(store, "runs")) == ("withdrawn", "running")


def test_parked_jobs_run_again_with_fresh_tries(store: Store) -> None:
    put(store, new_job("a"), new_job("b"))
    for job in claim(store):
        finish(store, job, Finish("parked", "no"))
    store.write(lambda db: outbox.again(db, NOW, keys=["a"]))
    (job,) = claim(store)

    assert (job.key, job.attempts) == ("a", 1)


def test_more_parked_jobs_than_one_statement_takes_run_again(store: Store) -> None:
    put(store, new_job("last"))
    finish(store, *claim(store), Finish("parked", "no"))
    keys = [*(f"over-{n}" for n in range(70_000)), "last"]

    assert store.write(lambda db: outbox.again(db, NOW, keys=keys)) == 1
    assert state(store, "last") == "waiting"


@pytest.mark.parametrize("acts", [True, False])
def test_claims_of_many_workers_are_unique(
    open_store: Callable[..., Store], acts: bool
) -> None:
    stores = [open_store(), open_store()]
    put(stores[0], *[new_job(f"j{n}", acts=acts) for n in range(120)])
    taken: list[str] = []

    def work(store: Store) -> None:
        while jobs := claim(store, acts=acts, limit=3):
            taken.extend(job.key for job in jobs)

    threads = [threading.Thread(target=work, args=(stores[n % 2],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(taken) == sorted(f"j{n}" for n in range(120))
