"""The simulated panel's clock: time that moves when somebody says so."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = "America/Argentina/Buenos_Aires"


class Clock:
    """A clock that stands still at *start* until it is set or advanced.

    A *ticking* one moves on with real time as well. *zone* is the panel's own: it
    decides which day "today" is. All instants are aware UTC.
    """

    def __init__(
        self, start: datetime, zone: str = ZONE, *, ticking: bool = False
    ) -> None:
        self.zone = ZoneInfo(zone)
        self._ticking = ticking
        self._lock = threading.Lock()
        self._base = _utc(start)
        self._since = time.monotonic()

    @classmethod
    def real(cls, zone: str = ZONE) -> Clock:
        """Return a clock that shows the real time."""
        return cls(datetime.now(UTC), zone, ticking=True)

    def now(self) -> datetime:
        """Return the instant this clock shows."""
        with self._lock:
            return self._base + self._elapsed()

    def today(self) -> date:
        """Return the calendar day in the panel's zone."""
        return self.local().date()

    def local(self) -> datetime:
        """Return the panel's wall time, as it stands in the panel's answers."""
        return self.now().astimezone(self.zone)

    def advance(self, by: timedelta) -> datetime:
        """Move on *by*, never backwards; return the new time."""
        if by < timedelta(0):
            raise ValueError(f"a clock does not run backwards: {by}")
        with self._lock:
            self._base += by
            return self._base + self._elapsed()

    def set(self, to: datetime) -> None:
        """Show *to* from now on, also when that is earlier."""
        with self._lock:
            self._base = _utc(to)
            self._since = time.monotonic()

    def at(self, day: date, hour: int = 12, minute: int = 0) -> datetime:
        """Return the instant of a wall time in the panel's zone."""
        wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
        return wall.astimezone(UTC)

    def _elapsed(self) -> timedelta:
        gone = time.monotonic() - self._since if self._ticking else 0.0
        return timedelta(seconds=gone)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {moment}")
    return moment.astimezone(UTC)
