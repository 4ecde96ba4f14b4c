"""Who is behind an identity that hides the number, as providers told it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bridge.store import book
from bridge.store.tables import messages

#: How long a pair counts: an identity changes with its number.
KNOWN_FOR = timedelta(days=30)
#: Marks of such pairs begin so.
MARK = "user:"


@dataclass(frozen=True)
class Known:
    """An identity and the number (E.164) that were told together.

    *tag* and *provider_id* name the message of ours whose state told it, if one did.
    """

    user: str
    number: str
    tag: str = ""
    provider_id: str = ""


def remember(db: sa.Connection, pairs: Iterable[Known], now: datetime) -> list[Known]:
    """Note pairs and return them, but for those that our own book contradicts.

    A state of what was written to another number or identity proves nothing.
    """
    proven = [one for one in pairs if not _contradicted(db, one)]
    for one in proven:
        book.mark(db, f"{MARK}{one.user}", now, number=one.number)
    return proven


def _contradicted(db: sa.Connection, pair: Known) -> bool:
    if not (pair.tag or pair.provider_id):
        return False
    by = messages.c.key == pair.tag
    if not pair.tag:
        by = messages.c.provider_id == pair.provider_id
    to = db.execute(sa.select(messages.c.to).where(by)).scalars().all()
    return any(one not in (pair.user, pair.number) for one in to)


def number_of(db: sa.Connection, user: str, now: datetime) -> str:
    """Return the number that was told lately with this identity, or ""."""
    found = book.marked(db, f"{MARK}{user}")
    if found is None or now - found[0] > KNOWN_FOR:
        return ""
    return str(found[1].get("number", ""))
