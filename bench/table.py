"""What was measured, in a row each: ours, the other's, their ratio, the target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. *ours* and *other* are medians; *met* is None for no target."""

    what: str
    ours: float
    unit: str
    other: float | None = None
    beside: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the other's."""
        return self.ours / self.other if self.other else None


@dataclass(frozen=True)
class Note:
    """What could not be measured and why, or what else is to be said."""

    text: str


def at_least(what: str, ours: float, other: float, beside: str, least: float) -> Row:
    """Make a row whose ratio must reach *least*."""
    met = ours / other >= least if other else None
    return Row(what, ours, "/s", other, beside, f"ratio >= {least:g}", met)


def at_most(
    what: str,
    ours: float,
    unit: str,
    most: float,
    other: float | None = None,
    beside: str = "",
) -> Row:
    """Make a row whose value must stay at or below *most*."""
    target = f"<= {most:g} {unit}"
    return Row(what, ours, unit, other, beside, target, ours <= most)


def show(title: str, rows: Sequence[Row | Note]) -> str:
    """Return a case's rows as a table."""
    cells = [("what", "ours", "other", "ratio", "target", "")]
    notes = []
    for row in rows:
        if isinstance(row, Note):
            notes.append(f"  {row.text}")
            continue
        other = "" if row.other is None else f"{_number(row.other)} {row.unit}"
        if row.beside:
            other = f"{other} {row.beside}".strip()
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {None: "", True: "met", False: "NOT MET"}[row.met]
        ours = f"{_number(row.ours)} {row.unit}"
        cells.append((row.what, ours, other, ratio, row.target, met))
    widths = [max(len(line[n]) for line in cells) for n in range(6)]
    lines = [
        "  "
        + "  ".join(
            text.ljust(w) for text, w in zip(line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join([title, *lines, *notes, ""])


def told(case: str, rows: Sequence[Row | Note]) -> str:
    """Return a case's rows as one line of JSON."""
    found = [asdict(row) | {"ratio": row.ratio} for row in rows if isinstance(row, Row)]
    notes = [row.text for row in rows if isinstance(row, Note)]
    return json.dumps({"case": case, "rows": found, "notes": notes})


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
