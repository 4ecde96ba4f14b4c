"""Templates that changed, and messages held back until a fitting one is approved."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from bridge.store import book
from bridge.store.dialect import among
from bridge.store.tables import jobs, marks

#: The mark of the last time at which the provider told that a template changed.
_CHANGED = "templates changed"


def release(db: sa.Connection, name: str, now: datetime) -> None:
    """Let go what was held back for a template that is approved."""
    held = sa.update(jobs).where(
        among(jobs.c.state, "waiting"), jobs.c.reason.startswith(held_for(name))
    )
    db.execute(held.values(run_at=now))


def held_for(name: str) -> str:
    """Return how the reason of a job begins that waits for its template."""
    return f'the template "{name}" cannot be sent now: '


def changed(db: sa.Connection, now: datetime) -> None:
    """Note that a template changed: what it says now is to be read."""
    book.mark(db, _CHANGED, now)


def changed_at(db: sa.Connection) -> datetime | None:
    """Return when a template changed that was not read since, None if none did."""
    found = book.marked(db, _CHANGED)
    return None if found is None else found[0]


def were_read(db: sa.Connection, at: datetime) -> None:
    """Note that all that had changed by then was read."""
    known = sa.delete(marks).where(marks.c.name == _CHANGED, marks.c.at <= at)
    db.execute(known)
