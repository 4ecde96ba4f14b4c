"""Messages that a provider says went to another number than they were written to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bridge.store.outbox import NewJob
from bridge.store.progress import Told
from bridge.store.tables import messages


def told(db: sa.Connection, states: Iterable[Told], now: datetime) -> list[NewJob]:
    """Return the jobs that tell staff of those that went astray, one for each."""
    found = list(db.execute(sa.select(messages).where(messages.c.reached.is_not(None))))
    if not found:
        return []
    named = {(one.tag or one.provider_id) for one in states}
    mine = [row for row in found if row.key in named or row.provider_id in named]
    return [tells(row._asdict(), now) for row in mine]


def tells(row: dict[str, Any], now: datetime) -> NewJob:
    """Return the job that tells staff of one, once."""
    about = (
        f"whmcs-bridge events show {row['event_id']}" if row["event_id"] else row["key"]
    )
    text = (
        f"[bridge] WhatsApp ({row['provider']}): the provider says that a message "
        f"({row['name']}) went to another number than it was written to: {about}"
    )
    return NewJob(
        key=f"{row['key']}/astray",
        event_id=None,
        action="log_activity",
        rule="whatsapp",
        run_at=now,
        parameters={"text": text, "raw": True},
    )
