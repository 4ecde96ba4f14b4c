"""One delivery id is one event, with the body that came first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from bridge.store import Store, claims, inbox, outbox, reports
from bridge.store.outbox import Finish

from .conftest import NOW, delivery, new_job


def put(store: Store, id: str, digest: str = "d", days: int = 0) -> str:
    at = NOW - timedelta(days=days)
    return store.write(lambda db: inbox.put(db, delivery(id, digest), at))


def test_the_same_delivery_twice_is_one_event(store: Store) -> None:
    assert [put(store, "a"), put(store, "a")] == ["accepted", "duplicate"]


def test_another_body_under_a_known_id_is_flagged_and_the_first_stands(
    store: Store,
) -> None:
    put(store, "a")

    assert put(store, "a", "other") == "conflict"
    with store.read() as db:
        (row,) = reports.list_events(db)
    assert (row.digest, row.conflicts) == ("d", 1)


def test_twenty_at_once_are_one_event(open_store: Callable[..., Store]) -> None:
    stores = [open_store(), open_store()]
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: said.append(put(stores[n % 2], "a")))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(said) == ["accepted"] + ["duplicate"] * 19


def test_events_are_matched_in_the_order_of_arrival_and_once(store: Store) -> None:
    for name in ("c", "a", "b"):
        put(store, name)
    found = store.write(lambda db: inbox.unmatched(db, 10))
    seen = [(event.seq, "matched", None) for event in found]
    store.write(lambda db: inbox.matched(db, seen, "v1"))

    assert [event.id for event in found] == ["c", "a", "b"]
    assert store.write(lambda db: inbox.unmatched(db, 10)) == []


def finished(store: Store, id: str, state: str, days: int) -> None:
    put(store, id, days=days)
    store.write(lambda db: outbox.put(db, [new_job(f"{id}/r", event_id=id)], NOW))
    lease = timedelta(minutes=1)
    (job,) = store.write(lambda db: claims.claim(db, NOW, lease, acts=False, limit=1))
    store.write(lambda db: outbox.finish(db, job, Finish(state), NOW))
    found = store.write(lambda db: inbox.unmatched(db, 10))
    seen = [(event.seq, "matched", None) for event in found]
    store.write(lambda db: inbox.matched(db, seen, "v1"))


def test_pruning_keeps_what_is_young_parked_or_open(store: Store) -> None:
    finished(store, "old", "done", 100)
    finished(store, "young", "done", 20)
    finished(store, "parked", "parked", 100)
    finished(store, "waiting", "done", 100)
    later = new_job("w", event_id="waiting", run_at=NOW + timedelta(days=200))
    store.write(lambda db: outbox.put(db, [later], NOW))
    put(store, "unmatched", days=100)

    went = store.write(lambda db: reports.prune(db, NOW - timedelta(days=31)))

    with store.read() as db:
        left = {row.id for row in reports.list_events(db)}
    assert went == 1
    assert left == {"young", "parked", "waiting", "unmatched"}


def test_an_id_of_the_last_days_is_known_after_pruning(store: Store) -> None:
    finished(store, "a", "done", 30)
    store.write(lambda db: reports.prune(db, NOW - timedelta(days=31)))

    assert put(store, "a") == "duplicate"
