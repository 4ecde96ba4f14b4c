"""Alerts that go out as one message: which ones, whatever becomes of the message.

The first of them carries the others; they are *joined*, and nobody claims them, until
it is known what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bridge.store.dialect import among
from bridge.store.outbox import OF_A_JOB, Finish, Job, claimed
from bridge.store.tables import jobs


def join(db: sa.Connection, leader: Job, others: Sequence[Job]) -> list[str]:
    """Let claimed alerts go with *leader*; return the keys of those that do.

    None does where the leader's claim is lost, nor does one whose own is.
    """
    if not _mine(db, leader, together=leader.key):
        return []
    reason = f"goes out together with {leader.key}"
    values = {"state": "joined", "together": leader.key, "reason": reason}
    return [one.key for one in others if _mine(db, one, **values)]


def _mine(db: sa.Connection, job: Job, **values: str) -> bool:
    change = sa.update(jobs).where(claimed(job.key, job.epoch)).values(values)
    return bool(db.execute(change).rowcount)


def others(db: sa.Connection, leader: str) -> list[Job]:
    """Return the alerts that go, or went, in the message of *leader*."""
    query = sa.select(*OF_A_JOB).where(
        jobs.c.together == leader,
        jobs.c.key != leader,
        among(jobs.c.state, "joined", "done"),
    )
    rows = db.execute(query.order_by(jobs.c.due_at, jobs.c.key))
    return [Job(*row) for row in rows]


def leave(db: sa.Connection, key: str, reason: str, now: datetime) -> None:
    """Leave one out of its message, and finish it as skipped."""
    values = {"state": "skipped", "reason": reason, "finished_at": now}
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state == "joined")
    db.execute(change.values(values | {"together": None}))


def go_alone(db: sa.Connection, key: str, now: datetime) -> None:
    """Let one that goes with others go alone, now: it is another client's."""
    alone = {"state": "waiting", "run_at": now, "together": None, "group_key": ""}
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state == "joined")
    db.execute(change.values(alone | {"reason": None}))


def settle(db: sa.Connection, leader: str, result: Finish, now: datetime) -> list[Job]:
    """Finish the joined ones as their message was; return them."""
    found = others(db, leader)
    change = sa.update(jobs).where(
        jobs.c.together == leader, jobs.c.key != leader, jobs.c.state == "joined"
    )
    with_it = f"together with {leader}"
    reason = f"went out {with_it}"
    if result.state != "done":
        reason = f"{with_it}: {result.reason}"
    values = {"state": result.state, "reason": reason, "outcome": result.outcome}
    if db.execute(change.values(values | {"finished_at": now})).rowcount == 0:
        return []
    return found


def part(db: sa.Connection, leader: str, now: datetime) -> None:
    """Let each go alone: their one message cannot be sent, and did not leave."""
    change = sa.update(jobs).where(jobs.c.together == leader, jobs.c.key != leader)
    values = {"state": "waiting", "run_at": now, "together": None, "group_key": ""}
    alone = values | {"reason": None}
    db.execute(change.where(jobs.c.state == "joined").values(alone))
    first = sa.update(jobs).where(jobs.c.key == leader)
    db.execute(first.values(together=None))
