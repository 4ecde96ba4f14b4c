"""Our own book: cancellations, upgrades, domains; read anew at every question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from bridge.errors import StaleRow
from bridge.store import outbox
from bridge.store.dialect import among, insert
from bridge.store.tables import (
    audit,
    cancellations,
    contacts,
    domains,
    events,
    marks,
    messages,
    phones,
    transfers,
    upgrades,
)

#: A worker that was not heard of for so long is missing.
SILENCE = timedelta(seconds=30)

_TABLES: dict[str, tuple[sa.Table, str]] = {
    "cancellations": (cancellations, "key"),
    "upgrades": (upgrades, "id"),
    "domains": (domains, "id"),
    "messages": (messages, "key"),
    "marks": (marks, "name"),
    "contacts": (contacts, "number"),
    "transfers": (transfers, "key"),
    "phones": (phones, "client_id"),
}
# Built once: a panel waits for what these are asked for.
_OF_A_SERVICE = upgrades.c.service_id == sa.bindparam("service_id")
_PENDING_ORDER = sa.select(upgrades).where(
    _OF_A_SERVICE,
    among(upgrades.c.state, "ordered", "invoiced", "paid", "applying", "staff"),
)
_PAID_CHARGES = sa.select(upgrades).where(
    _OF_A_SERVICE,
    upgrades.c.paid_on.is_not(None),
    # Of one that staff ended, the plan was changed where it has a day of payment.
    among(upgrades.c.state, "done", "applying", "paid", "staff", "ended"),
)
_STAMPED = ("cancellations", "upgrades", "transfers")
_UNPAID = ("ordered", "invoiced")
_GOING_ON = (
    *("scheduled", "acting", *_UNPAID, "paid", "applying"),
    *("agreed", "moving"),
)


def keep(
    db: sa.Connection,
    table: str,
    key: Any,
    values: dict[str, Any],
    now: datetime,
    was: str | None = None,
) -> None:
    """Change the row with this key; make it if it is new and *values* are whole.

    *was* is the state it was read in, empty where there was none: if that is no
    longer so, or another open row is in the way, StaleRow is raised.
    """
    kept, column = _TABLES[table]
    stamped = values | ({"changed_at": now} if table in _STAMPED else {})
    if was != "":
        found = sa.update(kept).where(kept.c[column] == key).values(stamped)
        if was is not None:
            found = found.where(kept.c.state == was)
        if db.execute(found).rowcount:
            return
    if was:
        raise StaleRow(f"{table} {key} is not {was} any more")
    new = stamped | {column: key}
    if table in _STAMPED:
        new.setdefault("created_at", now)
    statement = insert(db.dialect.name, kept).on_conflict_do_nothing().values(new)
    made = db.execute(statement.returning(kept.c[column])).first()
    if was is not None and made is None:
        raise StaleRow(f"{table} {key} is there already, or another open one")


def sent(db: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep messages that went out, whole rows; one that is known is written anew."""
    db.execute(_sent(db.dialect.name), rows)


@cache
def _sent(dialect: str) -> Any:
    statement = insert(dialect, messages)
    again = {
        column.name: statement.excluded[column.name]
        for column in messages.c
        if column.name != "key"
    }
    return statement.on_conflict_do_update(index_elements=["key"], set_=again)


def cancellation(db: sa.Connection, key: str) -> Any:
    """Return the row of one cancellation, or None."""
    query = sa.select(cancellations).where(cancellations.c.key == key)
    return db.execute(query).first()


def live_cancellation(db: sa.Connection, service_id: int) -> Any:
    """Return the open cancellation of a service, or None."""
    query = sa.select(cancellations).where(
        cancellations.c.service_id == service_id,
        among(cancellations.c.state, "scheduled", "acting", "staff"),
    )
    return db.execute(query).first()


def newest_cancellation(db: sa.Connection, service_id: int) -> Any:
    """Return the newest cancellation of a service in any state, or None."""
    query = sa.select(cancellations).where(cancellations.c.service_id == service_id)
    return db.execute(query.order_by(cancellations.c.id.desc()).limit(1)).first()


def live_cancellations(db: sa.Connection) -> Sequence[Any]:
    """Return every open cancellation (for the comparison with the panel)."""
    query = sa.select(cancellations).where(
        among(cancellations.c.state, "scheduled", "acting", "staff")
    )
    return db.execute(query).all()


def missing(
    db: sa.Connection, keys: Sequence[str], back: Sequence[str], now: datetime
) -> None:
    """Note of cancellations that the panel did not list them now, or does again."""
    for start in range(0, max(len(keys), len(back)), 500):
        for names, at in ((keys, now), (back, None)):
            some = cancellations.c.key.in_(names[start : start + 500])
            db.execute(sa.update(cancellations).where(some).values(missing_at=at))


def known_requests(db: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return which of the panel's requests the book knows, with their state.

    Those that were withdrawn because they were not listed are "vanished".
    """
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        names = ("request_id", "state", "missing_at")
        query = sa.select(*(cancellations.c[name] for name in names))
        for row in db.execute(query.where(cancellations.c.request_id.in_(some))):
            vanished = row.state == "withdrawn" and row.missing_at is not None
            found[row.request_id] = "vanished" if vanished else row.state
    return found


def order(db: sa.Connection, id: str) -> Any:
    """Return the row of one upgrade, or None."""
    return db.execute(sa.select(upgrades).where(upgrades.c.id == id)).first()


def order_by_invoice(db: sa.Connection, invoice_id: int) -> Any:
    """Return the ordered upgrade that an invoice bills, or None."""
    ours = sa.not_(upgrades.c.native)
    query = sa.select(upgrades).where(upgrades.c.invoice_id == invoice_id, ours)
    return db.execute(query.limit(1)).first()


def pending_order(db: sa.Connection, service_id: int) -> Any:
    """Return the upgrade of a service that is not over, or None."""
    return db.execute(_PENDING_ORDER, {"service_id": service_id}).first()


def open_orders(db: sa.Connection) -> Sequence[Any]:
    """Return the upgrades with an invoice that wait for its payment, or for staff."""
    query = sa.select(upgrades).where(
        among(upgrades.c.state, "ordered", "invoiced", "staff"),
        upgrades.c.invoice_id.is_not(None),
    )
    return db.execute(query).all()


def paid_charges(db: sa.Connection, service_id: int) -> Sequence[Any]:
    """Return the upgrades of a service whose charge was paid."""
    return db.execute(_PAID_CHARGES, {"service_id": service_id}).all()


def last_price(db: sa.Connection, service_id: int, since: datetime) -> Any:
    """Return the newest answered price question about a service, or None."""
    query = (
        sa.select(events)
        .where(
            events.c.hookpoint == "OrderProductUpgradeOverride",
            events.c.received_at >= since,
            events.c.answer.is_not(None),
        )
        .order_by(events.c.received_at.desc())
        .limit(200)
    )
    for row in db.execute(query):
        if row.context.get("service_id") == service_id and row.answer.get("return"):
            return row
    return None


def restore(db: sa.Connection, row: Any, now: datetime) -> None:
    """Give a cancellation that was not carried out by hand its own day again."""
    names = ("at", "ends", "kind", "because", "approved_by")
    values = {name: getattr(row, name) for name in names}
    change = sa.update(cancellations).where(
        cancellations.c.key == row.key,
        cancellations.c.acted_at.is_(None),
        cancellations.c.state.in_(("scheduled", "staff")),
    )
    if not db.execute(change.values(values | {"changed_at": now})).rowcount:
        return
    if row.at is not None:
        outbox.move(db, f"{row.key}/terminate", row.at)


def for_staff(
    db: sa.Connection, table: str, key: Any, reason: str | None, now: datetime
) -> None:
    """Show an open row as one that waits for staff, since its job is parked."""
    kept, column = _TABLES[table]
    change = sa.update(kept).where(
        kept.c[column] == key,
        kept.c.state.in_(_GOING_ON),
    )
    db.execute(change.values(state="staff", reason=reason, changed_at=now))


def domain(db: sa.Connection, domain_id: int) -> tuple[str, int | None] | None:
    """Return name and owner of a domain seen before."""
    row = db.execute(sa.select(domains).where(domains.c.id == domain_id)).first()
    return None if row is None else (row.name, row.client_id)


def note(
    db: sa.Connection, now: datetime, who: str, what: str, about: str, **detail: Any
) -> None:
    """Write who did what by hand."""
    row = {"at": now, "who": who, "what": what, "about": about, "detail": detail}
    db.execute(sa.insert(audit), row)


def mark(db: sa.Connection, name: str, now: datetime, **detail: Any) -> None:
    """Set a named mark: a heartbeat, a lease, a halt."""
    statement = insert(db.dialect.name, marks).values(name=name, at=now, detail=detail)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"at": now, "detail": detail}
        )
    )


def marked(db: sa.Connection, name: str) -> tuple[datetime, dict[str, Any]] | None:
    """Return when a mark was set, and its detail."""
    row = db.execute(sa.select(marks).where(marks.c.name == name)).first()
    return None if row is None else (row.at, row.detail)


def worker_heard(db: sa.Connection, now: datetime) -> bool:
    """Tell whether a worker runs: it marks every few seconds that it is there."""
    heard = marked(db, "worker")
    return heard is not None and now - heard[0] <= SILENCE


def locked(
    db: sa.Connection, name: str, new: datetime
) -> tuple[datetime, dict[str, Any]]:
    """Return what `marked` does, and keep others from this mark until the commit.

    Where there is none it is made, with the time *new*.
    """
    statement = insert(db.dialect.name, marks).values(name=name, at=new, detail={})
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_={"name": name}
    )
    row = db.execute(statement.returning(marks.c.at, marks.c.detail)).one()
    return row.at, row.detail


def count_in_hour(db: sa.Connection, name: str, now: datetime) -> int:
    """Count one more under *name*; return which it is of this hour, from 1."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    at, before = locked(db, name, hour)  # others count after our commit
    count = before.get("count", 0) + 1 if at == hour else 1
    mark(db, name, hour, count=count)
    return count


def lead(db: sa.Connection, who: str, now: datetime, lease: timedelta) -> bool:
    """Take or keep the leader's lease; false while another holds it.

    One that ends much later than any given now was given by a clock that was ahead.
    """
    statement = insert(db.dialect.name, marks).values(
        name="leader", at=now + lease, detail={"who": who}
    )
    over = sa.or_(marks.c.at <= now, marks.c.at > now + 2 * lease)
    mine = sa.or_(over, sa.cast(marks.c.detail, sa.Text).contains(who))
    statement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"at": now + lease, "detail": {"who": who}},
        where=mine,
    )
    # rowcount of an INSERT is not told by every driver: what it returns is.
    return db.execute(statement.returning(marks.c.name)).first() is not None


def resign(db: sa.Connection, who: str, now: datetime) -> None:
    """Give the leader's lease back."""
    mine = sa.cast(marks.c.detail, sa.Text).contains(who)
    change = sa.update(marks).where(marks.c.name == "leader", mine)
    db.execute(change.values(at=now))
