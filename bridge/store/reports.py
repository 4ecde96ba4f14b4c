"""Questions about the whole store: what waits, what happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store.dialect import among
from bridge.store.tables import (
    attempts,
    audit,
    cancellations,
    events,
    jobs,
    messages,
    upgrades,
)

#: Acting pauses while the clock shows so much less than the newest row.
BEHIND = timedelta(minutes=5)
#: States of plan changes that are not over.
PENDING_ORDERS = ("ordered", "invoiced", "paid", "applying", "staff")


def _exists(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(sa.literal(1)).where(sa.exists().where(*conditions))


def _anything_due(*kinds: bool) -> Any:
    return sa.union_all(
        _exists(among(events.c.state, "new")),
        *(
            _exists(
                jobs.c.acts == acts,
                jobs.c.urgent == urgent,
                among(jobs.c.state, "waiting", "running"),
                jobs.c.run_at <= sa.bindparam("now", type_=jobs.c.run_at.type),
            )
            for acts in kinds
            for urgent in (True, False)
        ),
    ).limit(1)


_ANYTHING_DUE = {True: _anything_due(True), False: _anything_due(True, False)}


def anything_due(db: sa.Connection, now: datetime, acts_only: bool = False) -> bool:
    """Tell whether there is a new event or a due job, or one that acts."""
    return db.execute(_ANYTHING_DUE[acts_only], {"now": now}).first() is not None


def group_size(db: sa.Connection, group_key: str, now: datetime) -> int:
    """Return how many alerts of a group wait and are due."""
    query = sa.select(sa.func.count()).where(
        among(jobs.c.state, "waiting"),
        jobs.c.group_key == group_key,
        jobs.c.together.is_(None),
        jobs.c.unsure == 0,
        jobs.c.run_at <= now,
    )
    return int(db.execute(query).scalar_one())


def open_jobs(db: sa.Connection) -> dict[str, int]:
    """Return how many jobs wait, run, or are parked."""
    counts = {"waiting": 0, "running": 0, "parked": 0}
    for state in counts:
        # The second condition is the partial index's own, for the planner to see.
        query = sa.select(sa.func.count()).where(
            among(jobs.c.state, state),
            *([among(jobs.c.state, "waiting", "running")] if state != "parked" else []),
        )
        counts[state] = int(db.execute(query).scalar_one())
    return counts


def list_events(
    db: sa.Connection,
    *,
    limit: int = 50,
    since: datetime | None = None,
    hookpoint: str = "",
    ids: Sequence[str] = (),
    status: str = "",
) -> list[Any]:
    """Return the newest events first.

    *status* is a state of the event, or one that a job of it is in.
    """
    query = sa.select(events).order_by(events.c.seq.desc()).limit(limit)
    if since is not None:
        query = query.where(events.c.received_at >= since)
    if hookpoint:
        query = query.where(events.c.hookpoint == hookpoint)
    if ids:
        query = query.where(events.c.id.in_(ids))
    if status:
        query = query.where(_in_state(status))
    return list(db.execute(query))


def count_orders(db: sa.Connection) -> int:
    """Count the ordered upgrades."""
    query = sa.select(sa.func.count()).select_from(upgrades)
    return int(db.execute(query.where(upgrades.c.native.is_(False))).scalar_one())


def _in_state(status: str) -> sa.ColumnElement[bool]:
    """Return whether an event, or a job of it, is in a state.

    Few jobs are open or parked, and there is an index of those: it is quicker to
    begin with them than to look through all events for theirs.
    """
    if status in ("waiting", "running", "parked"):
        open_ones = [among(jobs.c.state, "waiting", "running")]
        its = open_ones if status != "parked" else []
        found = sa.select(jobs.c.event_id).where(among(jobs.c.state, status), *its)
        return events.c.id.in_(found.where(jobs.c.event_id.is_not(None)))
    of_a_job = sa.exists().where(jobs.c.event_id == events.c.id, jobs.c.state == status)
    return sa.or_(events.c.state == status, of_a_job)


def jobs_of(db: sa.Connection, event_ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return the jobs of events, in the order they were put in."""
    found: dict[str, list[Any]] = {id: [] for id in event_ids}
    if not event_ids:
        return found
    query = sa.select(jobs).where(jobs.c.event_id.in_(event_ids))
    for row in db.execute(query.order_by(jobs.c.created_at, jobs.c.key)):
        found[row.event_id].append(row)
    return found


def attempts_of(db: sa.Connection, job_keys: Sequence[str]) -> dict[str, list[Any]]:
    """Return each job's tries, oldest first."""
    found: dict[str, list[Any]] = {key: [] for key in job_keys}
    if not job_keys:
        return found
    query = sa.select(attempts).where(attempts.c.job_key.in_(job_keys))
    for row in db.execute(query.order_by(attempts.c.id)):
        found[row.job_key].append(row)
    return found


def messages_of(db: sa.Connection, event_id: str) -> list[Any]:
    """Return what was sent for an event."""
    query = sa.select(messages).where(messages.c.event_id == event_id)
    return list(db.execute(query.order_by(messages.c.created_at)))


def list_cancellations(
    db: sa.Connection, *, states: Sequence[str] = (), limit: int = 200
) -> list[Any]:
    """Return cancellations, the next to end first."""
    query = sa.select(cancellations)
    if states:
        query = query.where(cancellations.c.state.in_(states))
    order = (cancellations.c.at.is_(None), cancellations.c.at, cancellations.c.id)
    return list(db.execute(query.order_by(*order).limit(limit)))


def list_orders(
    db: sa.Connection,
    *,
    states: Sequence[str] = (),
    native: bool = True,
    limit: int = 200,
    skip: int = 0,
) -> list[Any]:
    """Return plan changes: those that are not over first, the newest first.

    *native* ones, which clients order in the panel itself, are among them.
    """
    pending = upgrades.c.state.in_(PENDING_ORDERS)
    query = sa.select(upgrades)
    if states:
        query = query.where(upgrades.c.state.in_(states))
    if not native:
        query = query.where(upgrades.c.native.is_(False))
    order = (sa.case((pending, 0), else_=1), upgrades.c.created_at.desc())
    query = query.order_by(*order, upgrades.c.id)
    return list(db.execute(query.limit(limit).offset(skip)))


def due_cancellations(db: sa.Connection, as_of: datetime) -> list[Any]:
    """Return the scheduled ones that are due at *as_of*."""
    query = sa.select(cancellations).where(
        among(cancellations.c.state, "scheduled", "acting"),
        cancellations.c.at <= as_of,
    )
    return list(db.execute(query.order_by(cancellations.c.at)))


def find_cancellation(db: sa.Connection, word: str) -> Any:
    """Return a cancellation by its id or `service:<id>` (the newest), or None."""
    query = sa.select(cancellations)
    if word.startswith("service:"):
        number = word.removeprefix("service:")
        column = cancellations.c.service_id
    else:
        number, column = word, cancellations.c.id
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    found = query.where(column == int(number)).order_by(cancellations.c.id.desc())
    return db.execute(found.limit(1)).first()


def without_job(db: sa.Connection, due_by: datetime | None = None) -> list[Any]:
    """Return scheduled cancellations (due ones) whose job is not in the outbox."""
    there = sa.exists().where(jobs.c.key == cancellations.c.key + "/terminate")
    query = sa.select(cancellations).where(
        among(cancellations.c.state, "scheduled"),
        cancellations.c.at.is_not(None),
        ~there,
    )
    if due_by is not None:
        query = query.where(cancellations.c.at <= due_by)
    return list(db.execute(query.limit(1000)))


_NEWEST = sa.union_all(
    sa.select(sa.func.max(events.c.received_at)),
    sa.select(sa.func.max(cancellations.c.acted_at)),
)


def newest(db: sa.Connection) -> datetime | None:
    """Return the newest instant at which anything came in or was begun."""
    found = db.execute(_NEWEST).scalars()
    return max((at for at in found if at is not None), default=None)


def ahead(db: sa.Connection, now: datetime) -> datetime | None:
    """Return the newest instant, where the clock is so far behind that acting pauses.

    None where it is not.
    """
    found = newest(db)
    return found if found is not None and found - now > BEHIND else None


def why_paused(at: datetime) -> str:
    """Say what the clock has to do with it, *at* being what `ahead` returned."""
    return (
        "the clock is behind the store, which holds something of "
        f"{at:%Y-%m-%d %H:%M} UTC: what acts in the panel pauses until then. Set the "
        "clock right"
    )


def totals(db: sa.Connection) -> dict[str, int]:
    """Return how many rows the main tables hold."""
    found = {}
    for name, held in (
        ("events", events),
        ("jobs", jobs),
        ("messages", messages),
        ("cancellations", cancellations),
    ):
        query = sa.select(sa.func.count()).select_from(held)
        found[name] = int(db.execute(query).scalar_one())
    return found


def parked_keys(db: sa.Connection, event_ids: Sequence[str] | None) -> list[str]:
    """Return the keys of parked jobs, of all events or of some."""
    query = sa.select(jobs.c.key).where(among(jobs.c.state, "parked"))
    if event_ids is not None:
        query = query.where(jobs.c.event_id.in_(event_ids))
    return list(db.execute(query.order_by(jobs.c.created_at)).scalars())


def notes(db: sa.Connection, about: str) -> Sequence[Any]:
    """Return what was done by hand about something, the oldest first."""
    query = sa.select(audit).where(audit.c.about == about)
    return db.execute(query.order_by(audit.c.id)).all()
