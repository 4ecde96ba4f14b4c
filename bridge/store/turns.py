"""Turns on disk: when a number last wrote, and whom it may not write to yet.

They are marks, each under a name that says whose it is, so that neither a restart
nor a second process breaks a rate.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from bridge.store import book
from bridge.store.dialect import insert
from bridge.store.tables import marks


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
