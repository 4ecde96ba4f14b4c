"""What became of messages: each state that a provider told, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from bridge.store.tables import jobs, messages, receipts

#: A message is sent anew so often, at most.
_ANEW = 9


def messages_for(db: sa.Connection, event_ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return what was sent for each of some events, oldest first."""
    found: dict[str, list[Any]] = {id: [] for id in event_ids}
    shared = _shared(db, event_ids)
    query = sa.select(messages).where(
        sa.or_(messages.c.event_id.in_(event_ids), messages.c.job_key.in_(list(shared)))
    )
    for row in db.execute(query.order_by(messages.c.created_at, messages.c.key)):
        for id in {row.event_id, *shared.get(row.job_key, ())} & set(found):
            found[id].append(row)
    return found


def _shared(db: sa.Connection, event_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return the jobs whose message tells of other events too, with those events."""
    query = sa.select(jobs.c.event_id, jobs.c.together).where(
        jobs.c.event_id.in_(event_ids), jobs.c.together.is_not(None)
    )
    found: dict[str, set[str]] = {}
    for id, leader in db.execute(query):
        anew = (f"{leader}/again:{number}" for number in range(1, _ANEW + 1))
        for key in (leader, *anew):
            found.setdefault(key, set()).add(id)
    return found


def states_of(db: sa.Connection, sent: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the states that a provider told of messages, by their keys, in order."""
    found: dict[str, list[Any]] = {row.key: [] for row in sent}
    named = [row for row in sent if row.provider_id]
    by_id = {(row.provider, row.provider_id): row.key for row in named}
    ids = [row.provider_id for row in named]
    query = sa.select(receipts).where(
        sa.or_(receipts.c.tag.in_(list(found)), receipts.c.provider_id.in_(ids))
    )
    for row in db.execute(query.order_by(receipts.c.at, receipts.c.seq)):
        key = by_id.get((row.provider, row.provider_id), row.tag)
        if key in found:  # another provider's may have the same id
            found[key].append(row)
    return found


def settled(db: sa.Connection, sent: Sequence[Any]) -> dict[str, Any]:
    """Return the job that looked after each failed message, by the message's key."""
    keys = {
        f"{row.provider}:{row.provider_id}/failed": row.key
        for row in sent
        if row.provider_id
    }
    query = sa.select(jobs).where(jobs.c.key.in_(list(keys)))
    return {keys[row.key]: row for row in db.execute(query)}


def states(db: sa.Connection) -> dict[str, int]:
    """Return how many messages are in which state."""
    query = sa.select(messages.c.state, sa.func.count()).group_by(messages.c.state)
    return {state: int(count) for state, count in db.execute(query)}
