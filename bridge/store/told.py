"""What became of messages: each state that a provider told, and what followed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bridge.store import talk
from bridge.store.arrived import sent_anew
from bridge.store.progress import RANK, failed_keys, halted, named
from bridge.store.tables import jobs, messages, receipts


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
        for key in (leader, *sent_anew(leader)):
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
    keys = {key: row.key for row in sent for key in failed_keys(row)}
    query = sa.select(jobs).where(jobs.c.key.in_(list(keys)))
    return {keys[row.key]: row for row in db.execute(query)}


def passed_on(db: sa.Connection, key: str) -> bool | None:
    """Tell whether a message left the provider, by its own states; None: not told yet.

    It did too where it failed for a reason of its own. False where none is known.
    """
    row = talk.message(db, key=key)
    if row is None:
        return False
    id = named(row.provider_id or "", row.key)
    query = sa.select(receipts.c.state, receipts.c.kind).where(
        receipts.c.provider == row.provider, receipts.c.provider_id == id
    )
    said = list(db.execute(query))
    if any(halted(one) for one in said):
        return False
    return True if any(RANK[one.state] >= RANK["sent"] for one in said) else None


def alerts_of(db: sa.Connection, event_id: str) -> list[Any]:
    """Return the alerts that an event asked for, as far as `onechange` wants them."""
    columns = (jobs.c.state, jobs.c.condition, jobs.c.run_at, jobs.c.unsure)
    its = sa.and_(jobs.c.event_id == event_id, jobs.c.action == "send_alert")
    return list(db.execute(sa.select(*columns).where(its)))


def states(db: sa.Connection) -> dict[str, int]:
    """Return how many messages are in which state."""
    query = sa.select(messages.c.state, sa.func.count()).group_by(messages.c.state)
    return {state: int(count) for state, count in db.execute(query)}


def prune(db: sa.Connection, before: datetime, limit: int) -> int:
    """Drop messages of no event that are older than *before*; return how many went.

    Those of an event go with it.
    """
    old = sa.select(messages.c.key).where(
        messages.c.event_id.is_(None), messages.c.created_at < before
    )
    found = db.execute(old.limit(limit)).scalars().all()
    if found:
        db.execute(sa.delete(messages).where(messages.c.key.in_(found)))
    return len(found)
