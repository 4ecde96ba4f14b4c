"""The pace: how many messages a second leave a number that sends many.

Alone, a process keeps it by itself. Where several may send from one number, they take
slices of its time out of the store, a few in a second: who has one sends alone in it,
at the number's whole rate. One that is not used goes by, and nothing makes up for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, inf
from time import monotonic, sleep
from typing import cast

import sqlalchemy as sa
from pyrate_limiter import (
    GCRA,
    AbstractClock,
    Duration,
    MonotonicClock,
    Rate,
    RateItem,
    StateBucket,
)

from bridge.errors import StoreUnavailable
from bridge.store import Store, turns, value_of

#: What may be made up for of turns that nobody took, in seconds: threads wake late.
_SLACK = 0.02
#: The next slice is asked for so long before this one ends, in seconds.
_EARLY = 0.2


class Pace:
    """Lets *per_second* messages a second through, one after the other, evenly.

    Nothing else is saved up while nobody comes, so that no second after a start or a
    pause has more than its share. *clock* counts milliseconds, *pause* takes seconds.
    """

    def __init__(
        self,
        per_second: float,
        clock: AbstractClock | None = None,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        burst = max(round(per_second * _SLACK), 1)
        rate = Rate(round(per_second * 1000), 1000 * Duration.SECOND, burst=burst)
        self._bucket = StateBucket([rate], GCRA(), clock=clock or MonotonicClock())
        self._pause = pause
        self._turn = threading.Lock()

    def wait(self) -> None:
        """Return when it is one's turn; safe to share by threads."""
        with self._turn:  # one waits for the next place, the others for him
            while True:
                now = self._bucket.now()  # type: ignore[no-untyped-call]  # theirs
                item = RateItem("number", now)
                if self._bucket.put(item):
                    return
                self._pause(cast(int, self._bucket.waiting(item)) / 1000)


@dataclass
class Slice:
    """Places in time that are ours alone, *gap* seconds apart from *begins* on."""

    begins: float
    gap: float
    places: int
    used: int = 0
    lost: bool = False

    @property
    def ends(self) -> float:
        """When the time of the last place is over."""
        return self.begins + self.places * self.gap

    def next(self, now: float, *, fresh: bool = False) -> float | None:
        """Return when the next place is, None when there is no more.

        A place is lost a moment after its time. Of a *fresh* slice, which was waited
        for until now, the last one is not: the store may take long to answer.
        """
        over = ceil((now - _SLACK - self.begins) / self.gap - 1e-6)
        if fresh:
            over = min(over, self.places - 1)
        self.lost |= over > self.used
        place = max(over, self.used)
        if place >= self.places:
            return None
        self.used = place + 1
        return self.begins + place * self.gap


class Slices:
    """The slices of a number's time, out of the store and told by our own *clock*.

    *name* is the number's, *theirs* reads the store's clock.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        per_second: float,
        clock: Callable[[], float] = monotonic,
        theirs: Callable[[sa.Connection], datetime] = turns.clock,
    ) -> None:
        self._store = store
        self._name = name
        self._gap = timedelta(microseconds=ceil(1_000_000 / per_second))
        self._clock = clock
        self._theirs = theirs
        self._least, self._most = -inf, inf

    def ask(self, wanted: int) -> Future[Slice]:
        """Ask for so many places; as many or fewer come, one at least."""
        return self._store.submit(lambda db: self._take(db, wanted), apart=True)

    def _take(self, db: sa.Connection, wanted: int) -> Slice:
        begins, places = turns.lease(db, self._name, self._gap, wanted, self._read)
        ahead = (self._least + self._most) / 2
        return Slice(begins.timestamp() - ahead, self._gap.total_seconds(), places)

    def _read(self, db: sa.Connection) -> datetime:
        """Read the store's clock, and learn between what it is ahead of ours."""
        before = self._clock()
        theirs = self._theirs(db)
        least = theirs.timestamp() - self._clock()
        most = theirs.timestamp() - before
        if least > self._most or most < self._least:  # they drift, or one was set
            self._least, self._most = least, most
        self._least, self._most = max(self._least, least), min(self._most, most)
        return theirs


class SharedPace:
    """Lets *per_second* messages a second through, of all processes together, evenly.

    *ask* is for a slice with so many places. *clock* and *pause* are in seconds. A
    message leaves later than its place by 20 ms at most, or by what the store took to
    answer: so much more than their share may any seconds have.
    """

    def __init__(
        self,
        per_second: float,
        ask: Callable[[int], Future[Slice]],
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._pause = pause
        self._slice = Slice(0.0, 1 / per_second, 0)
        self._asked: Future[Slice] | None = None
        self._most = max(round(per_second), 1)
        self._size = 1
        self._failed = -inf
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0

    def wait(self) -> None:
        """Return when it is one's turn; safe to share by threads.

        Raises StoreUnavailable.
        """
        came = self._clock()
        self._count(1)
        try:
            with self._turn:  # one waits for the next place, the others for him
                if self._failed > came:
                    raise StoreUnavailable("the store gave no turns just now")
                at = self.place(self._waiting)
                while (left := at - self._clock()) > 0:
                    self._pause(left)
        finally:
            self._count(-1)

    def place(self, waiting: int = 1) -> float:
        """Take the next place and return when it is; so many are *waiting* for one.

        Raises StoreUnavailable.
        """
        at = self._slice.next(self._clock())
        while at is None:
            at = self._another(waiting)
        soon = self._slice.ends - self._clock() < _EARLY
        if waiting > 1 and soon and self._asked is None:
            self._asked = self._more(waiting)
        return at

    def _another(self, waiting: int) -> float | None:
        """Go on with the next slice; return its first place that is not lost."""
        asked, self._asked = self._asked, None
        fresh = asked is None or not asked.done()
        try:
            self._slice = value_of(asked or self._more(waiting))
        except StoreUnavailable:
            self._failed = self._clock()
            raise
        return self._slice.next(self._clock(), fresh=fresh)

    def _more(self, waiting: int) -> Future[Slice]:
        """Ask for as many as wait, and twice the last while none of these is lost."""
        if self._slice.lost:
            self._size = 1
        wanted = max(waiting, self._size)
        self._size = min(2 * wanted, self._most)
        return self._ask(wanted)

    def _count(self, more: int) -> None:
        with self._counting:
            self._waiting += more
