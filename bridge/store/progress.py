"""How far a message got: states come in any order, and it never goes back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import sqlalchemy as sa

from bridge.store.tables import messages

#: Which state says more than another; a message never goes back.
RANK = {"unsure": 0, "accepted": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}


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
    astray = sa.and_(told != "", messages.c.to != told)
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
