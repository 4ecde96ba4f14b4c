"""Claims: which due jobs are taken, for how long, and given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store.dialect import among, skip_locked
from bridge.store.outbox import OF_A_JOB, Job, claimed, new_value
from bridge.store.tables import jobs

#: Twice in a row nobody finished them: one of them may end the process.
_suspect = sa.and_(
    among(jobs.c.state, "running"), jobs.c.deaths > sa.literal_column("0")
)


def _due(acts: bool, *more: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(jobs.c.key)
        .where(
            jobs.c.acts == acts,
            among(jobs.c.state, "waiting", "running"),
            jobs.c.run_at <= sa.bindparam("now", type_=jobs.c.run_at.type),
            *more,
        )
        .order_by(jobs.c.run_at, jobs.c.due_at)  # many may wait for one moment
        .limit(sa.bindparam("most"))
    )


# Built once: at hundreds of jobs a second, building them costs more than the database.
_DUE = {
    (acts, urgent): _due(acts, jobs.c.urgent == urgent, ~_suspect)
    for acts in (True, False)
    for urgent in (True, False)
}
_SUSPECT = {
    acts: _due(acts, jobs.c.urgent.in_((True, False)), _suspect)
    for acts in (True, False)
}
#: Whether it acts, and whether it is urgent; None for one that may end the process.
Kind = tuple[bool, bool | None]
_EACH = [
    (acts, urgent, suspect)
    for acts in (True, False)
    for urgent in (True, False)
    for suspect in (True, False)
]
KINDS: frozenset[Kind] = frozenset(
    (acts, None if suspect else urgent) for acts, urgent, suspect in _EACH
)
# One statement tells which of those are worth asking: at most moments, one is.
_WHICH: Any = sa.union_all(
    *(
        sa.select(sa.literal_column(str(place))).where(
            _due(acts, jobs.c.urgent == urgent, _suspect if suspect else ~_suspect)
            .order_by(None)
            .limit(None)
            .exists()
        )
        for place, (acts, urgent, suspect) in enumerate(_EACH)
    )
)
_TAKE = (
    sa.update(jobs)
    .where(jobs.c.key.in_(sa.bindparam("keys", expanding=True)))
    .values(
        state="running",
        run_at=sa.bindparam("until", type_=jobs.c.run_at.type),
        epoch=jobs.c.epoch + 1,
        attempts=jobs.c.attempts + 1,
        deaths=sa.case((jobs.c.state == "running", jobs.c.deaths + 1), else_=0),
    )
    .returning(*OF_A_JOB)
)


def kinds_due(db: sa.Connection, now: datetime) -> frozenset[Kind]:
    """Return of which kinds there are due jobs."""
    found = (_EACH[place] for place in db.execute(_WHICH, {"now": now}).scalars())
    return frozenset(
        (acts, None if suspect else urgent) for acts, urgent, suspect in found
    )


def claim(
    db: sa.Connection,
    now: datetime,
    lease: timedelta,
    *,
    acts: bool,
    limit: int,
    kinds: frozenset[Kind] = KINDS,
) -> list[Job]:
    """Take the oldest due jobs for *lease*, urgent ones first.

    Nobody else gets them meanwhile. A job whose lease ran out is taken again, but
    not a second time: see `claim_suspect`. Of *kinds* that `kinds_due` did not find
    none is looked for.
    """
    taken: list[Job] = []
    for urgent in (True, False):
        if len(taken) < limit and (acts, urgent) in kinds:
            taken += _claim(db, now, lease, acts, urgent, limit - len(taken))
    return taken


def _claim(
    db: sa.Connection,
    now: datetime,
    lease: timedelta,
    acts: bool,
    urgent: bool,
    limit: int,
) -> list[Job]:
    due = skip_locked(db, _DUE[acts, urgent])
    keys = db.execute(due, {"now": now, "most": limit}).scalars().all()
    return _take(db, keys, now + lease)


def claim_suspect(
    db: sa.Connection, now: datetime, lease: timedelta, *, acts: bool
) -> list[Job]:
    """Take one job that was in flight at two deaths of a process in a row.

    Such jobs are run one at a time, so that the one to blame takes no others along.
    """
    due = skip_locked(db, _SUSPECT[acts])
    keys = db.execute(due, {"now": now, "most": 1}).scalars().all()
    return _take(db, keys, now + lease)


def _take(db: sa.Connection, keys: Sequence[str], until: datetime) -> list[Job]:
    if not keys:
        return []
    rows = db.execute(_TAKE, {"keys": keys, "until": until})
    return sorted((Job(*row) for row in rows), key=lambda job: job.due_at)


def claim_one(
    db: sa.Connection, key: str, now: datetime, lease: timedelta
) -> Job | None:
    """Take one job by its key, due or not, unless somebody is at work on it.

    One that acts and was tried is not taken before its time: the panel may still
    be at work on the last call.
    """
    query = sa.select(jobs.c.key).where(
        jobs.c.key == key,
        sa.or_(
            jobs.c.state == "waiting",
            sa.and_(jobs.c.state == "running", jobs.c.run_at <= now),
        ),
        sa.or_(jobs.c.run_at <= now, jobs.c.acts.is_(False), jobs.c.attempts == 0),
    )
    found = db.execute(skip_locked(db, query)).scalars().all()
    taken = _take(db, found, now + lease)
    return taken[0] if taken else None


def tried_until(db: sa.Connection, key: str, now: datetime) -> datetime | None:
    """Return when a job that was tried is due again, None when it may run now."""
    query = sa.select(jobs.c.run_at).where(
        jobs.c.key == key,
        jobs.c.run_at > now,
        sa.or_(
            jobs.c.state == "running",
            sa.and_(jobs.c.state == "waiting", jobs.c.attempts > 0),
        ),
    )
    return db.execute(query).scalar()


def claim_group(
    db: sa.Connection, group_key: str, now: datetime, lease: timedelta, limit: int
) -> list[Job]:
    """Take along the alerts of one rule to one client that wait and are due."""
    query = sa.select(jobs.c.key).where(
        among(jobs.c.state, "waiting"),
        jobs.c.group_key == group_key,
        jobs.c.together.is_(None),
        jobs.c.unsure == 0,
        jobs.c.run_at <= now,
    )
    query = query.order_by(jobs.c.due_at, jobs.c.key).limit(limit)
    keys = db.execute(skip_locked(db, query)).scalars().all()
    return _take(db, keys, now + lease)


_PUT_OFF = (
    sa.update(jobs)
    .where(claimed(sa.bindparam("my_key"), sa.bindparam("my_epoch")))
    .values(
        state="waiting",
        reason=sa.func.coalesce(new_value(jobs.c.reason), jobs.c.reason),
        run_at=new_value(jobs.c.run_at),
        attempts=jobs.c.attempts - 1,
    )
)


def put_off(
    db: sa.Connection, put_off: Sequence[Job], at: datetime, reason: str | None = None
) -> None:
    """Let claimed jobs that were not begun wait until *at*: it was none of their tries.

    Those whose claim was lost stay as they are.
    """
    rows = [
        {"my_key": job.key, "my_epoch": job.epoch, "new_reason": reason}
        | {"new_run_at": at}
        for job in put_off
    ]
    if rows:
        db.execute(_PUT_OFF, rows)


def held_until(db: sa.Connection, job: Job) -> datetime | None:
    """Return when our claim's lease ends, None when the claim is lost."""
    query = sa.select(jobs.c.run_at).where(claimed(job.key, job.epoch))
    return db.execute(query).scalar()


def note_repeat(db: sa.Connection, job: Job) -> bool:
    """Note before a message goes once more; false when the claim is lost.

    What is on disk already counts, however often the process ends.
    """
    change = (
        sa.update(jobs)
        .where(claimed(job.key, job.epoch))
        .values(unsure=job.maybe_sent + 1)
    )
    return bool(db.execute(change).rowcount == 1)


def extend(db: sa.Connection, job: Job, until: datetime) -> bool:
    """Lengthen a lease (before an acting call); false when the claim is lost."""
    change = sa.update(jobs).where(claimed(job.key, job.epoch)).values(run_at=until)
    return bool(db.execute(change).rowcount == 1)


def release(db: sa.Connection, now: datetime) -> int:
    """End the leases of alerts that a dead process held (the only one on SQLite).

    Acting jobs keep theirs: the panel may still be at work on the call.
    """
    change = sa.update(jobs).where(
        among(jobs.c.state, "running"), jobs.c.acts.is_(False), jobs.c.run_at > now
    )
    return int(db.execute(change.values(run_at=now)).rowcount)
