"""What may go after a while: events that are over, with their jobs and messages."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from bridge.store.tables import attempts, events, jobs, messages


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
