"""The panel as jobs see it: behind a circuit, every call noted, dry when told so.

A job that acts proves before each writing call that its claim still holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from bridge.billing.transfer_case import Move
from bridge.breaker import Breaker, CircuitOpen
from bridge.errors import Later, Rehearsed, RemoteError
from bridge.panel import Panel, PanelWrites

T = TypeVar("T")

_WRITES = frozenset(name for name in vars(PanelWrites) if not name.startswith("_"))
#: Words that say an outcome of a call without its content.
_SHOWN = 200
#: How far our clock may be from the panel's for what acts: as far as a signature's.
APART = timedelta(minutes=5)


class WatchedPanel:
    """Wraps a panel for one job: `calls` holds what was asked and how it went.

    *hold* is called before each writing call; what it raises stops that call.
    *now* is given for a job that acts: it waits while our clock is not the panel's.
    *instead* holds what is called in place of a method of that name; *ahead* runs
    what `begin` names, without it nothing is asked ahead.
    """

    def __init__(
        self,
        panel: Panel,
        breaker: Breaker,
        *,
        dry_run: bool,
        hold: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] | None = None,
        instead: Mapping[str, Callable[..., Any]] | None = None,
        ahead: Executor | None = None,
    ) -> None:
        self._panel = panel
        self._breaker = breaker
        self._dry_run = dry_run
        self._hold = hold
        self._now = now
        self._instead = instead or {}
        self._ahead = ahead
        self._begun: dict[tuple[Any, ...], Future[Any]] = {}
        self.calls: list[str] = []

    def begin(self, name: str, *args: Any) -> None:
        """Ask what is asked soon, in another thread; what is begun is read once."""
        question = (name, *args)
        if self._ahead is None or name in _WRITES or question in self._begun:
            return
        self._begun[question] = self._ahead.submit(self._asking(name), *args)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if self._dry_run and name in _WRITES:
            return self._rehearse(name)
        asking = self._asking(name)
        if not self._begun:
            return asking

        def call(*args: Any, **kwargs: Any) -> Any:
            begun = None if kwargs else self._begun.pop((name, *args), None)
            if begun is None or begun.cancel():  # no thread was free for it
                return asking(*args, **kwargs)
            return begun.result()

        return call

    def _asking(self, name: str) -> Callable[..., Any]:
        method = self._instead.get(name) or getattr(self._panel, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            shown = describe(name, args, kwargs)
            self._enter(shown)
            if name in _WRITES:
                self._hold()
            try:
                result = method(*args, **kwargs)
            except RemoteError as error:
                self.calls.append(f"{shown}: {error.reason.value}: {error.detail}")
                self._breaker.failed(error)
                raise
            self._breaker.succeeded()
            self.calls.append(f"{shown}: ok")
            if self._now is not None and name not in _WRITES:
                self._in_time(self._now())
            return result

        return call

    def _in_time(self, now: datetime) -> None:
        """Raise Later where our clock and the panel's are too far apart.

        What is due by ours may be hours early, and its days may be others.
        """
        if why := out_of_step(self._panel.clock_off()):
            raise Later(why, now + timedelta(minutes=1))

    def _enter(self, shown: str) -> None:
        """Pass the circuit, or raise CircuitOpen.

        An open one is probed by asking for the version, which harms nobody: if
        that fails it is the service that is down, and no call is to blame.
        """
        try:
            if not self._breaker.enter():
                return
        except CircuitOpen as error:
            self.calls.append(f"{shown}: not made: {error.detail}")
            raise
        try:
            self._panel.version()
        except RemoteError as error:
            self._breaker.failed(error)
            if self._breaker.open:
                raise self._breaker.refusal() from error
        self._breaker.succeeded()

    def _rehearse(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            shown = describe(name, args, kwargs)
            self.calls.append(f"{shown}: not made (dry run)")
            raise Rehearsed(f"dry run: would {shown}")

        return call


def out_of_step(off: timedelta | None) -> str:
    """Say what waits where our clock is *off* from the panel's; else nothing."""
    if off is None or abs(off) <= APART:
        return ""
    minutes = abs(off) // timedelta(minutes=1)
    way = "ahead of" if off > timedelta(0) else "behind"
    return (
        f"the clock is {minutes} minutes {way} the panel's: what acts in the panel "
        "pauses. Set the clock right"
    )


class Shared(Generic[T]):
    """One costly reading that serves everybody who waits for it.

    Each caller gets what a reading found that began after he asked, so that
    nothing is older than his question; the callers of one moment share one.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._turn = threading.Condition()
        self._started = 0
        self._waiting = 0
        self._reading = False
        self._found: tuple[int, T] | None = None

    def __call__(self) -> T:
        """Return what was read; raises what a reading of one's own raised."""
        with self._turn:
            wanted = self._started + 1
            while True:
                if self._found is not None and self._found[0] >= wanted:
                    return self._found[1]
                if not self._reading:
                    break
                self._waiting += 1
                self._turn.wait()
                self._waiting -= 1
            self._started += 1
            number, self._reading = self._started, True
        try:
            found = self._read()
            with self._turn:
                self._found = (number, found)
        finally:
            with self._turn:
                self._reading = False
                self._turn.notify_all()
        return found


def describe(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return a call in words: numbers and short choices, no texts of clients."""
    shown = [str(a) for a in args if isinstance(a, int | bool)]
    for move in (a for a in args if isinstance(a, Move)):
        shown.append(f"{move.service_id}: {move.from_client_id} -> {move.to_client_id}")
    for key, value in kwargs.items():
        if key in ("description", "notes", "message", "subject", "reason"):
            continue
        shown.append(f"{key}={value}")
    return f"{name}({', '.join(shown)})"[:_SHOWN]
