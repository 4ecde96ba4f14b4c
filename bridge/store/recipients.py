"""Whom templates went to in the last day: as many as are allowed, whoever asks.

Rows and their count change in short transactions that hold the count's mark. So a
person is counted before anything is sent to him, by one process at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bridge.store import OneByOne, book, talk
from bridge.store.dialect import insert
from bridge.store.tables import marks, recipients

DAY = timedelta(days=1)
#: Marks with a provider's count begin so.
COUNT = "recipients:"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_provider, _person, _at = (recipients.c[name] for name in ("provider", "person", "at"))


@dataclass(frozen=True)
class Recipient:
    """A person to be counted *at* this time, if there are not *most* already."""

    provider: str
    person: str
    at: datetime
    most: int


def admit_each(db: sa.Connection, asked: Sequence[Recipient]) -> list[int]:
    """Count each person; return 0, or how many there are where he is one too many.

    Who was written to within the day is counted already: his day begins anew.
    """
    provider, now = asked[0].provider, max(one.at for one in asked)
    if any(one.provider != provider for one in asked):
        raise OneByOne
    count = _count(db, provider, now)
    people = {one.person for one in asked}
    query = sa.select(_person).where(_provider == provider, _person.in_(people))
    within = set(db.execute(query).scalars())
    told = []
    for one in asked:
        if one.person not in within and count >= one.most:
            told.append(count)
            continue
        count += one.person not in within
        within.add(one.person)
        told.append(0)
    _keep(db, provider, dict.fromkeys(within, now))
    book.mark(db, COUNT + provider, now, count=count)
    return told


def _count(db: sa.Connection, provider: str, now: datetime) -> int:
    """Let those go whose day is over, and return how many are left."""
    _, detail = book.locked(db, COUNT + provider, _NEVER)
    over = sa.delete(recipients).where(_provider == provider, _at <= now - DAY)
    gone = int(db.execute(over).rowcount)
    if "count" in detail:
        return int(detail["count"]) - gone
    every = sa.select(sa.func.count()).where(_provider == provider)
    return int(db.execute(every).scalar_one())


def _keep(db: sa.Connection, provider: str, people: Mapping[str, datetime]) -> None:
    about = {"provider": provider}
    rows = [about | {"person": who, "at": at} for who, at in people.items()]
    if not rows:
        return
    statement = insert(db.dialect.name, recipients)
    at = statement.excluded.at
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["provider", "person"], set_={"at": at}, where=_at < at
        ),
        rows,
    )


def missing(
    db: sa.Connection, provider: str, since: datetime, counted_since: datetime
) -> dict[str, datetime]:
    """Return whom messages since then went to by template, but were not counted.

    Each is counted before his message is kept: so *counted_since* is earlier.
    """
    query = sa.select(_person).where(_provider == provider, _at > counted_since)
    found = talk.reached(db, provider, since)
    counted = set(db.execute(query).scalars()) if found else set()
    return {who: at for who, at in found.items() if who not in counted}


def add(
    db: sa.Connection, provider: str, people: Mapping[str, datetime], now: datetime
) -> None:
    """Count people who were written to already, however many they are."""
    _count(db, provider, now)
    _keep(db, provider, people)
    _forget(db, provider)


def leaves(db: sa.Connection, provider: str, place: int) -> datetime | None:
    """Return when the one was written to who leaves the day as *place* (from 0) says.

    The last one stands for all behind him; None: nobody is counted.
    """
    query = sa.select(_at).where(_provider == provider)
    nth = query.order_by(_at).offset(place).limit(1)
    found = db.execute(nth).scalar()
    return found or db.execute(query.order_by(_at.desc()).limit(1)).scalar()


def prune(db: sa.Connection, now: datetime) -> int:
    """Drop those whose day is over, of all providers; return how many went."""
    _forget(db)  # first: who counts holds it while he deletes
    return int(db.execute(sa.delete(recipients).where(_at <= now - DAY)).rowcount)


def _forget(db: sa.Connection, provider: str = "") -> None:
    """Drop the count: who comes next counts the rows."""
    counts = marks.c.name.startswith(COUNT + provider, autoescape=True)
    db.execute(sa.delete(marks).where(counts))
