"""Who may be written to now, whichever process asks, and in whatever order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import sqlalchemy as sa

from bridge.store import Store, tables, turns
from bridge.store.turns import Pair
from tests.looking import rows

from .conftest import NOW

APART = timedelta(seconds=6)
PEOPLE = [f"+54911{number:08d}" for number in range(40)]


def take(db: sa.Connection, asked: list[Pair]) -> list[datetime | None]:
    return turns.take_pairs(db, asked, APART)


def to(person: str, seconds: float = 0.0, sender: str = "cloud/1") -> Pair:
    return Pair(sender, person, NOW + timedelta(seconds=seconds))


def test_one_turn_in_six_seconds_to_each_person_by_each_number(store: Store) -> None:
    asked = [
        [to("a"), to("b"), to("a")],
        [to("a", 5.9), to("a", 5.9, "cloud/2"), to("c", 5.9)],
        [to("a", 6), to("b", 6)],
    ]
    told = [store.write(lambda db, some=some: take(db, some)) for some in asked]

    assert told == [[None, None, NOW], [NOW, None, None], [None, None]]


def test_of_several_processes_one_has_the_turn(
    open_store: Callable[..., Store],
) -> None:
    stores = [open_store() for _ in range(3)]

    def ask(store: Store, person: str) -> bool:
        return store.write_each(take, to(person), 20.0, apart=True) is None

    with ThreadPoolExecutor(24) as pool:
        told = [
            (person, pool.submit(ask, store, person))
            for number, store in enumerate(stores)
            for person in random.Random(number).sample(PEOPLE, len(PEOPLE))
        ]

    won = Counter(person for person, mine in told if mine.result())
    assert won == Counter(PEOPLE)


def test_who_was_written_to_is_forgotten_when_it_matters_no_more(store: Store) -> None:
    asked = [to("old", -3600), to("new")]
    for one in asked:
        store.write(lambda db, one=one: take(db, [one]))
    gone = store.write(lambda db: turns.prune_pairs(db, NOW))

    assert gone == 1
    assert [row.person for row in rows(store, tables.pairs)] == ["new"]
