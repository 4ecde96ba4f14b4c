"""Writes of a moment share a commit; one that fails harms no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import wait
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bridge.errors import StoreUnavailable
from bridge.store import Store, book, inbox, reports, tables

from .conftest import NOW, delivery


def mark(name: str) -> Callable[[sa.Connection], None]:
    return lambda db: book.mark(db, name, NOW)


def names(store: Store) -> set[str]:
    with store.read() as db:
        return set(db.execute(sa.select(tables.marks.c.name)).scalars())


def held(store: Store, *, apart: bool = False) -> tuple[threading.Event, Any]:
    """Keep a writer busy until the event is set."""
    go = threading.Event()
    began = threading.Event()

    def busy(db: sa.Connection) -> None:
        began.set()
        go.wait(20)

    future = store.submit(busy, apart=apart)
    began.wait(20)
    return go, future


@pytest.mark.store("sqlite")  # on PostgreSQL four writers take them at once
def test_writes_that_wait_share_one_commit(open_store: Callable[..., Store]) -> None:
    heard: list[str] = []
    store = open_store(watch=heard.append)
    go, first = held(store)
    futures = [store.submit(mark(f"m{n}")) for n in range(50)]
    go.set()
    wait([first, *futures], 20)

    assert heard.count("before commit") == 2
    assert len(names(store)) == 50


def test_a_write_that_fails_harms_no_other_of_its_batch(store: Store) -> None:
    def broken(db: sa.Connection) -> None:
        book.mark(db, "half", NOW)
        raise LookupError("this one only")

    go, first = held(store)
    futures = [
        store.submit(mark("before")),
        store.submit(broken),
        store.submit(mark("after")),
    ]
    go.set()
    wait([first, *futures], 20)

    assert isinstance(futures[1].exception(), LookupError)
    assert names(store) == {"before", "after"}


def test_a_row_the_database_refuses_harms_no_other(store: Store) -> None:
    go, first = held(store)
    good = store.submit(lambda db: inbox.put(db, delivery("good"), NOW))
    bad = store.submit(lambda db: db.execute(sa.insert(tables.events).values(id="bad")))
    go.set()
    wait([first, good, bad], 20)

    assert good.result() == "accepted"
    assert bad.exception() is not None
    with store.read() as db:
        assert [row.id for row in reports.list_events(db)] == ["good"]


def test_a_write_that_waits_too_long_is_refused_and_not_kept(store: Store) -> None:
    held_ones = [held(store) for _ in store._threads]
    with pytest.raises(StoreUnavailable, match="busy"):
        store.write(mark("late"), patience=0.01)
    for go, _ in held_ones:
        go.set()
    wait([future for _, future in held_ones], 20)
    store.write(mark("next"))

    assert names(store) == {"next"}


def test_what_is_written_apart_shares_no_transaction(
    open_store: Callable[..., Store],
) -> None:
    heard: list[str] = []
    store = open_store(watch=heard.append)
    seen: list[list[Any]] = []

    def each(db: sa.Connection, items: list[Any]) -> list[Any]:
        seen.append(items)
        return items

    go, first = held(store, apart=True)
    alone = [store.submit(mark(name), apart=True) for name in ("one", "two")]
    told = [store._submit(each, number, apart=True) for number in range(3)]
    go.set()
    wait([first, *alone, *told], 20)

    assert [future.result() for future in told] == [0, 1, 2]
    assert seen == [[0, 1, 2]]
    assert heard.count("before commit") == (2 if store.sqlite else 4)
    assert names(store) == {"one", "two"}


def test_after_closing_nothing_is_taken(store: Store) -> None:
    store.write(mark("one"))
    store.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        store.write(mark("two"))


def test_closing_keeps_what_was_submitted(open_store: Callable[..., Store]) -> None:
    store = open_store()
    futures = [store.submit(mark(f"m{n}")) for n in range(30)]
    store.close()

    assert all(future.done() for future in futures)
    assert len(names(open_store())) == 30


def test_a_reader_sees_whole_commits_only(store: Store) -> None:
    seen: list[set[str]] = []

    def two(db: sa.Connection) -> None:
        book.mark(db, "one", NOW)
        seen.append(names(store))
        book.mark(db, "two", NOW)

    store.write(two)

    assert seen == [set()]
    assert names(store) == {"one", "two"}


def test_what_is_read_together_is_of_one_moment(store: Store) -> None:
    known = sa.select(tables.marks.c.name)
    with store.read() as db:
        before = list(db.execute(known))
        store.write(mark("since"))
        after = list(db.execute(known))

    assert before == after
    assert names(store) == {"since"}


def test_instants_money_and_days_come_back_as_they_went(store: Store) -> None:
    at = datetime(2026, 11, 2, 13, 0, 0, 123456, tzinfo=UTC)
    values = {
        "service_id": 2**62,
        "client_id": 1,
        "from_product_id": 1,
        "to_product_id": 2,
        "from_product": "Ñandú 🎧",
        "to_product": "b",
        "cycle": "Annually",
        "charge": Decimal("0.10"),
        "currency": "ARS",
        "recurring": Decimal("1234567890123.45"),
        "new_period": True,
        "next_due": date(2028, 2, 29),
        "working": [{"amount": Decimal("1.10"), "day": date(2026, 1, 1)}],
        "native": False,
        "state": "ordered",
    }
    store.write(lambda db: book.keep(db, "upgrades", "u", values, at, ""))
    with store.read() as db:
        row = book.order(db, "u")

    assert (row.charge, row.recurring) == (Decimal("0.10"), values["recurring"])
    assert (row.created_at, row.next_due) == (at, date(2028, 2, 29))
    assert (row.service_id, row.from_product) == (2**62, "Ñandú 🎧")
    assert row.working == [{"amount": "1.10", "day": "2026-01-01"}]


def test_a_naive_instant_is_refused(store: Store) -> None:
    naive = datetime(2026, 11, 2, 13, 0)  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="naive"):
        store.write(lambda db: book.mark(db, "m", naive))


@pytest.mark.store("sqlite")  # it has one writer that can be locked out
def test_a_database_locked_by_another_is_unavailable_and_then_works(
    database_url: str, store: Store
) -> None:
    other = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with other.connect() as db:
        db.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            store.write(mark("locked out"))
        db.exec_driver_sql("ROLLBACK")
    other.dispose()
    store.write(mark("works"))

    assert names(store) == {"works"}


@pytest.mark.store("sqlite")
def test_a_file_that_was_removed_takes_nothing_more(database_url, store: Store) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    away = path.with_name("away.db")
    path.rename(away)
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        store.write(mark("lost"))
    away.rename(path)
    store.write(mark("kept"))

    assert names(store) == {"kept"}
