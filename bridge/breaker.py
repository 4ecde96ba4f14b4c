"""A circuit towards one service: open after failures in a row, then one probe.

While it is open nothing counts as a try of a job: it is the service that fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from bridge.errors import LOCKED_OUT, Reason, RemoteError

#: Failures in a row that open the circuit (at once when we are locked out).
FAILURES = 5
_REST = timedelta(seconds=15)
_LONGEST = timedelta(minutes=5)


class CircuitOpen(RemoteError):
    """Nothing was asked: the service failed too often; *until* is when to look."""

    def __init__(self, service: str, why: str, until: datetime) -> None:
        super().__init__(service, Reason.UNREACHABLE, why, sent=False)
        self.until = until


class Breaker:
    """Counts what fails in a row towards *service*; safe to share by threads."""

    def __init__(self, service: str, now: Callable[[], datetime]) -> None:
        self.service = service
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._rest = _REST
        self._until: datetime | None = None
        self.reason = ""

    @property
    def open(self) -> bool:
        """Whether calls are held back at the moment."""
        return self._until is not None

    @property
    def until(self) -> datetime | None:
        """When the next call is let through, None while all are."""
        return self._until

    def enter(self) -> bool:
        """Let a call through, or raise CircuitOpen; one probe passes at a time.

        True says that this call is the probe: it should be one that harms nobody.
        """
        with self._lock:
            if self._until is None:
                return False
            now = self._now()
            if now < self._until:
                raise CircuitOpen(self.service, self.reason, self._until)
            self._until = now + self._rest
            return True

    def release(self) -> None:
        """Let the next call be the probe at once: the last one asked nothing."""
        with self._lock:
            if self._until is not None:
                self._until = self._now()

    def refusal(self) -> CircuitOpen:
        """Return what to raise after a probe that failed."""
        until = self._until or self._now()
        return CircuitOpen(self.service, self.reason, until)

    def succeeded(self) -> None:
        """Close the circuit."""
        if self._failures or self._until:
            with self._lock:
                self._failures, self._until, self._rest = 0, None, _REST

    def failed(self, error: RemoteError) -> None:
        """Count a failure of the service itself, not a refusal of one call."""
        if error.reason not in LOCKED_OUT and not error.transient:
            return self.succeeded()
        with self._lock:
            self._failures += 1
            if error.reason in LOCKED_OUT or self._failures >= FAILURES:
                self.reason = error.detail
                self._until = self._now() + self._rest
                self._rest = min(self._rest * 2, _LONGEST)
        return None
