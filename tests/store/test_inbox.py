"""One delivery id is one event, with the body that came first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from bridge.store import Store, inbox, reports

from .conftest import NOW, delivery


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
