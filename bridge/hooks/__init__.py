"""Actions and decisions: one file each, registered by the file's name.

An action gets a `Context` and its parameters from the map, makes at most one
outside write, and returns its outcome. A decision answers the panel while it
waits. Both are found by importing every module of this package once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # commands that only read import this package, and never need it
    from marshmallow import fields

Outcome = dict[str, Any]


@dataclass(frozen=True)
class Registered:
    """One action or decision.

    *parameters* are marshmallow fields by name, as the map may give them.
    *acts* marks what may never happen twice: its jobs are claimed one by one.
    *internal* ones are put in the outbox by other actions, never by a map.
    *sends* marks what may write to somebody by WhatsApp.
    *result* names what a `then` step's text sees as `result`.
    """

    name: str
    run: Callable[..., Any]
    parameters: dict[str, fields.Field[Any]]
    summary: str
    acts: bool = False
    internal: bool = False
    result: tuple[str, ...] = ()
    sends: bool = False


_actions: dict[str, Registered] = {}
_decisions: dict[str, Registered] = {}


def action(
    *,
    acts: bool = False,
    internal: bool = False,
    sends: bool = False,
    result: tuple[str, ...] = (),
    **parameters: fields.Field[Any],
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Register a function as the action of its own name."""

    def register(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
        _actions[run.__name__] = Registered(
            run.__name__,
            run,
            parameters,
            _summary(run),
            acts,
            internal,
            result,
            sends,
        )
        return run

    return register


def decision(
    **parameters: fields.Field[Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the decision of its own name."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        _decisions[run.__name__] = Registered(
            run.__name__, run, parameters, _summary(run)
        )
        return run

    return register


def _summary(run: Callable[..., Any]) -> str:
    return (run.__doc__ or "").strip().split("\n", 1)[0]


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def actions() -> dict[str, Registered]:
    """Return every action by name."""
    _load()
    return dict(sorted(_actions.items()))


@cache
def senders() -> frozenset[str]:
    """Return the names of the actions that write to somebody by WhatsApp."""
    return frozenset(name for name, one in actions().items() if one.sends)


def decisions() -> dict[str, Registered]:
    """Return every decision by name."""
    _load()
    return dict(sorted(_decisions.items()))
