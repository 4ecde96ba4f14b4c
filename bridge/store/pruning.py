"""What may go after a while: events that are over, with their jobs and messages."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from bridge.store.dialect import before_first
from bridge.store.tables import (
    attempts,
    cancellations,
    events,
    jobs,
    messages,
    transfers,
    upgrades,
)

#: States of a finished job that nobody is asked to look at.
_OVER = ("done", "skipped", "rehearsed", "withdrawn")
#: The key of an order's job begins with this and the order's id.
_OF_AN_ORDER = "upgrade:"


def prune_events(db: sa.Connection, before: datetime, limit: int = 1000) -> int:
    """Delete events older than *before* with what came of them, if all is over.

    Whatever is open, parked or scheduled keeps its event. Returns how many went.
    """
    open_job = sa.exists().where(
        jobs.c.event_id == events.c.id,
        jobs.c.state.in_(("waiting", "joined", "running", "parked")),
    )
    ids = (
        sa.select(events.c.id)
        .where(events.c.received_at < before, ~open_job, events.c.state != "new")
        .order_by(events.c.received_at)
        .limit(limit)
    )
    old = db.execute(ids).scalars().all()
    if not old:
        return 0
    keys = sa.select(jobs.c.key).where(jobs.c.event_id.in_(old))
    db.execute(sa.delete(attempts).where(attempts.c.job_key.in_(keys)))
    db.execute(sa.delete(messages).where(messages.c.event_id.in_(old)))
    db.execute(sa.delete(jobs).where(jobs.c.event_id.in_(old)))
    db.execute(sa.delete(events).where(events.c.id.in_(old)))
    return len(old)


def prune_jobs(db: sa.Connection, before: datetime, limit: int = 1000) -> int:
    """Delete jobs of no event that were finished before *before*; return how many.

    Those are lines for staff, steps of what a command or the comparison with the
    panel began, and failures of unknown messages. A parked one stays, and one that is
    referred to: by its message, or by alerts that went out with it. So does each job
    of a cancellation, order or change of owner as long as the row is there: that its
    key is known keeps it from being put in, and done, a second time.
    """
    others = jobs.alias()
    shares = sa.exists().where(
        others.c.together == jobs.c.key, others.c.key != jobs.c.key
    )
    old = (
        sa.select(jobs.c.key)
        .where(
            jobs.c.event_id.is_(None),
            jobs.c.state.in_(_OVER),
            jobs.c.finished_at < before,
            ~sa.exists().where(messages.c.job_key == jobs.c.key),
            ~shares,
            ~_of_a_row(db),
        )
        .limit(limit)
    )
    keys = db.execute(old).scalars().all()
    if keys:
        db.execute(sa.delete(attempts).where(attempts.c.job_key.in_(keys)))
        db.execute(sa.delete(jobs).where(jobs.c.key.in_(keys)))
    return len(keys)


def _of_a_row(db: sa.Connection) -> sa.ColumnElement[bool]:
    """Return whether the row is there that a job's key begins with (`<row>/<step>`)."""
    row = before_first(db, jobs.c.key, "/")
    order = sa.func.substr(row, len(_OF_AN_ORDER) + 1)
    return sa.or_(
        sa.exists().where(cancellations.c.key == row),
        sa.exists().where(transfers.c.key == row),
        sa.and_(
            jobs.c.key.startswith(_OF_AN_ORDER),
            sa.exists().where(upgrades.c.id == order),
        ),
    )
