"""What is over goes after a while; what is open, or referred to, stays."""

from __future__ import annotations

from datetime import timedelta

from bridge.store import Store, claims, inbox, outbox, pruning, reports
from bridge.store.outbox import Finish

from .conftest import NOW, delivery, new_job


def put(store: Store, id: str, digest: str = "d", days: int = 0) -> str:
    at = NOW - timedelta(days=days)
    return store.write(lambda db: inbox.put(db, delivery(id, digest), at))


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

    went = store.write(lambda db: pruning.prune_events(db, NOW - timedelta(days=31)))

    with store.read() as db:
        left = {row.id for row in reports.list_events(db)}
    assert went == 1
    assert left == {"young", "parked", "waiting", "unmatched"}


def test_an_id_of_the_last_days_is_known_after_pruning(store: Store) -> None:
    finished(store, "a", "done", 30)
    store.write(lambda db: pruning.prune_events(db, NOW - timedelta(days=31)))

    assert put(store, "a") == "duplicate"
