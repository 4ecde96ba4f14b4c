"""Jobs: put in once under a key, claimed under a lease, finished under a fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from bridge.store.dialect import among, insert
from bridge.store.tables import attempts, jobs

#: So many keys in one statement: PostgreSQL takes 65,535 values.
_MOST_KEYS = 10_000
#: Jobs in these states are finished.
FINAL = ("done", "skipped", "parked", "rehearsed", "withdrawn")


@dataclass(frozen=True)
class NewJob:
    """A job to put in. *steps* are the `then` steps that follow when it worked."""

    key: str
    event_id: str | None
    action: str
    rule: str
    run_at: datetime
    parameters: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)
    condition: str | None = None
    acts: bool = False
    urgent: bool = False
    client_id: int | None = None


@dataclass(frozen=True)
class Job:
    """A claimed job; *epoch* proves to the store that the claim is still ours.

    The claim ends at *run_at*.
    """

    key: str
    event_id: str | None
    action: str
    rule: str
    parameters: dict[str, Any]
    steps: list[dict[str, Any]]
    condition: str | None
    acts: bool
    urgent: bool
    epoch: int
    attempts: int
    client_id: int | None
    group_key: str | None
    due_at: datetime
    created_at: datetime
    deaths: int = 0
    unsure: int = 0
    together: str | None = None
    run_at: datetime | None = None

    @property
    def maybe_sent(self) -> int:
        """How many attempts before this one may have sent a message."""
        return max(self.unsure, 1 if self.deaths else 0)


@dataclass(frozen=True)
class Finish:
    """What a job came to. With *run_at* it is not over: it waits until then.

    *unsure*: a message may have left of which nobody knows.
    """

    state: str
    reason: str | None = None
    outcome: dict[str, Any] | None = None
    run_at: datetime | None = None
    client_id: int | None = None
    group_key: str | None = None
    seen: dict[str, Any] = field(default_factory=dict)
    forget_attempt: bool = False
    unsure: bool = False


#: The columns that make a `Job`, in its order.
OF_A_JOB = tuple(jobs.c[name] for name in Job.__dataclass_fields__)


def new_value(column: sa.Column[Any]) -> Any:
    return sa.bindparam(f"new_{column.name}", type_=column.type)


def claimed(key: Any, epoch: Any) -> sa.ColumnElement[bool]:
    """Return what holds of a job as long as the claim with that *epoch* does."""
    return sa.and_(jobs.c.key == key, jobs.c.epoch == epoch, jobs.c.state == "running")


_CHANGED = (
    *("state", "reason", "outcome", "run_at", "finished_at", "attempts"),
    "unsure",
)
_FINISH = (
    sa.update(jobs)
    .where(claimed(sa.bindparam("my_key"), sa.bindparam("my_epoch")))
    .values(
        {name: new_value(jobs.c[name]) for name in _CHANGED}
        | {
            name: sa.func.coalesce(new_value(jobs.c[name]), jobs.c[name])
            for name in ("client_id", "group_key")
        }
    )
)
_TRY = sa.insert(attempts)
#: What was none of a job's tries is shown once, however often it came to the same.
_SAME_TRY = sa.delete(attempts).where(
    attempts.c.job_key == sa.bindparam("my_key"),
    attempts.c.number == sa.bindparam("my_number"),
    attempts.c.state == "retry",
)


def put(db: sa.Connection, new: Sequence[NewJob], now: datetime) -> None:
    """Put jobs in; one whose key is known already stays as it is.

    Only what was merely rehearsed under that key waits once more.
    """
    if not new:
        return
    db.execute(_insert(db.dialect.name), [_row(job, now) for job in new])


@cache
def _insert(dialect: str) -> Any:
    statement = insert(dialect, jobs)
    fresh = statement.excluded
    again = {
        "state": "waiting",
        "parameters": fresh.parameters,
        "run_at": fresh.run_at,
        "due_at": fresh.due_at,
        "attempts": 0,
        "finished_at": None,
    }
    return statement.on_conflict_do_update(
        index_elements=["key"],
        set_=again,
        where=jobs.c.state == "rehearsed",
    )


def _row(job: NewJob, now: datetime) -> dict[str, Any]:
    return {
        "key": job.key,
        "event_id": job.event_id,
        "action": job.action,
        "rule": job.rule,
        "parameters": job.parameters,
        "steps": job.steps,
        "condition": job.condition,
        "acts": job.acts,
        "urgent": job.urgent,
        "client_id": job.client_id,
        "state": "waiting",
        "run_at": job.run_at,
        "due_at": job.run_at,
        "created_at": now,
    }


def finish(db: sa.Connection, job: Job, result: Finish, now: datetime) -> bool:
    """Record what a job came to; false when the claim is no longer ours."""
    return finish_each(db, [(job, result, now)])


def finish_each(
    db: sa.Connection, finished: Sequence[tuple[Job, Finish, datetime]]
) -> bool:
    """Record what jobs came to, each with its time, with one statement for all.

    False when not every claim is still ours: what was written must not stay then.
    """
    rows = [_finished(*one) for one in finished]
    if db.execute(_FINISH, rows).rowcount != len(rows):
        return False
    again = [
        {"my_key": job.key, "my_number": job.attempts}
        for job, result, _ in finished
        if result.forget_attempt and result.state == "retry"
    ]
    if again:
        db.execute(_SAME_TRY, again)
    tries = [
        _attempt(job, result, now)
        for job, result, now in finished
        if result.seen or result.state not in ("done", "skipped")
    ]
    if tries:
        db.execute(_TRY, tries)
    return True


def _finished(job: Job, result: Finish, now: datetime) -> dict[str, Any]:
    waits = result.run_at is not None
    return {
        "my_key": job.key,
        "my_epoch": job.epoch,
        "new_state": "waiting" if waits else result.state,
        "new_reason": result.reason,
        "new_outcome": result.outcome,
        "new_run_at": result.run_at if waits else job.due_at,
        "new_finished_at": None if waits else now,
        "new_attempts": job.attempts - (1 if result.forget_attempt else 0),
        "new_unsure": job.maybe_sent + (1 if result.unsure else 0),
        "new_client_id": result.client_id,
        "new_group_key": result.group_key,
    }


def _attempt(job: Job, result: Finish, now: datetime) -> dict[str, Any]:
    return {
        "job_key": job.key,
        "number": job.attempts,
        "at": now,
        "state": result.state,
        "reason": result.reason,
        "seen": result.seen,
    }


def wake(db: sa.Connection, reason: str, now: datetime) -> int:
    """Let jobs run now that wait for a reason which begins so; return how many.

    What waits no longer for the same moment runs in the order it was due in.
    """
    change = sa.update(jobs).where(
        among(jobs.c.state, "waiting"),
        jobs.c.run_at > now,
        jobs.c.reason.startswith(reason, autoescape=True),
    )
    return int(db.execute(change.values(run_at=now)).rowcount)


def get(db: sa.Connection, key: str) -> Any:
    """Return a job's row, None if there is none of that key."""
    return db.execute(sa.select(jobs).where(jobs.c.key == key)).first()


def move(db: sa.Connection, key: str, at: datetime) -> None:
    """Give a waiting job another due time."""
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state == "waiting")
    db.execute(change.values(run_at=at, due_at=at))


def revive(db: sa.Connection, key: str, at: datetime) -> None:
    """Let a job that is over wait again, until *at*."""
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state.in_(FINAL))
    values = {"state": "waiting", "reason": None, "attempts": 0, "finished_at": None}
    db.execute(change.values(values | {"run_at": at, "due_at": at}))


def wait_again(db: sa.Connection, key: str, reason: str, now: datetime) -> None:
    """Let a job that is done wait once more, behind the others.

    Its message was taken and not sent after all: that was none of its tries.
    """
    gone = sa.and_(attempts.c.job_key == key, attempts.c.state == "done")
    values: dict[str, Any] = {"state": "waiting", "reason": reason, "outcome": None}
    values |= {"run_at": now, "due_at": now, "finished_at": None}
    less = sa.case((jobs.c.attempts > 0, jobs.c.attempts - 1), else_=0)
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state == "done")
    if db.execute(change.values(values | {"attempts": less})).rowcount:
        db.execute(sa.delete(attempts).where(gone))


def was_done(db: sa.Connection, key: str, now: datetime) -> None:
    """End a job that waits to send what had arrived after all.

    One that carries others, which are not over, finds that out when it runs.
    """
    others = jobs.alias()
    carries = sa.exists().where(others.c.together == key, others.c.state == "joined")
    change = sa.update(jobs).where(jobs.c.key == key, jobs.c.state == "waiting")
    values = {"state": "done", "reason": None, "finished_at": now}
    db.execute(change.where(~carries).values(values))


def withdraw(
    db: sa.Connection,
    keys: Sequence[str],
    reason: str,
    now: datetime,
    states: Sequence[str] = ("waiting",),
) -> int:
    """Withdraw jobs by key that wait, or are in other *states*; return how many."""
    if not keys:
        return 0
    change = sa.update(jobs).where(jobs.c.key.in_(keys), jobs.c.state.in_(states))
    values = {"state": "withdrawn", "reason": reason, "finished_at": now}
    return int(db.execute(change.values(values)).rowcount)


def again(
    db: sa.Connection, now: datetime, *, keys: Sequence[str] | None = None
) -> int:
    """Let parked jobs (all, or those of *keys*) run again with fresh attempts."""
    change = sa.update(jobs).where(jobs.c.state == "parked")
    values: dict[str, Any] = {"state": "waiting", "run_at": now, "attempts": 0}
    # Whoever says so knows that it may have arrived: it may go once more.
    once = sa.case((jobs.c.unsure > 1, 1), else_=jobs.c.unsure)
    values |= {"finished_at": None, "unsure": once, "together": None}
    change = change.values(values)
    if keys is None:
        return int(db.execute(change).rowcount)
    parts = (keys[at : at + _MOST_KEYS] for at in range(0, len(keys), _MOST_KEYS))
    changes = (change.where(jobs.c.key.in_(some)) for some in parts)
    return sum(int(db.execute(one).rowcount) for one in changes)


def state_of(db: sa.Connection, key: str) -> str | None:
    """Return the state of a job, None if there is none of that key."""
    return db.execute(sa.select(jobs.c.state).where(jobs.c.key == key)).scalar()
