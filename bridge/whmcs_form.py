"""How parameters are written so that PHP reads what was meant.

A form knows only text: `False` would arrive as the text "False", which PHP
takes for true, and a float as whatever it was rounded to.
https://developers.whmcs.com/api/getting-started/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus, urlencode

PhpValue = None | bool | int | Decimal | str | Sequence[Any] | Mapping[Any, Any]


def form(params: Mapping[str, Any]) -> str:
    """Return *params* as the body of a form.

    Flags become 1 and 0, None is left out, lists become `items[0]`, maps
    `configoptions[4]`, days Y-m-d, aware instants Y-m-d H:i:s as they stand.
    Raises TypeError for floats and other types, ValueError for what has no text.
    """
    return urlencode(list(pairs(params)), errors="replace", quote_via=quote_plus)


def pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each name and text of the form, before it is quoted."""
    for name, value in params.items():
        yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}[{key}]", inner)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _flat(f"{name}[{index}]", inner)
    else:
        yield name, _text(name, value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: a time without a zone")
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{name}: no way to send a {type(value).__name__}")


def plain(amount: Decimal) -> str:
    """Return *amount* without exponent or grouping: 1000, -8.67."""
    if not amount.is_finite():
        raise ValueError("not an amount")
    return format(amount, "f")


def php_serialize(value: PhpValue) -> bytes:
    """Return *value* as PHP's serialize() writes it; texts count their bytes.

    Parameters such as `customfields` are the base64 of this. Keys that look
    like whole numbers become numbers, as PHP itself makes them. A `Decimal` is
    sent as text, since a float would change it.
    """
    if value is None:
        return b"N;"
    if isinstance(value, bool):
        return b"b:%d;" % value
    if isinstance(value, int):
        return b"i:%d;" % value
    if isinstance(value, Decimal):
        value = plain(value)
    if isinstance(value, str):
        raw = value.encode("utf-8", "replace")
        return b's:%d:"%b";' % (len(raw), raw)
    if isinstance(value, Mapping):
        rows = [(_key(key), inner) for key, inner in value.items()]
    elif isinstance(value, (list, tuple)):
        rows = list(enumerate(value))
    else:
        raise TypeError(f"no way to serialize a {type(value).__name__}")
    body = b"".join(php_serialize(key) + php_serialize(inner) for key, inner in rows)
    return b"a:%d:{%b}" % (len(rows), body)


def _key(key: object) -> int | str:
    if isinstance(key, bool) or not isinstance(key, (int, str)):
        raise TypeError(f"no key of a PHP array: a {type(key).__name__}")
    if isinstance(key, str) and key.isascii() and key.lstrip("-").isdigit():
        number = int(key)
        if str(number) == key and -(2**63) <= number < 2**63:
            return number
    return key
