"""What bounds harm: the stop switch, and the caps on what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store import book
from bridge.store.dialect import among, insert
from bridge.store.tables import cancellations, jobs, marks, transfers, upgrades

#: How the reason of a job begins that waits because staff hold it back.
HELD = "held back"
#: How many of a kind may begin: in an hour, in a day, for one client in a day.
Caps = tuple[int, int, int]
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
#: The actions that the stop switch holds back.
STOPPED = (
    *("terminate_service", "transfer_service"),
    *("invoice_upgrade", "publish_upgrade", "apply_upgrade", "change_package"),
)
_ABOUT = "terminations, transfers, upgrades"


def hold(db: sa.Connection, now: datetime, who: str, reason: str) -> None:
    """Hold terminations, changes of owner and plan changes back until `release`."""
    book.mark(db, "hold", now, reason=reason, who=who)
    book.note(db, now, who, "hold", _ABOUT, reason=reason)


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
    book.note(db, now, who, "release", _ABOUT)
    waiting = sa.update(jobs).where(
        among(jobs.c.state, "waiting"),
        jobs.c.action.in_(STOPPED),
        jobs.c.reason.startswith(HELD),
    )
    db.execute(waiting.values(run_at=jobs.c.due_at))
    return True


@dataclass(frozen=True)
class Full:
    """A cap that is used up: the "day"'s, the "client"'s in a day, or the "hour"'s.

    *count* were begun and *most* may be; at *again_at* (aware UTC) there is room.
    """

    cap: str
    most: int
    count: int
    again_at: datetime


def reserve_termination(
    db: sa.Connection, key: str, caps: Caps, now: datetime
) -> tuple[str, datetime | None]:
    """Mark a termination as begun, if it still stands and the caps allow one more.

    Returns ("", None) when it may go on, ("hour", when) when it waits, ("day", when)
    or ("client", when) when staff decide, ("over", None) when it was withdrawn
    meanwhile. The caps do not hold for one that staff carry out by hand; it counts.
    """
    lock(db, now)
    row = book.cancellation(db, key)
    if row is None or row.state not in ("scheduled", "acting", "staff"):
        return "over", None
    if row.acted_at is not None:
        return "", None
    if not row.approved_by:
        over = room(db, row.client_id, caps, now)
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
    db: sa.Connection, key: str, caps: Caps, now: datetime
) -> tuple[str, datetime | None]:
    """Mark a move as begun, as `reserve_termination` does for terminations.

    It counts for the client who gives. The caps do not hold for one that staff
    approved. ("other", when) where a plan change or an end of the service began
    since the conditions were read: they are to be read again.
    """
    lock(db, now)
    query = sa.select(transfers).where(transfers.c.key == key)
    row = db.execute(query).first()
    if row is None or row.state not in ("agreed", "moving", "staff"):
        return "over", None
    begun_since = (book.pending_order, book.live_cancellation)
    if any(one(db, row.service_id) is not None for one in begun_since):
        return "other", now
    if row.acted_at is None and not row.approved_by:
        begun, whose = transfers.c.acted_at, transfers.c.from_client_id
        over = first(full(db, begun, whose == row.from_client_id, caps, now))
        if over[0]:
            return over
    change = sa.update(transfers).where(
        transfers.c.key == key, transfers.c.state == row.state
    )
    acted_at = row.acted_at or now
    values = {"state": "moving", "acted_at": acted_at, "changed_at": now}
    if db.execute(change.values(values)).rowcount != 1:
        return "over", None
    return "", None


def room(
    db: sa.Connection, client_id: int, caps: Caps, now: datetime
) -> tuple[str, datetime | None]:
    """Tell whether the caps allow one more termination, without beginning it."""
    begun, whose = cancellations.c.acted_at, cancellations.c.client_id
    return first(full(db, begun, whose == client_id, caps, now))


def orders(
    db: sa.Connection, client_id: int, caps: Caps, now: datetime
) -> Iterator[Full]:
    """Give each cap that leaves no room for one more upgrade order of a client's.

    It holds for who has the `lock`. What was only rehearsed does not count, nor what
    clients order in the panel itself.
    """
    ours = sa.and_(sa.not_(upgrades.c.native), upgrades.c.state != "rehearsed")
    his = upgrades.c.client_id == client_id
    return full(db, upgrades.c.created_at, his, caps, now, ours)


def first(found: Iterator[Full]) -> tuple[str, datetime | None]:
    """Return the first cap that is used up, and until when; ("", None) if none is."""
    over = next(found, None)
    return ("", None) if over is None else (over.cap, over.again_at)


def full(
    db: sa.Connection,
    begun: sa.Column[Any],
    his: sa.ColumnElement[bool],
    caps: Caps,
    now: datetime,
    counted: sa.ColumnElement[bool] = sa.true(),  # noqa: B008
) -> Iterator[Full]:
    """Give each cap that is used up: those after which it waits for staff come first.

    *begun* is when a row began, *his* which are the client's, *counted* which count.
    """
    per_hour, per_day, per_client = caps
    yield from _used(db, "day", begun, counted, per_day, now)
    yield from _used(db, "client", begun, sa.and_(counted, his), per_client, now)
    yield from _used(db, "hour", begun, counted, per_hour, now)


def _used(
    db: sa.Connection,
    cap: str,
    begun: sa.Column[Any],
    which: sa.ColumnElement[bool],
    most: int,
    now: datetime,
) -> Iterator[Full]:
    span = _HOUR if cap == "hour" else _DAY
    within = sa.select(begun).where(begun > now - span, which)
    count = db.execute(sa.select(sa.func.count()).select_from(within.subquery()))
    if (many := count.scalar_one()) < most:
        return
    newest = within.order_by(begun.desc()).offset(most - 1).limit(1)
    leaves = db.execute(newest).scalar_one()
    yield Full(cap, most, many, leaves + span + timedelta(seconds=1))


def lock(db: sa.Connection, now: datetime) -> None:
    """Write the row that makes a count hold for any number of workers."""
    statement = insert(db.dialect.name, marks).on_conflict_do_update(
        index_elements=["name"], set_={"at": now}
    )
    db.execute(statement.values(name="caps", at=now, detail={}))
