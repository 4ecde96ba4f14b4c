"""Messages that are held back until a fitting template of theirs is approved."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from bridge.store.dialect import among
from bridge.store.tables import jobs


def release(db: sa.Connection, name: str, now: datetime) -> None:
    """Let go what was held back for a template that is approved."""
    held = sa.update(jobs).where(
        among(jobs.c.state, "waiting"), jobs.c.reason.startswith(held_for(name))
    )
    db.execute(held.values(run_at=now))


def held_for(name: str) -> str:
    """Return how the reason of a job begins that waits for its template."""
    return f'the template "{name}" cannot be sent now: '
