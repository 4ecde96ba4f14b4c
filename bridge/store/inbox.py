"""Deliveries become events: each id once, with the body that came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from bridge.events import Body, Event, Subject
from bridge.store.dialect import among, insert, skip_locked
from bridge.store.tables import events

ACCEPTED, DUPLICATE, CONFLICT = "accepted", "duplicate", "conflict"


@dataclass(frozen=True)
class Accepted:
    """A verified and read delivery, ready to be kept. *digest* is of the raw body."""

    id: str
    panel: str
    digest: str
    body: Body
    occurred_at: datetime
    subject: Subject
    state: str = "new"
    answer: dict[str, Any] | None = None
    reason: str | None = None
    map_version: str | None = None

    def event(self, received_at: datetime) -> Event:
        """Return it as the event that it is, before it has its place in the store."""
        return Event(
            self.id,
            self.panel,
            self.body.hookpoint,
            self.body.data,
            self.body.context,
            self.occurred_at,
            received_at,
        )


def put(db: sa.Connection, delivery: Accepted, now: datetime) -> str:
    """Keep a delivery; return accepted, duplicate or conflict (another body)."""
    return put_each(db, [(delivery, now)])[0]


def put_each(
    db: sa.Connection, deliveries: Sequence[tuple[Accepted, datetime]]
) -> list[str]:
    """Keep deliveries with one statement; return what became of each, in order."""
    rows = [_row(delivery, now) for delivery, now in deliveries]
    kept = set(db.execute(_insert(db.dialect.name), rows).scalars())
    found = []
    for delivery, _ in deliveries:
        if delivery.id in kept:
            kept.remove(delivery.id)
            found.append(ACCEPTED)
        else:
            found.append(_known(db, delivery))
    return found


def _known(db: sa.Connection, delivery: Accepted) -> str:
    query = sa.select(events.c.digest).where(events.c.id == delivery.id)
    if db.execute(query).scalar_one() == delivery.digest:
        return DUPLICATE
    flag = {"conflicts": events.c.conflicts + 1}
    db.execute(sa.update(events).where(events.c.id == delivery.id).values(flag))
    return CONFLICT


@cache
def _insert(dialect: str) -> Any:
    statement = insert(dialect, events).on_conflict_do_nothing(index_elements=["id"])
    return statement.returning(events.c.id)


_ANSWER = sa.select(events.c.digest, events.c.answer).where(
    events.c.id == sa.bindparam("event_id")
)
_UNMATCHED = (
    sa.select(events)
    .where(among(events.c.state, "new"))
    .order_by(events.c.seq)
    .limit(sa.bindparam("most"))
)
_MATCHED = (
    sa.update(events)
    .where(events.c.seq == sa.bindparam("row"))
    .values(
        state=sa.bindparam("to_state"),
        reason=sa.bindparam("why"),
        map_version=sa.bindparam("version"),
    )
)


def _row(delivery: Accepted, now: datetime) -> dict[str, Any]:
    about = delivery.subject
    return {
        "id": delivery.id,
        "panel": delivery.panel,
        "hookpoint": delivery.body.hookpoint,
        "digest": delivery.digest,
        "data": delivery.body.data,
        "context": delivery.body.context,
        "occurred_at": delivery.occurred_at,
        "received_at": now,
        "client_id": about.client or about.claims,
        "user_id": about.user,
        "state": delivery.state,
        "answer": delivery.answer,
        "reason": delivery.reason,
        "map_version": delivery.map_version,
    }


def answer_of(db: sa.Connection, id: str) -> tuple[str, dict[str, Any] | None] | None:
    """Return digest and answer of a decision asked before, or None."""
    row = db.execute(_ANSWER, {"event_id": id}).first()
    return None if row is None else (row.digest, row.answer)


def unmatched(db: sa.Connection, limit: int) -> list[Event]:
    """Return the oldest events that no map was asked about yet, locked for us."""
    query = skip_locked(db, _UNMATCHED)
    return [event_of(row) for row in db.execute(query, {"most": limit})]


def matched(
    db: sa.Connection, rows: Sequence[tuple[int, str, str | None]], version: str
) -> None:
    """Record what became of events: (seq, state, reason) and the map that decided."""
    if not rows:
        return
    names = ("row", "to_state", "why", "version")
    values = [dict(zip(names, (*row, version), strict=True)) for row in rows]
    db.execute(_MATCHED, values)


def get(db: sa.Connection, id: str) -> Event | None:
    """Return an event by its delivery id."""
    row = db.execute(sa.select(events).where(events.c.id == id)).first()
    return None if row is None else event_of(row)


def state_of(db: sa.Connection, id: str) -> str | None:
    """Return the state of an event, None if there is none of that id."""
    return db.execute(sa.select(events.c.state).where(events.c.id == id)).scalar()


def match_anew(db: sa.Connection, id: str, left_in: str, version: str) -> bool:
    """Have an event matched once more that another map than *version* left in a state.

    False where none did.
    """
    change = sa.update(events).where(
        events.c.id == id, events.c.state == left_in, events.c.map_version != version
    )
    return bool(db.execute(change.values(state="new", reason=None)).rowcount)


def many(db: sa.Connection, ids: Sequence[str]) -> dict[str, Event]:
    """Return events by id, in one query."""
    if not ids:
        return {}
    rows = db.execute(sa.select(events).where(events.c.id.in_(ids)))
    return {row.id: event_of(row) for row in rows}


def about(
    db: sa.Connection, client_id: int, user_id: int | None, around: datetime
) -> list[Event]:
    """Return what happened to a client (or his login) within ten minutes of *around*.

    In the panel's own order, which is that of its times, then of arrival.
    """
    window = timedelta(minutes=10)
    who = events.c.client_id == client_id
    if user_id is not None:
        who = sa.or_(who, events.c.user_id == user_id)
    query = (
        sa.select(events)
        .where(who, events.c.occurred_at.between(around - window, around + window))
        .order_by(events.c.occurred_at, events.c.seq)
        .limit(200)
    )
    return [event_of(row) for row in db.execute(query)]


def event_of(row: Any) -> Event:
    """Make an event of a row."""
    return Event(
        row.id,
        row.panel,
        row.hookpoint,
        row.data,
        row.context,
        row.occurred_at,
        row.received_at,
        row.seq,
    )
