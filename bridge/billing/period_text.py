"""Read the period that stands in the text of an invoice line."""

from __future__ import annotations

import re
from datetime import date
from functools import cache

from bridge.billing.model import Period

#: A longer text is not read at all: half of it might say something else.
LONGEST = 100_000

_PARTS = {"DD": r"[0-9]{2}", "MM": r"[0-9]{2}", "YYYY": r"[0-9]{4}"}
_FORMAT = re.compile(r"(DD|MM|YYYY)([/.-])(DD|MM|YYYY)\2(DD|MM|YYYY)", re.ASCII)


def read_period(description: str, date_format: str) -> Period | None:
    """Return the one period written in *description*, or None.

    *date_format* is the panel's global one (`DD/MM/YYYY`, `MM/DD/YYYY`,
    `YYYY-MM-DD`, `DD.MM.YYYY`, ...). Two periods, a day that does not exist, an
    end before its beginning or an unknown format are None. Never raises.
    """
    pair = _pair(date_format.strip().upper())
    if pair is None or len(description) > LONGEST:
        return None
    found = [match.groupdict() for match in pair.finditer(description)]
    if len(found) != 1:
        return None
    first, last = _day(found[0], "1"), _day(found[0], "2")
    if first is None or last is None or last < first:
        return None
    return Period(first, last)


@cache
def _pair(date_format: str) -> re.Pattern[str] | None:
    """Return what finds two days of a format with a dash between them.

    Everything stands in a lookahead, so that of `a - b - c` both pairs are seen.
    """
    match = _FORMAT.fullmatch(date_format)
    if match is None or len({match[1], match[3], match[4]}) != 3:
        return None
    one, two = (_one_day(match, which) for which in "12")
    dash = r"[ \t\u00a0]{0,4}[-\u2013\u2014][ \t\u00a0]{0,4}"
    before = r"(?<![0-9])(?<![0-9][/.-])"
    after = r"(?![0-9])(?![/.-][0-9])"
    return re.compile(f"{before}(?={one}{dash}{two}{after})", re.ASCII)


def _one_day(match: re.Match[str], which: str) -> str:
    parts = [f"(?P<{part}{which}>{_PARTS[part]})" for part in match.group(1, 3, 4)]
    return re.escape(match[2]).join(parts)


def _day(found: dict[str, str], which: str) -> date | None:
    try:
        return date(*(int(found[part + which]) for part in ("YYYY", "MM", "DD")))
    except ValueError:
        return None
