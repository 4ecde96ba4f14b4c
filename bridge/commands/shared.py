"""What commands share: tables, JSON, questions before many changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

#: The last column of a table has so much room at least.
_NARROWEST = 30
#: The calendar's ends.
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


def show(value: Any) -> None:
    """Print a value as JSON."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    click.echo(text)


def in_line(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "") -> None:
    """Print a table: drawn on a terminal, tab-separated elsewhere."""
    if not rows:
        click.echo(empty or "Nothing.", err=True)
        return
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(head), *cells]:
            click.echo("\t".join(cell.replace("\n", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False, highlight=False)
    drawn = Table(header_style="bold", box=None, pad_edge=False)
    for name in head[:-1]:  # ids are copied from here: never cut
        drawn.add_column(name, no_wrap=True, overflow="ignore")
    drawn.add_column(head[-1], overflow="fold")
    for row in cells:
        drawn.add_row(*row)
    whole = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    least = sum(whole[:-1]) + 2 * len(whole) + min(whole[-1], _NARROWEST)
    console.width = max(console.width, least)
    console.print(drawn, crop=False)


def moment(at: datetime | None) -> str:
    """Return a moment as people read it, a dash for none."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def instant(
    text: str, zone: ZoneInfo, hint: str, *, whole_day: bool = False
) -> datetime:
    """Read a date or an ISO time as aware UTC; one without a zone is the panel's.

    With *whole_day* a date is the end of that day. What lies beyond the calendar's
    ends is brought to them.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        what = f'"{text}" is no date (YYYY-MM-DD) or ISO time'
        raise click.BadParameter(what, param_hint=hint) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        if whole_day and len(text) == len("YYYY-MM-DD"):
            found += timedelta(days=1)
        found = found.astimezone(UTC)
    except OverflowError:
        return _BEGINNING if found.year == 1 else _END
    return found


def sure(count: int, what: str, yes: bool) -> None:
    """Ask before more than 20 changes; raises Abort on no."""
    if count > 20 and not yes:
        click.confirm(f"That changes {count} {what}. Go on?", abort=True, err=True)


def who() -> str:
    """Return who sits at the keyboard, for the audit."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def shorten(path: Path) -> str:
    """Return a path as seen from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
