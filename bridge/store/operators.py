"""Operators of the console and their logins, and the secret that signs cookies.

Of a password only its slow hash is kept, of a login only the digest of its token.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bridge.store.dialect import insert
from bridge.store.tables import logins, marks, operators

#: A login ends by itself after so long.
LASTS = timedelta(hours=12)
#: The mark that holds the secret.
_MARK = "console"


def everybody(db: sa.Connection) -> Sequence[Any]:
    """Return name, since when, last change and last login of each, by name."""
    listed = [operators.c[name] for name in ("name", "created_at", "changed_at")]
    query = sa.select(*listed, operators.c.seen_at).order_by(operators.c.name)
    return db.execute(query).all()


def newest_change(db: sa.Connection) -> datetime | None:
    """Return when an operator was made or got a password last; None without any."""
    query = sa.select(sa.func.max(operators.c.changed_at))
    found: datetime | None = db.execute(query).scalar()
    return found


def password_of(db: sa.Connection, name: str) -> str | None:
    """Return the hash of an operator's password, None where there is no such."""
    query = sa.select(operators.c.password).where(operators.c.name == name)
    found: str | None = db.execute(query).scalar()
    return found


def add(db: sa.Connection, name: str, password: str, now: datetime) -> bool:
    """Make an operator with that hash; false where there is one of that name."""
    row = {"name": name, "password": password, "created_at": now, "changed_at": now}
    made = insert(db.dialect.name, operators).on_conflict_do_nothing().values(row)
    return db.execute(made.returning(operators.c.name)).first() is not None


def change(db: sa.Connection, name: str, password: str, now: datetime) -> bool:
    """Give an operator another password, which ends his logins; false without him."""
    found = sa.update(operators).where(operators.c.name == name)
    values = {"password": password, "changed_at": now}
    if not db.execute(found.values(values)).rowcount:
        return False
    _end_all(db, name)
    return True


def remove(db: sa.Connection, name: str) -> bool:
    """Remove an operator, which ends his logins; false without him."""
    _end_all(db, name)
    gone = sa.delete(operators).where(operators.c.name == name)
    return bool(db.execute(gone).rowcount)


def _end_all(db: sa.Connection, name: str) -> None:
    db.execute(sa.delete(logins).where(logins.c.operator == name))


def begin(
    db: sa.Connection, name: str, password: str, digest: str, now: datetime
) -> bool:
    """Keep a login; false where the password, a hash, is not his any more."""
    still = sa.update(operators).where(
        operators.c.name == name, operators.c.password == password
    )
    if not db.execute(still.values(seen_at=now)).rowcount:
        return False
    db.execute(sa.delete(logins).where(logins.c.ends_at <= now))
    row = {"digest": digest, "operator": name, "began_at": now, "ends_at": now + LASTS}
    db.execute(sa.insert(logins), row)
    return True


def logged_in(db: sa.Connection, digest: str, now: datetime) -> str | None:
    """Return whose login it is, None where it ended."""
    query = sa.select(logins.c.operator).where(
        logins.c.digest == digest, logins.c.ends_at > now
    )
    found: str | None = db.execute(query).scalar()
    return found


def end(db: sa.Connection, digest: str) -> None:
    """End a login."""
    db.execute(sa.delete(logins).where(logins.c.digest == digest))


def secret(db: sa.Connection, now: datetime) -> bytes:
    """Return the secret that cookies are signed with; it is made the first time."""
    fresh = {"secret": secrets.token_hex(32)}
    made = insert(db.dialect.name, marks).on_conflict_do_nothing()
    db.execute(made.values(name=_MARK, at=now, detail=fresh))
    query = sa.select(marks.c.detail).where(marks.c.name == _MARK)
    return bytes.fromhex(db.execute(query).scalar_one()["secret"])
