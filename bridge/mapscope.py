"""What a condition or text may name under a hookpoint, and what it may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from bridge.events import Event, catalogue, subject
from bridge.textfiles import name_mistakes
from bridge.variables import REACHES

#: (variable, field); no field where the variable stands alone.
Names = Iterable[tuple[str, str | None]]

#: What needs no object of the panel.
_ALWAYS = frozenset({"event", "company", "result"})


@dataclass(frozen=True)
class Scope:
    """What a text or condition may name at one place of the map.

    *reaches* and *fields* are None where the catalogue does not know the hookpoint.
    """

    hookpoint: str
    reaches: frozenset[str] | None
    fields: frozenset[str] | None
    result: frozenset[str] = frozenset()


@cache
def reachable(hookpoint: str) -> frozenset[str] | None:
    """Return the variables that a hookpoint's own ids lead to, or None: unknown."""
    point = catalogue().get(hookpoint)
    if point is None:
        return None
    data: dict[str, Any] = {}
    for name, kind in point.fields.items():
        holder, _, leaf = name.rpartition(".")
        if kind in ("int", "any"):
            (data.setdefault(holder, {}) if holder else data)[leaf] = 1
    context: dict[str, Any] = {}
    upgrade = any(name.casefold() == "upgradeid" for name in point.fields)
    if upgrade:
        context["upgrade"] = {"relid": 1}
    if hookpoint == "OrderProductUpgradeOverride":
        context["service_id"] = 1
    now = datetime.fromtimestamp(0, UTC)
    found = subject(Event("", "", hookpoint, data, context, now, now))
    kinds = [kind for kind in REACHES if getattr(found, kind, None) is not None]
    if upgrade:
        kinds.append("upgrade")
    return _ALWAYS.union(*(REACHES[kind] for kind in kinds))


def wrong_names(names: Names, scope: Scope) -> list[str]:
    """Return what is wrong with names at this place: unknown, or out of reach."""
    told: list[str] = []
    for variable, field in sorted(names, key=lambda pair: (pair[0], pair[1] or "")):
        if variable == "result" and field and not scope.result:
            told.append(f"result.{field}: the step before leaves no result")
            continue
        extra = scope.result if variable == "result" else scope.fields
        wrong = list(name_mistakes(variable, field, extra))
        if not wrong and scope.reaches is not None and variable not in scope.reaches:
            wrong = [_unreachable(variable, scope)]
        told += [what for what in wrong if what not in told]
    return told


def _unreachable(variable: str, scope: Scope) -> str:
    there = sorted((scope.reaches or frozenset()) - _ALWAYS)
    leads = f"it leads to {', '.join(there)} only" if there else "it names no object"
    return f"{scope.hookpoint} does not lead to {variable}: {leads}"
