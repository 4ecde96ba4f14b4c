"""How single values and lists of WHMCS answers are read.

Numbers come as text, empty lists as "", dates as zeros, flags in many words.
Whatever cannot be read for certain is a ValidationError or ValueError: nothing
is guessed. Their texts never hold the value, which may be confidential.
"""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing

from bridge.billing.model import Cycle

Row = dict[str, Any]

_TRUE = frozenset({"1", "on", "true", "yes"})
_FALSE = frozenset({"", "0", "off", "false", "no"})
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,10})?")
# A point before the digits belongs to a currency such as "Rs." only.
_MONEY = re.compile(
    r"((?:[^\d(,.]|(?<=[A-Za-z])\.)*)([0-9]{1,15}(?:\.[0-9]{1,10})?)([^\d(,.-]*)"
)
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2}))?"
)
# The second is what PHP makes of a date of zeros.
_NO_DAY = ("0000-00-00", "-0001-11-30")
_PLAIN = re.compile(r"[ -%'-~]*")


def unwrap(obj: Any, outer: str, inner: str = "") -> list[Row]:
    """Return the rows of a list, however the panel wraps or empties it.

    `{outer: {inner: [...]}}` is usual. A missing key, "", null, [] and
    `{inner: []}` are no rows, a lone map is one row, and a map whose keys are
    numbers is a PHP array. Raises ValueError when a row is not a map.
    """
    held = obj.get(outer) if isinstance(obj, dict) else None
    if inner and isinstance(held, dict) and inner in held:
        held = held[inner]
    if held is None or held == "" or held == {}:
        return []
    if isinstance(held, dict):
        array = all(isinstance(key, str) and _NUMBER.fullmatch(key) for key in held)
        held = [held[key] for key in sorted(held, key=int)] if array else [held]
    if not isinstance(held, list) or not all(isinstance(row, dict) for row in held):
        raise ValueError(f"{outer}: not a list of rows")
    return held


def nested(obj: Row) -> Row:
    """Undo flattening: a key `packages[package][0][id]` becomes maps in maps."""
    if not any("[" in key for key in obj):
        return obj
    out: Row = {}
    for key, value in obj.items():
        *path, last = re.split(r"\]?\[", key.removesuffix("]"))
        here = out
        for step in path:
            here = here.setdefault(step, {})
            if not isinstance(here, dict):
                raise ValueError(f"{path[0]}: both a value and a list")
        here[last] = value
    return out


def clean(text: str) -> str:
    """Return *text* without HTML entities, carriage returns and unsendable signs."""
    text = html.unescape(text).replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def money(text: str) -> Decimal:
    """Read money written for people, `$-8.67 USD`, where it has one meaning only.

    Raises ValueError for `1.234,56` and `1,234`: which sign parts the decimals
    depends on the currency's settings.
    """
    match = _MONEY.fullmatch(text.strip())
    if match is None or match[1].count("-") > 1:
        raise ValueError("not an amount that reads one way only")
    amount = Decimal(match[2])
    return -amount if "-" in match[1] else amount


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the panel's local date and time, aware in its zone; zeros are None."""
    if not text or text.startswith(_NO_DAY):
        return None
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


class Field(fields.Field[Any]):
    """A field that sees null too, and is short of what is not needed here."""

    def deserialize(
        self, value: Any, attr: Any = None, data: Any = None, **more: Any
    ) -> Any:
        """Return the value read, or the default where the key is missing."""
        if value is not missing:
            return self.read(value)
        if self.required:
            raise ValidationError("missing")
        return self.load_default() if callable(self.load_default) else self.load_default

    def read(self, value: Any) -> Any:
        """Return what *value* means, or raise ValidationError."""
        raise NotImplementedError


class Number(Field):
    """A whole number, also as text; a blank is the default, where there is one."""

    def read(self, value: Any) -> Any:
        """Return the number."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value)
        if (value is None or value == "") and not self.required:
            return self.load_default
        raise ValidationError("not a whole number")


class Amount(Field):
    """An amount with a point. `1.234,56` is written for people: refused."""

    def read(self, value: Any) -> Decimal:
        """Return the amount."""
        if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
            text = str(value).strip()
            if _AMOUNT.fullmatch(text):
                return Decimal(text)
        raise ValidationError("not an amount")


class Text(Field):
    """A text as a person would write it: no entities, NUL or carriage returns."""

    def read(self, value: Any) -> str:
        """Return the text; null and false are none."""
        if isinstance(value, str):
            return value if _PLAIN.fullmatch(value) else clean(value)
        if value is None or value is False:
            return ""
        if isinstance(value, (int, Decimal)) and value is not True:
            return str(value)
        raise ValidationError("not a text")


class Day(Field):
    """A calendar day, also out of a date and time; zeros and blanks are None."""

    def read(self, value: Any) -> date | None:
        """Return the day."""
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ValidationError("not a day")
        if value.startswith(_NO_DAY):
            return None
        match = _MOMENT.fullmatch(value)
        if match is None:
            raise ValidationError("not a day")
        try:
            return date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            raise ValidationError("not a day") from None


class Flag(Field):
    """true, 1, "1", "on", "true", and what says no likewise."""

    def read(self, value: Any) -> bool:
        """Return what it says."""
        word = "" if value is None else str(value).strip().casefold()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValidationError("neither yes nor no")


class Paid(Field):
    """A billing cycle, in either spelling."""

    def read(self, value: Any) -> Cycle:
        """Return the cycle."""
        try:
            return Cycle.read(value)
        except (ValueError, AttributeError, TypeError):
            raise ValidationError("not a billing cycle") from None


class Rows(Field):
    """A list in any of its wrappings, each row read by *schema*."""

    def __init__(self, schema: Schema, inner: str = "", **more: Any) -> None:
        super().__init__(load_default=list, **more)
        self._schema = schema
        self._inner = inner

    def read(self, value: Any) -> list[Row]:
        """Return the rows."""
        try:
            rows = unwrap({"": value}, "", self._inner)
        except ValueError:
            raise ValidationError("not a list of rows") from None
        return [self._schema.load(row) for row in rows]


class Answer(Schema):
    """What all answers have in common: what is not declared is dropped."""

    class Meta:
        unknown = EXCLUDE


def first_trouble(error: ValidationError) -> str:
    """Return the first thing wrong, `items.amount: not an amount`, without values."""
    path: list[str] = []
    found: Any = error.messages
    while isinstance(found, dict) and found:
        key = next(iter(found))
        path += [] if key == "_schema" else [str(key)]
        found = found[key]
    what = found[0] if isinstance(found, list) and found else found
    return f"{'.'.join(path)}: {what}" if path else str(what)
