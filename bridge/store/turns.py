"""Turns on disk: when a number last wrote, and whom it may not write to yet.

They are marks, each under a name that says whose it is, so that neither a restart
nor a second process breaks a rate. The time of a number that writes often is handed
out in slices: what lies in one is its holder's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from bridge.store import book
from bridge.store.columns import BIG
from bridge.store.dialect import insert
from bridge.store.tables import marks, pairs

#: So far ahead of now a number's time is handed out; of what is left of that, one
#: slice is half at most, so that the more ask for it the shorter each one's is.
AHEAD = timedelta(seconds=1)
#: A time further ahead was handed out before the clock was set back.
_SET_BACK = timedelta(minutes=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def take(
    db: sa.Connection, name: str, now: datetime, apart: timedelta
) -> datetime | None:
    """Take the turn of *name*, which has one in *apart*; else return the last one.

    A last turn that lies far ahead is no reason to wait: the clock was set back.
    """
    statement = insert(db.dialect.name, marks).values(name=name, at=now, detail={})
    free = sa.or_(marks.c.at <= now - apart, marks.c.at > now + apart)
    taken = statement.on_conflict_do_update(
        index_elements=["name"], set_={"at": now}, where=free
    )
    if db.execute(taken.returning(marks.c.name)).first() is not None:
        return None
    return last(db, name)


def last(db: sa.Connection, name: str) -> datetime | None:
    """Return when *name* last had its turn, None where nothing is known."""
    found = book.marked(db, name)
    return None if found is None else found[0]


def refuse(db: sa.Connection, name: str, until: datetime, times: int) -> None:
    """Note that *name* was refused so many times in a row, and waits until then."""
    book.mark(db, name, until, times=times)


def refused(
    db: sa.Connection, prefix: str, since: datetime
) -> dict[str, tuple[datetime, int]]:
    """Return who was refused: until when he waits, and how often it was in a row.

    Those whose wait was over before *since* are left out.
    """
    query = sa.select(marks.c.name, marks.c.at, marks.c.detail).where(
        marks.c.name.startswith(prefix, autoescape=True), marks.c.at > since
    )
    return {
        row.name.removeprefix(prefix): (row.at, int(row.detail["times"]))
        for row in db.execute(query)
    }


def forget(db: sa.Connection, name: str) -> None:
    """Drop what was noted of *name*."""
    db.execute(sa.delete(marks).where(marks.c.name == name))


def prune(db: sa.Connection, prefix: str, before: datetime) -> int:
    """Drop marks whose names begin so and are older; return how many went."""
    old = sa.delete(marks).where(
        marks.c.name.startswith(prefix, autoescape=True), marks.c.at < before
    )
    return int(db.execute(old).rowcount)


# --- Who was written to, by which number ---


@dataclass(frozen=True)
class Pair:
    """A number and a person whom it wants to write to *at* this time."""

    sender: str
    person: str
    at: datetime


@cache
def _take_pairs(dialect: str, apart: timedelta) -> Any:
    statement = insert(dialect, pairs)
    last, now = (sa.type_coerce(c.at, BIG) for c in (pairs.c, statement.excluded))
    free = sa.or_(last <= now - _whole(apart), last > now + _whole(_SET_BACK))
    statement = statement.on_conflict_do_update(
        index_elements=["sender", "person"], set_={"at": now}, where=free
    )
    return statement.returning(pairs.c.sender, pairs.c.person)


def _whole(time: timedelta) -> int:
    return time // timedelta(microseconds=1)


def take_pairs(
    db: sa.Connection, asked: Sequence[Pair], apart: timedelta
) -> list[datetime | None]:
    """Take the turn to each person, one in *apart*; else return when the last was.

    Of several to one person the first has it.
    """
    firsts: dict[tuple[str, str], Pair] = {}
    for one in asked:
        firsts.setdefault((one.sender, one.person), one)
    # In one order: else two processes might wait for each other.
    rows = [vars(firsts[key]) for key in sorted(firsts)]
    found = db.execute(_take_pairs(db.dialect.name, apart), rows)
    taken = {tuple(row) for row in found}
    last = {} if len(taken) == len(asked) else _last(db, list(firsts))
    told: list[datetime | None] = []
    for one in asked:
        key = one.sender, one.person
        mine = key in taken and one is firsts[key]
        told.append(None if mine else last[key])
    return told


def _last(
    db: sa.Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], datetime]:
    query = sa.select(pairs).where(sa.tuple_(pairs.c.sender, pairs.c.person).in_(keys))
    return {(row.sender, row.person): row.at for row in db.execute(query)}


def prune_pairs(db: sa.Connection, now: datetime) -> int:
    """Drop who was written to long enough ago; return how many went."""
    old = sa.delete(pairs).where(pairs.c.at < now - _SET_BACK)
    return int(db.execute(old).rowcount)


# --- Slices of a number's time ---


def hand_out(
    until: datetime, now: datetime, gap: timedelta, wanted: int
) -> tuple[datetime, int]:
    """Return where a slice begins and how many places it has, each *gap* long.

    *until* is where the last slice ends. There is one place at least.
    """
    begins = until if now < until <= now + _SET_BACK else now
    room = (AHEAD - (begins - now)) / 2 // gap
    return begins, max(min(wanted, room), 1)


def lease(
    db: sa.Connection,
    name: str,
    gap: timedelta,
    wanted: int,
    clock: Callable[[sa.Connection], datetime],
) -> tuple[datetime, int]:
    """Take the next slice of *name*'s time, as `hand_out` says; nobody else gets it.

    *clock* is read once nobody else can take one meanwhile. The slice of a process
    that died goes by like any other.
    """
    if db.dialect.name == "postgresql":
        # A server that crashes takes longer to come back than what it forgets lasts.
        db.exec_driver_sql("SET LOCAL synchronous_commit = off")
    until, _ = book.locked(db, name, _NEVER)
    begins, places = hand_out(until, clock(db), gap, wanted)
    mine = sa.update(marks).where(marks.c.name == name)
    db.execute(mine.values(at=begins + places * gap))
    return begins, places


def clock(db: sa.Connection) -> datetime:
    """Return the database's own time, which is the same for all processes."""
    if db.dialect.name != "postgresql":
        return datetime.now(UTC)
    found: datetime = db.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return found
