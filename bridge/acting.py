"""Acting: no job that acts is at work twice, whatever is done to the clock.

A claim ends by the clock on the wall. Where that is set on while a call lasts, the
claim is over before the call is, and whoever looks then would find nothing done yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

import structlog

from bridge.preparing import ACTING_LEASE
from bridge.store.outbox import Job

log = structlog.get_logger("worker")

#: So much further on than the time that went by, the clock was set.
SET_ON = timedelta(minutes=1)


class Acting:
    """The jobs that act in this process.

    *now* is the clock's; *elapsed* are seconds that go by whatever it is set to.
    """

    def __init__(
        self, now: Callable[[], datetime], elapsed: Callable[[], float] = monotonic
    ) -> None:
        self._now = now
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._looked: tuple[datetime, float] | None = None
        self._trusted_from = 0.0

    def look(self) -> None:
        """Look whether the clock was set on since the last look.

        Then no claim that it ended is taken for over until as much time went by.
        """
        now, elapsed = self._now(), self._elapsed()
        before, self._looked = self._looked, (now, elapsed)
        if before is None:
            return
        gone = timedelta(seconds=elapsed - before[1])
        if now - before[0] - gone > SET_ON:
            log.error(
                "the clock was set on",
                before=before[0].isoformat(),
                now=now.isoformat(),
            )
            self._trusted_from = elapsed + ACTING_LEASE.total_seconds()

    def begins(self, job: Job) -> bool:
        """Tell whether a job may begin; it is `over` then.

        Not where a thread is at it, nor where its last claim may have ended too soon.
        """
        if not job.acts:
            return True
        taken_over = job.deaths > 0
        with self._lock:
            if job.key in self._keys:
                return False
            if taken_over and self._elapsed() < self._trusted_from:
                return False
            self._keys.add(job.key)
            return True

    def at_work(self, job: Job) -> bool:
        """Tell whether a job began and is not over."""
        with self._lock:
            return job.key in self._keys

    def over(self, job: Job) -> None:
        """Say that a job which began is not at work any more."""
        with self._lock:
            self._keys.discard(job.key)
