"""The filters of texts: money, dates and words in the client's language (Babel)."""

from __future__ import annotations

import datetime as calendar
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

#: How many values a filter takes in brackets: least, most.
TEXT_ARGUMENTS: dict[str, tuple[int, int]] = {"default": (1, 1), "truncate": (1, 1)}
_LENGTHS = 1000

#: Numeric in Spanish and Portuguese. In English 9/12 is two different days, so
#: the month is a word there.
_DATES = {"es": "dd/MM/yyyy", "pt": "dd/MM/yyyy"}
_AND = {"es": "y", "pt": "e", "en": "and"}
_CYCLES: dict[str, dict[str, str]] = {
    "es": {
        "monthly": "mensual",
        "quarterly": "trimestral",
        "semiannually": "semestral",
        "annually": "anual",
        "biennially": "bienal",
        "triennially": "trienal",
        "onetime": "pago único",
        "free": "sin cargo",
    },
    "en": {
        "monthly": "monthly",
        "quarterly": "quarterly",
        "semiannually": "every six months",
        "annually": "yearly",
        "biennially": "every two years",
        "triennially": "every three years",
        "onetime": "one-time payment",
        "free": "free of charge",
    },
    "pt": {
        "monthly": "mensal",
        "quarterly": "trimestral",
        "semiannually": "semestral",
        "annually": "anual",
        "biennially": "bienal",
        "triennially": "trienal",
        "onetime": "pagamento único",
        "free": "sem custo",
    },
}


def money(value: Any, language: str) -> str:
    """Write an amount with its currency, rounded half up to that one's places."""
    from babel.numbers import format_currency, get_currency_precision

    amount, currency = getattr(value, "amount", None), getattr(value, "currency", None)
    if not isinstance(amount, Decimal) or not currency:
        raise TypeError("is not an amount of money")
    step = Decimal(1).scaleb(-get_currency_precision(currency))
    exact = amount.quantize(step, rounding=ROUND_HALF_UP)
    return format_currency(exact, currency, locale=language).replace("\xa0", " ")


def date(value: Any, language: str) -> str:
    """Write a day in its short form."""
    from babel.dates import format_date

    form = _DATES.get(language[:2], "medium")
    return format_date(_day(value), form, locale=language)


def longdate(value: Any, language: str) -> str:
    """Write a day with the month's name."""
    from babel.dates import format_date

    return format_date(_day(value), "long", locale=language)


def datetime(value: Any, language: str) -> str:
    """Write a day with its hour and minute."""
    if not isinstance(value, calendar.datetime):
        raise TypeError("is not a day with an hour")
    return f"{date(value, language)} {time(value, language)}"


def time(value: Any, language: str) -> str:
    """Write an hour and minute."""
    from babel.dates import format_time

    if not isinstance(value, calendar.datetime | calendar.time):
        raise TypeError("is not an hour")
    wall = value.time() if isinstance(value, calendar.datetime) else value
    text: str = format_time(wall, "short", locale=language)
    return text.replace("\u202f", " ").replace("\xa0", " ")


def _day(value: Any) -> calendar.date:
    if isinstance(value, calendar.datetime):
        return value.date()
    if not isinstance(value, calendar.date):
        raise TypeError("is not a day")
    return value


def number(value: Any, language: str) -> str:
    """Write a number with the separators of the language."""
    from babel.numbers import format_decimal

    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError("is not a number")
    return format_decimal(value, locale=language).replace("\xa0", " ")


def joined(value: Any, language: str) -> str:
    """Write a list in one sentence: a, b y c."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Iterable):
        raise TypeError("is not a list")
    words = [str(word) for word in value]
    if len(words) < 2:
        return words[0] if words else "-"
    word = _AND.get(language[:2], ",")
    if word == "y" and _sounds_like_i(words[-1]):
        word = "e"
    return f"{', '.join(words[:-1])} {word} {words[-1]}"


def _sounds_like_i(word: str) -> bool:
    """Spanish says "e" before an i sound: nombre e identificación."""
    start = word.casefold().removeprefix("h")
    return start.startswith(("i", "í")) and not start.startswith(("ia", "ie", "io"))


def phone(value: Any) -> str:
    """Write a telephone number in international form; any other text as it is."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        format_number,
        parse,
    )

    text = str(value)
    try:
        return format_number(parse(text, None), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return text


def cycle(value: Any, language: str) -> str:
    """Write a billing cycle in the language: anual."""
    word = "".join(c for c in str(value).casefold() if c.isalpha())
    word = "free" if word == "freeaccount" else word
    return _CYCLES.get(language[:2], _CYCLES["en"]).get(word, str(value))


def default(value: Any, instead: Any) -> Any:
    """Return *instead* where there is nothing."""
    empty = value is None or (isinstance(value, str | list | tuple) and not value)
    return instead if empty else value


def truncate(value: Any, length: Any) -> str:
    """Cut a text to *length* characters, the last of them an ellipsis."""
    if isinstance(length, bool) or not isinstance(length, int):
        raise TypeError("truncate takes a whole number")
    text = str(value)
    limit = max(1, min(length, _LENGTHS))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _length(value: Any) -> int:
    if value is None:
        return 0
    return len(value)


def _text(change: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: change("-" if value is None else str(value))


_SPEAKING: dict[str, Callable[[Any, str], str]] = {
    "money": money,
    "date": date,
    "longdate": longdate,
    "datetime": datetime,
    "time": time,
    "number": number,
    "list": joined,
    "cycle": cycle,
}
_PLAIN: dict[str, Callable[..., Any]] = {
    "upper": _text(str.upper),
    "lower": _text(str.lower),
    "capitalize": _text(str.capitalize),
    "title": _text(str.title),
    "trim": _text(str.strip),
    "lines": _text(str),
    "phone": phone,
    "default": default,
    "truncate": truncate,
    "length": _length,
}

#: What a text may use, and what a condition may.
FILTERS = frozenset(_SPEAKING) | frozenset(_PLAIN) - {"length"}
CONDITION_FILTERS = frozenset({"upper", "lower", "trim", "default", "length"})

#: Filters that want one kind of field (variables.FIELDS), and what that is.
WANTS = {
    "money": ("money", "an amount"),
    "date": ("day", "a day"),
    "longdate": ("day", "a day"),
    "list": ("list", "a list"),
}


def bound(language: str) -> dict[str, Callable[..., Any]]:
    """Return every filter by name, speaking *language*."""

    def speaking(run: Callable[[Any, str], str]) -> Callable[[Any], str]:
        return lambda value: "-" if value is None else run(value, language)

    return {**{name: speaking(run) for name, run in _SPEAKING.items()}, **_PLAIN}
