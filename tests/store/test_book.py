"""The book keeps what an action read, or says that it changed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from bridge.errors import StaleRow
from bridge.store import Store, book, limits

from .conftest import NOW


def values(service: int = 1, **more: Any) -> dict[str, Any]:
    given = {
        "service_id": service,
        "client_id": 1,
        "domain": "d",
        "product": "p",
        "kind": "immediate",
        "requested_on": NOW.date(),
        "because": "b",
        "way": "w",
        "state": "scheduled",
    }
    return given | more


def keep(store: Store, key: str, was: str | None = None, **more: Any) -> None:
    store.write(lambda db: book.keep(db, "cancellations", key, more, NOW, was))


def state(store: Store, key: str) -> str:
    with store.read() as db:
        found: str = book.cancellation(db, key).state
    return found


def test_a_row_is_made_and_changed_by_its_key(store: Store) -> None:
    keep(store, "k", **values())
    keep(store, "k", state="done")

    assert state(store, "k") == "done"


def test_a_row_that_changed_since_it_was_read_is_not_overwritten(store: Store) -> None:
    keep(store, "k", "", **values())
    keep(store, "k", state="withdrawn")

    with pytest.raises(StaleRow):
        keep(store, "k", "scheduled", state="acting")
    assert state(store, "k") == "withdrawn"


def test_a_row_that_should_be_new_and_is_not_is_left_alone(store: Store) -> None:
    keep(store, "k", "", **values())
    keep(store, "k", state="done")

    with pytest.raises(StaleRow):
        keep(store, "k", "", **values())
    assert state(store, "k") == "done"


def test_a_service_has_one_open_cancellation(store: Store) -> None:
    keep(store, "k1", "", **values(7))

    with pytest.raises(StaleRow):
        keep(store, "k2", "", **values(7))
    with store.read() as db:
        assert book.live_cancellation(db, 7).key == "k1"


def reserve(
    store: Store, key: str, at: Any = NOW, hour: int = 2, day: int = 40, his: int = 40
) -> Any:
    caps = (hour, day, his)
    return store.write(lambda db: limits.reserve_termination(db, key, caps, at))


def test_the_hourly_cap_says_when_the_next_may_go(store: Store) -> None:
    for n in range(3):
        keep(store, f"k{n}", "", **values(n))
    reserve(store, "k0")
    reserve(store, "k1", NOW + timedelta(minutes=10))
    later = NOW + timedelta(minutes=20)

    assert reserve(store, "k2", later) == ("hour", NOW + timedelta(hours=1, seconds=1))
    assert reserve(store, "k2", NOW + timedelta(hours=1, seconds=1)) == ("", None)


def test_one_that_was_begun_counts_once_and_may_go_on(store: Store) -> None:
    keep(store, "k", "", **values())

    assert reserve(store, "k", hour=1) == ("", None)
    assert reserve(store, "k", hour=1) == ("", None)


def test_one_withdrawn_meanwhile_may_not_begin(store: Store) -> None:
    keep(store, "k", "", **values(state="withdrawn"))

    assert reserve(store, "k") == ("over", None)
    assert state(store, "k") == "withdrawn"


def test_a_clients_cap_counts_his_alone_and_comes_before_that_of_the_hour(
    store: Store,
) -> None:
    for n, client in enumerate((1, 1, 2, 1)):
        keep(store, f"k{n}", "", **values(n, client_id=client))
    first = [reserve(store, f"k{n}", hour=3, his=2) for n in (0, 1, 2)]
    a_day_on = NOW + timedelta(days=1, seconds=1)

    assert first == [("", None)] * 3
    assert reserve(store, "k3", hour=3, his=2) == ("client", a_day_on)
    assert reserve(store, "k3", a_day_on, hour=3, his=2) == ("", None)


def test_what_staff_carry_out_passes_the_caps_and_counts(store: Store) -> None:
    for n in range(3):
        keep(store, f"k{n}", "", **values(n, approved_by="eva" if n == 1 else None))
    reserve(store, "k0", hour=1, day=1, his=1)

    assert reserve(store, "k1", hour=1, day=1, his=1) == ("", None)
    assert reserve(store, "k2", hour=9, day=2, his=9)[0] == "day"
    assert reserve(store, "k2", hour=9, day=9, his=2)[0] == "client"


CAPS = [{"hour": 9}, {"hour": 99, "day": 9}, {"hour": 99, "day": 99, "his": 9}]


@pytest.mark.parametrize("caps", CAPS)
def test_the_caps_count_over_all_connections(
    open_store: Callable[..., Store], caps: dict[str, int]
) -> None:
    stores = [open_store(), open_store()]
    for n in range(40):
        keep(stores[0], f"k{n}", "", **values(n))
    granted: list[str] = []

    def work(start: int) -> None:
        for n in range(start, 40, 4):
            if reserve(stores[n % 2], f"k{n}", **caps)[0] == "":
                granted.append(f"k{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(granted) == 9


def lead(store: Store, who: str, at: Any) -> bool:
    return store.write(lambda db: book.lead(db, who, at, timedelta(seconds=45)))


def test_one_leads_until_its_lease_ends_or_it_resigns(store: Store) -> None:
    first = lead(store, "a", NOW)
    other = lead(store, "b", NOW + timedelta(seconds=44))
    renewed = lead(store, "a", NOW + timedelta(seconds=44))
    still = lead(store, "b", NOW + timedelta(seconds=60))
    taken = lead(store, "b", NOW + timedelta(seconds=90))
    store.write(lambda db: book.resign(db, "b", NOW + timedelta(seconds=91)))
    back = lead(store, "a", NOW + timedelta(seconds=91))

    assert (first, other, renewed, still, taken, back) == (
        True, False, True, False, True, True,
    )  # fmt: skip


def test_a_lease_of_a_clock_that_was_ahead_keeps_nobody_from_leading(
    store: Store,
) -> None:
    lead(store, "a", NOW + timedelta(hours=3))  # killed, and the clock set right

    assert lead(store, "b", NOW)
    assert not lead(store, "a", NOW + timedelta(seconds=1))


def test_what_many_count_in_an_hour_is_counted_once_each(store: Store) -> None:
    def count(_: int) -> int:
        return store.write(lambda db: book.count_in_hour(db, "told", NOW))

    with ThreadPoolExecutor(8) as threads:
        found = sorted(threads.map(count, range(40)))

    assert found == list(range(1, 41))
