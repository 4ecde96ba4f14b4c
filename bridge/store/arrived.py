"""Messages that arrived: what had failed before, and who was let through again.

Several devices of one person may tell different things of one message.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bridge.store import outbox
from bridge.store.progress import Told, failed_keys
from bridge.store.tables import contacts, messages

#: A message is sent anew so often, at most; the number stands at the end of its key.
MOST_ANEW = 9
#: How it begins by which word somebody stopped alerts, where the provider told it.
BY_PROVIDER = "told by the provider: "
_ANEW = "/again:"
_WHY = "it arrived after all: nothing is sent anew"
_AT_ONCE = 500


_refused = sa.and_(
    contacts.c.number == messages.c.to,
    contacts.c.opted_out_by.startswith(BY_PROVIDER),
    contacts.c.opted_out_at < messages.c.created_at,
)
_names = ("key", "provider", "provider_id", "state")
#: Built once: three states come of each message. Nearly all of them find nothing here.
_MATTERS = (
    sa.select(*(messages.c[name] for name in _names), contacts.c.number)
    .join_from(messages, contacts, _refused, isouter=True)
    .where(sa.or_(messages.c.state == "failed", contacts.c.number.is_not(None)))
)
_BY = {
    "keys": _MATTERS.where(messages.c.key.in_(sa.bindparam("some", expanding=True))),
    "ids": _MATTERS.where(
        messages.c.provider_id.in_(sa.bindparam("some", expanding=True))
    ),
}


def after_all(db: sa.Connection, told: Iterable[Told], now: datetime) -> None:
    """Withdraw what waits in place of messages that arrived, for its time or for staff.

    Whom the provider let one through is not stopped any more by what it had told. It
    is asked before these states are written into the book of messages.
    """
    there = [one for one in told if one.state in ("delivered", "read")]
    named = {
        "keys": [one.tag for one in there if one.tag],
        "ids": [one.provider_id for one in there if not one.tag],
    }
    for by, names in named.items():
        for start in range(0, len(names), _AT_ONCE):
            some = {"some": names[start : start + _AT_ONCE]}
            for row in db.execute(_BY[by], some).all():
                _arrived(db, row, now)


def _arrived(db: sa.Connection, row: Any, now: datetime) -> None:
    if row.number is not None:
        change = sa.update(contacts).where(contacts.c.number == row.number)
        db.execute(change.values(opted_out_at=None, opted_out_by=None))
    if row.state == "failed":
        outbox.withdraw(db, sent_anew(row.key), _WHY, now)
        outbox.was_done(db, row.key, now)
        looks = failed_keys(row)
        outbox.withdraw(db, looks, _WHY, now, states=("waiting", "parked"))


def sent_anew(key: str) -> list[str]:
    """Return the keys under which the message of a key may be sent anew after it."""
    root, _, number = key.partition(_ANEW)
    first = int(number) + 1 if number.isdigit() else 1
    return [f"{root}{_ANEW}{n}" for n in range(first, MOST_ANEW + 1)]
