"""How far a message got: states come in any order, and it never goes back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from bridge.store.tables import messages, receipts

#: Which state says more than another; a message never goes back.
RANK = {"unsure": 0, "accepted": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}
#: So many that lag behind are brought on at once, at most.
_AT_ONCE = 500
#: No provider's own id begins so.
_BY_OUR_TAG = "tag:"


class Told(Protocol):
    """One state of a message, as a provider told it."""

    @property
    def provider_id(self) -> str:
        """The provider's own id."""
        ...

    @property
    def tag(self) -> str:
        """Our key, where it came back."""
        ...

    @property
    def state(self) -> str:
        """Which state it is."""
        ...

    @property
    def kind(self) -> str:
        """The class of the code of a failed one."""
        ...

    @property
    def code(self) -> str:
        """That code."""
        ...

    @property
    def detail(self) -> str:
        """What it means."""
        ...

    @property
    def to(self) -> str:
        """The number that it is about, empty where that is not told."""
        ...


def named(provider_id: str, tag: str) -> str:
    """Return under which id a state is kept: one without the provider's, by our tag."""
    return provider_id or f"{_BY_OUR_TAG}{tag}"


def id_of(named: str) -> str:
    """Return the provider's id out of what `named` made, empty where it gave none."""
    return "" if named.startswith(_BY_OUR_TAG) else named


def failed_key(provider: str, provider_id: str, tag: str) -> str:
    """Return the key of the job that looks after a message which failed."""
    return f"{provider}:{named(provider_id, tag)}/failed"


def failed_keys(message: Any) -> list[str]:
    """Return the keys of the jobs that may look after a message of the book."""
    told = dict.fromkeys((message.provider_id or "", ""))
    return [failed_key(message.provider, id, message.key) for id in told]


def halted(state: Any) -> bool:
    """Tell whether a state says that a message failed as any other would have."""
    return bool(state.state == "failed" and state.kind == "halt")


def _rank(column: Any) -> Any:
    return sa.case(RANK, value=column, else_=0)


def _latest() -> Any:
    """An earlier attempt under the same key that failed says nothing of the later."""
    known = sa.func.coalesce(messages.c.provider_id, "")
    state: Any = sa.bindparam("new_state")
    return sa.or_(state != "failed", known == "", known == sa.bindparam("new_id"))


def _advancing(where: Any) -> Any:
    state: Any = sa.bindparam("new_state")
    told = sa.bindparam("new_to", type_=sa.Text)
    # Of what was written to an identity no number can be another one than was meant.
    number = messages.c.to.startswith("+")
    astray = sa.and_(told != "", number, messages.c.to != told)
    return (
        sa.update(messages)
        .where(where, _rank(messages.c.state) < sa.bindparam("new_rank"), _latest())
        .values(
            state=state,
            error=sa.bindparam("new_error"),
            reached=sa.case((astray, told), else_=messages.c.reached),
            provider_id=sa.func.coalesce(
                sa.func.nullif(messages.c.provider_id, ""), sa.bindparam("new_id")
            ),
        )
    )


_BY_TAG = _advancing(messages.c.key == sa.bindparam("tag"))
_BY_ID = _advancing(messages.c.provider_id == sa.bindparam("new_id"))


def advance(db: sa.Connection, told: Iterable[Told]) -> None:
    """Bring messages on to the states that were told of them."""
    by_tag, by_id = [], []
    for one in sorted(told, key=lambda one: RANK.get(one.state, 0)):
        error = f"{one.kind} {one.code}: {one.detail}".strip()
        values = {
            "new_state": one.state,
            "new_rank": RANK.get(one.state, 0),
            "new_error": error if one.state == "failed" else None,
            "new_id": one.provider_id,
            "new_to": one.to,
        }
        if one.tag:
            by_tag.append(values | {"tag": one.tag})
        else:
            by_id.append(values)
    if by_tag:
        db.execute(_BY_TAG, by_tag)
    if by_id:
        db.execute(_BY_ID, by_id)


def lagging(db: sa.Connection, since: datetime) -> list[dict[str, Any]]:
    """Return messages that a state of theirs, heard since then, passed by.

    Where several write at once a state may be written in the same moment as our own
    answer: neither sees the other then.
    """
    behind = sa.and_(
        receipts.c.received_at > since,
        receipts.c.provider == messages.c.provider,
        _rank(messages.c.state) < _rank(receipts.c.state),
    )
    found: dict[str, dict[str, Any]] = {}
    for its in (
        receipts.c.tag == messages.c.key,
        receipts.c.provider_id == messages.c.provider_id,
    ):
        query = sa.select(messages).join(receipts, its).where(behind).limit(_AT_ONCE)
        found |= {row.key: row._asdict() for row in db.execute(query)}
    return list(found.values())


def unsettled(
    db: sa.Connection,
    provider: str,
    after: tuple[datetime, str],
    until: datetime,
    limit: int,
) -> list[Any]:
    """Return messages that a provider took and told nothing final of, oldest first.

    They went out until *until*, and later than the one of time and key *after*.
    """
    at, key = after
    query = sa.select(messages).where(
        messages.c.created_at >= at,
        messages.c.created_at <= until,
        sa.or_(messages.c.created_at > at, messages.c.key > key),
        messages.c.provider == provider,
        messages.c.state.in_(("accepted", "sent")),
        messages.c.provider_id != "",
    )
    ordered = query.order_by(messages.c.created_at, messages.c.key)
    return list(db.execute(ordered.limit(limit)))


def prune(db: sa.Connection, before: datetime, limit: int) -> int:
    """Drop states that are older than *before*; return how many went."""
    old = sa.select(receipts.c.seq).where(receipts.c.received_at < before).limit(limit)
    found = db.execute(old).scalars().all()
    if found:
        db.execute(sa.delete(receipts).where(receipts.c.seq.in_(found)))
    return len(found)
