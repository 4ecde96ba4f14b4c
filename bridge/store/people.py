"""Who is behind an identity that hides the number, as providers told it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from bridge.store import book

#: How long a pair counts: an identity changes with its number.
KNOWN_FOR = timedelta(days=30)
#: Marks of such pairs begin so.
MARK = "user:"


def remember(
    db: sa.Connection, pairs: Iterable[tuple[str, str]], now: datetime
) -> None:
    """Note pairs of (identity, number in E.164) that were told together."""
    for user, number in pairs:
        book.mark(db, f"{MARK}{user}", now, number=number)


def number_of(db: sa.Connection, user: str, now: datetime) -> str:
    """Return the number that was told lately with this identity, or ""."""
    found = book.marked(db, f"{MARK}{user}")
    if found is None or now - found[0] > KNOWN_FOR:
        return ""
    return str(found[1].get("number", ""))
