"""Pick what is needed out of JSON that anybody may have written; nothing raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bridge.transport import Answer
from bridge.whatsapp import Unreadable

#: Longest text and longest id that are kept; vendors' own limits lie below.
TEXT_LIMIT, ID_LIMIT = 65_536, 512
#: What a store cannot keep: halves of a pair, and the sign that ends texts in C.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_EARLIEST, _LATEST = 1_230_768_000, 4_102_444_800  # 2009, before WhatsApp; 2100
_WORD = re.compile(r"[A-Za-z0-9_ .-]{1,40}")
_BLANKS = re.compile(r"\s+")


def decode(body: bytes) -> Any:
    """Return the JSON of a webhook's body; raises Unreadable and nothing else."""
    try:
        return Answer(200, {}, body).json()
    except ValueError:
        raise Unreadable("the body is no JSON") from None


def pick(value: Any, *path: str | int) -> Any:
    """Return what stands at *path*, or None."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if -len(value) <= step < len(value) else None
        else:
            return None
    return value


def text(value: Any, *path: str | int, limit: int = ID_LIMIT) -> str:
    """Return the text or whole number at *path* as storable text, or nothing."""
    found = pick(value, *path)
    if isinstance(found, bool):
        return ""
    if isinstance(found, int):
        found = str(found) if abs(found) < 10**30 else ""
    return storable(found, limit) if isinstance(found, str) else ""


def storable(found: str, limit: int = TEXT_LIMIT) -> str:
    """Return a text that any store takes, cut at *limit*."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", found[:limit])


def word(value: Any, *path: str | int) -> str:
    """Return the vendor's one word at *path* (a status), or a question mark.

    It is shown to people, so that nothing longer may pass as one.
    """
    found = text(value, *path)
    return found if not found or _WORD.fullmatch(found) else "?"


def whole(value: Any, *path: str | int) -> int | None:
    """Return the whole number at *path*, also one that is written as text."""
    found = text(value, *path)
    return int(found) if re.fullmatch(r"-?[0-9]{1,18}", found, re.ASCII) else None


def each(value: Any, *path: str | int) -> Iterator[Any]:
    """Yield the items of the list at *path*; a lone map counts as one."""
    found = pick(value, *path)
    if isinstance(found, list):
        yield from found
    elif isinstance(found, dict):
        yield found


def instant(value: Any, fallback: datetime) -> datetime:
    """Return seconds or milliseconds since 1970 as aware UTC, else *fallback*."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < 10**18:
        value = int(value)
    seconds = whole({"at": value}, "at")
    if seconds is None:
        return fallback
    if seconds > _LATEST:
        seconds //= 1000
    if not _EARLIEST <= seconds <= _LATEST:
        return fallback
    return datetime.fromtimestamp(seconds, UTC)


def flat(value: str) -> str:
    """Return a value as a template takes it: one line, single blanks, not empty."""
    return _BLANKS.sub(" ", storable(value)).strip() or "-"


def fitted(values: tuple[str, ...], room: int) -> list[str]:
    """Return values as a template takes them, the longest cut to fit *room*."""
    clean = [flat(value) for value in values]
    left, limit = max(room, len(clean)), room
    for count, length in zip(
        range(len(clean), 0, -1), sorted(map(len, clean)), strict=True
    ):
        limit = left // count
        if length > limit:
            break
        left -= length
    else:
        return clean
    return [v if len(v) <= limit else v[: limit - 1] + "…" for v in clean]
