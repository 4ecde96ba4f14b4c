"""Changes of owner in the store: read, and kept two years and longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store.dialect import among
from bridge.store.tables import transfers

OPEN = ("proposed", "agreed", "moving", "staff")
#: What proves who agreed is kept at least so long, whatever else goes.
KEPT = timedelta(days=2 * 366)
#: That a service passed, for as long as an earlier owner's payment may count: three
#: years, paid up to one ahead.
KEPT_DONE = timedelta(days=4 * 366)


# Built once: a panel waits for what it is asked for.
_EARLIER = (
    sa.select(transfers.c.from_client_id)
    .where(
        transfers.c.service_id == sa.bindparam("service_id"),
        among(transfers.c.state, "done"),
    )
    .order_by(transfers.c.id.desc())
)


def transfer(db: sa.Connection, key: str) -> Any:
    """Return a change of owner by its key, or None."""
    return db.execute(sa.select(transfers).where(transfers.c.key == key)).first()


def open_transfer(db: sa.Connection, service_id: int) -> Any:
    """Return the one of a service that is not over, or None."""
    query = sa.select(transfers).where(
        transfers.c.service_id == service_id, among(transfers.c.state, *OPEN)
    )
    return db.execute(query).first()


def earlier_owners(db: sa.Connection, service_id: int) -> tuple[int, ...]:
    """Return the clients a service passed from, the last one first, each once."""
    found = db.execute(_EARLIER, {"service_id": service_id}).scalars()
    return tuple(dict.fromkeys(found))


def awaiting(db: sa.Connection, emails: Sequence[str]) -> Any:
    """Return the newest request that waits for the text of one with such an e-mail."""
    silent = sa.or_(
        *(
            sa.and_(
                sa.func.lower(transfers.c[f"{side}_email"]).in_(emails),
                transfers.c[f"{side}_text"].is_(None),
            )
            for side in ("from", "to")
        )
    )
    query = sa.select(transfers).where(among(transfers.c.state, "proposed"), silent)
    return db.execute(query.order_by(transfers.c.id.desc()).limit(1)).first()


def counted(db: sa.Connection, event_id: str) -> bool:
    """Tell whether a message stands as one side's word, whatever became of that."""
    either = [transfers.c[f"{side}_message"] == event_id for side in ("from", "to")]
    query = sa.select(transfers.c.id).where(sa.or_(*either)).limit(1)
    return db.execute(query).first() is not None


def find(db: sa.Connection, which: str) -> Any:
    """Return one by its id, its key or `service:<id>` (the newest of that service)."""
    kind, _, number = which.partition(":")
    query = sa.select(transfers).order_by(transfers.c.id.desc()).limit(1)
    if which.isascii() and which.isdigit() and len(which) < 19:
        return db.execute(query.where(transfers.c.id == int(which))).first()
    if kind == "service" and number.isascii() and number.isdigit() and len(number) < 19:
        return db.execute(query.where(transfers.c.service_id == int(number))).first()
    return db.execute(query.where(transfers.c.key == which)).first()


def list_transfers(
    db: sa.Connection, *, states: Sequence[str] = (), limit: int = 200
) -> list[Any]:
    """Return changes of owner, the newest first."""
    query = sa.select(transfers).order_by(transfers.c.id.desc()).limit(limit)
    if states:
        query = query.where(among(transfers.c.state, *states))
    return list(db.execute(query))


def prune(db: sa.Connection, before: datetime, now: datetime, limit: int = 1000) -> int:
    """Drop what is over since *before*, and KEPT at least; return how many."""
    done = among(transfers.c.state, "done")
    gone = sa.select(transfers.c.id).where(
        transfers.c.changed_at < min(before, now - KEPT),
        sa.or_(sa.not_(done), transfers.c.changed_at < now - KEPT_DONE),
        sa.not_(among(transfers.c.state, *OPEN)),
    )
    found = db.execute(gone.limit(limit)).scalars().all()
    if found:
        db.execute(sa.delete(transfers).where(transfers.c.id.in_(found)))
    return len(found)
