"""The console's words in Spanish, English and Portuguese; chosen by the browser."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from flask import request, session
from flask.sessions import NullSession

from bridge import filters
from bridge.billing.money import Amount, round_half_up
from bridge.console.sentences import SENTENCES

LANGUAGES = {"es": "Español", "en": "English", "pt_BR": "Português"}
_ASKED = {"es": "es", "en": "en", "pt-BR": "pt_BR", "pt": "pt_BR"}


@dataclass(frozen=True)
class Words:
    """Sentences, amounts and days in one language."""

    language: str
    zone: ZoneInfo

    def __call__(self, name: str, /, **values: Any) -> str:
        """Return a sentence of ours with values in its gaps; KeyError if none is."""
        place = list(LANGUAGES).index(self.language)
        return SENTENCES[name][place].format(**values)

    @property
    def tag(self) -> str:
        """The language as pages name it."""
        return self.language.replace("_", "-")

    def money(self, amount: Decimal | str, currency: str) -> str:
        """Write an amount; one that is not rounded yet shows all its places."""
        exact = Decimal(amount)
        if exact == round_half_up(exact, currency):
            return filters.money(Amount(exact, currency), self.language)
        return f"{filters.number(exact, self.language)} {currency}"

    def day(self, value: date | str | None) -> str:
        """Write a day, a dash where there is none."""
        if value is None:
            return "–"
        found = date.fromisoformat(value) if isinstance(value, str) else value
        return filters.date(found, self.language)

    def moment(self, value: datetime) -> str:
        """Write a day with its hour, in the panel's zone."""
        return filters.datetime(value.astimezone(self.zone), self.language)

    def status(self, value: str) -> str:
        """Write a service's status; one that we do not know is the panel's word."""
        name = f"status_{value.casefold()}"
        return self(name) if name in SENTENCES else value

    def cycle(self, value: str) -> str:
        """Write how often is paid."""
        return filters.cycle(value, self.language)


def of_request(default: str, zone: ZoneInfo) -> Words:
    """Return the words of the language that was chosen, or the browser asks for."""
    asked = request.args.get("lang", "")
    if asked in LANGUAGES and not isinstance(session, NullSession):
        session["lang"] = asked
    if (chosen := session.get("lang")) in LANGUAGES:
        return Words(chosen, zone)
    best = request.accept_languages.best_match(list(_ASKED))
    return Words(_ASKED[best] if best else default, zone)


def visible(value: Any) -> Any:
    """Return a text without signs that nobody sees or that turn others round.

    Every text on a page goes through here, before it is escaped.
    """
    if type(value) is not str:
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(c) else c for c in value)


def _hidden(sign: str) -> bool:
    return sign not in "\n\t" and unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs")
