"""What bounds harm: the stop switch, and the caps on what cannot be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store import book
from bridge.store.dialect import among, insert
from bridge.store.tables import cancellations, jobs, marks, transfers

#: How the reason of a job begins that waits because staff hold it back.
HELD = "held back"
_STOPPED = ("terminate_service", "transfer_service")


def hold(db: sa.Connection, now: datetime, who: str, reason: str) -> None:
    """Hold every termination and change of owner back until `release`."""
    book.mark(db, "hold", now, reason=reason, who=who)
    book.note(db, now, who, "hold", "terminations, transfers", reason=reason)


def held(db: sa.Connection) -> str | None:
    """Return by whom and why they are held back, None when they are not."""
    found = book.marked(db, "hold")
    if found is None:
        return None
    at, detail = found
    since = at.isoformat(timespec="minutes")
    return f"{detail['reason']} ({detail['who']}, {since})"


def release(db: sa.Connection, now: datetime, who: str) -> bool:
    """Let them run again, those that wait at once; false if none were held."""
    gone = db.execute(sa.delete(marks).where(marks.c.name == "hold")).rowcount
    if not gone:
        return False
    book.note(db, now, who, "release", "terminations, transfers")
    waiting = sa.update(jobs).where(
        among(jobs.c.state, "waiting"),
        jobs.c.action.in_(_STOPPED),
        jobs.c.reason.startswith(HELD),
    )
    db.execute(waiting.values(run_at=jobs.c.due_at))
    return True


def reserve_termination(
    db: sa.Connection, key: str, per_hour: int, per_day: int, now: datetime
) -> tuple[str, datetime | None]:
    """Mark a termination as begun, if it still stands and the caps allow one more.

    Returns ("", None) when it may go on, ("hour", when) when it waits, ("day",
    None) when staff decide, ("over", None) when it was withdrawn meanwhile.
    """
    _lock(db, now)
    row = book.cancellation(db, key)
    if row is None or row.state not in ("scheduled", "acting", "staff"):
        return "over", None
    if row.acted_at is not None:
        return "", None
    over = _room(db, cancellations, per_hour, per_day, now)
    if over[0]:
        return over
    change = sa.update(cancellations).where(
        cancellations.c.key == key, cancellations.c.state == row.state
    )
    values = {"state": "acting", "acted_at": now, "changed_at": now}
    if db.execute(change.values(values)).rowcount != 1:
        return "over", None
    return "", None


def reserve_transfer(
    db: sa.Connection, key: str, per_hour: int, per_day: int, now: datetime
) -> tuple[str, datetime | None]:
    """Mark a move as begun, as `reserve_termination` does for terminations.

    The caps do not hold for one that staff approved.
    """
    _lock(db, now)
    query = sa.select(transfers).where(transfers.c.key == key)
    row = db.execute(query).first()
    if row is None or row.state not in ("agreed", "moving", "staff"):
        return "over", None
    if row.acted_at is None and not row.approved_by:
        over = _room(db, transfers, per_hour, per_day, now)
        if over[0]:
            return over
    change = sa.update(transfers).where(
        transfers.c.key == key, transfers.c.state == row.state
    )
    begun = row.acted_at or now
    values = {"state": "moving", "acted_at": begun, "changed_at": now}
    if db.execute(change.values(values)).rowcount != 1:
        return "over", None
    return "", None


def room(
    db: sa.Connection, per_hour: int, per_day: int, now: datetime
) -> tuple[str, datetime | None]:
    """Tell whether the caps allow one more termination, without beginning it."""
    return _room(db, cancellations, per_hour, per_day, now)


def _room(
    db: sa.Connection, table: sa.Table, per_hour: int, per_day: int, now: datetime
) -> tuple[str, datetime | None]:
    hour, day = now - timedelta(hours=1), now - timedelta(days=1)
    acted: Any = table.c.acted_at
    count = sa.select(sa.func.count()).select_from(table)
    if db.execute(count.where(acted > day)).scalar_one() >= per_day:
        return "day", None
    if db.execute(count.where(acted > hour)).scalar_one() < per_hour:
        return "", None
    newest = sa.select(acted).where(acted > hour).order_by(acted.desc())
    leaves = db.execute(newest.offset(per_hour - 1).limit(1)).scalar_one()
    return "hour", leaves + timedelta(hours=1, seconds=1)


def _lock(db: sa.Connection, now: datetime) -> None:
    """Write the row that makes a count hold for any number of workers."""
    statement = insert(db.dialect.name, marks).on_conflict_do_update(
        index_elements=["name"], set_={"at": now}
    )
    db.execute(statement.values(name="caps", at=now, detail={}))
