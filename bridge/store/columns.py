"""Types of columns that both stores keep the same: instants, days, money, JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970 in UTC.

    One integer sorts and compares alike on both databases.
    """

    impl = sa.BigInteger
    cache_ok = True
    _epoch = datetime(1970, 1, 1, tzinfo=UTC)

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:
        """Refuse a naive datetime: nobody knows which instant it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        delta = value - self._epoch
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:
        """Return it aware, in UTC."""
        if value is None:
            return None
        return datetime.fromtimestamp(value // 1_000_000, UTC).replace(
            microsecond=value % 1_000_000
        )


class Amount(sa.types.TypeDecorator[Decimal]):
    """Money as decimal text: no database rounds it."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Any) -> str | None:
        """Write it plainly, without an exponent."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: str | None, dialect: Any) -> Decimal | None:
        """Read it back exactly."""
        return None if value is None else Decimal(value)


class Day(sa.types.TypeDecorator[date]):
    """A calendar day of the panel, as ISO text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Any) -> str | None:
        """Write it as YYYY-MM-DD."""
        return None if value is None else value.isoformat()

    def process_result_value(self, value: str | None, dialect: Any) -> date | None:
        """Read it back."""
        return None if value is None else date.fromisoformat(value)


class Document(sa.types.TypeDecorator[Any]):
    """JSON as compact text, the same on both databases."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """Write it compactly; days, instants and money become text."""
        return None if value is None else _encode(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:
        """Read it back."""
        return None if value is None else _decode(value)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be stored")


_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_slowly = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_plain
).encode


def _encode(value: Any) -> str:
    """Write what orjson can (a fifth of all work was JSON), else as Python does.

    orjson knows whole numbers of 64 bits and keys that are text, and would read a
    longer number as a float: a blank before the text says who has to read it.
    """
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS).decode()
    except orjson.JSONEncodeError:
        return f" {_slowly(value)}"


def _decode(text: str) -> Any:
    return json.loads(text) if text.startswith(" ") else orjson.loads(text)


#: All tables, of every module that has some.
metadata = sa.MetaData()

#: Counts up by itself on both stores.
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
