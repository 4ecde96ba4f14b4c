"""The panel as jobs see it: behind a circuit, every call noted, dry when told so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from bridge.breaker import Breaker
from bridge.errors import Rehearsed, RemoteError
from bridge.panel import Panel, PanelWrites

_WRITES = frozenset(name for name in vars(PanelWrites) if not name.startswith("_"))
#: Words that say an outcome of a call without its content.
_SHOWN = 200


class WatchedPanel:
    """Wraps a panel for one job: `calls` holds what was asked and how it went."""

    def __init__(self, panel: Panel, breaker: Breaker, *, dry_run: bool) -> None:
        self._panel = panel
        self._breaker = breaker
        self._dry_run = dry_run
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._panel, name)
        if self._dry_run and name in _WRITES:
            return self._rehearse(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            shown = describe(name, args, kwargs)
            try:
                self._breaker.enter()
                result = method(*args, **kwargs)
            except RemoteError as error:
                self.calls.append(f"{shown}: {error.reason.value}: {error.detail}")
                self._breaker.failed(error)
                raise
            self._breaker.succeeded()
            self.calls.append(f"{shown}: ok")
            return result

        return call

    def _rehearse(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            shown = describe(name, args, kwargs)
            self.calls.append(f"{shown}: not made (dry run)")
            raise Rehearsed(f"dry run: would {shown}")

        return call


def watch(panel: Panel, breaker: Breaker, *, dry_run: bool) -> tuple[Panel, list[str]]:
    """Return *panel* watched, and the list that its calls are noted in."""
    watched = WatchedPanel(panel, breaker, dry_run=dry_run)
    return cast(Panel, watched), watched.calls


def describe(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return a call in words: numbers and short choices, no texts of clients."""
    shown = [str(a) for a in args if isinstance(a, int | bool)]
    for key, value in kwargs.items():
        if key in ("description", "notes", "message", "subject", "reason"):
            continue
        shown.append(f"{key}={value}")
    return f"{name}({', '.join(shown)})"[:_SHOWN]
