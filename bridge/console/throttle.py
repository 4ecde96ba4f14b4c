"""How often a password may be tried, and how much is asked of the panel at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from pyrate_limiter import InMemoryBucket, Rate, RateItem

T = TypeVar("T")

#: So many tries within that time under one key, then it is waited.
TRIES = 5
WINDOW = timedelta(minutes=10)
#: Keys that are remembered at most; the one not seen for longest goes.
_MOST = 4096


class Busy(Exception):
    """All seats are taken: try again in a moment."""


class TooLate(Exception):
    """The panel did not answer within the time that a page may take."""


@dataclass(frozen=True)
class Wait:
    """How long to wait for the next try; *first* of the refusals in a row."""

    time: timedelta
    first: bool


class Throttle:
    """Counts tries by keys; a try that is refused does not count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, InMemoryBucket] = OrderedDict()
        self._refusing: set[str] = set()

    def take(self, keys: Sequence[str], now: datetime) -> Wait | None:
        """Take one try under every key; return how long to wait if one has none."""
        stamp = int(now.timestamp() * 1000)
        with self._lock:
            buckets = {key: self._bucket(key, stamp) for key in keys}
            full = {key for key in keys if buckets[key].count() >= TRIES}
            first = not full <= self._refusing
            self._refusing = (self._refusing - set(keys) | full) & set(self._buckets)
            if full:
                time = max(_until_free(buckets[key], stamp) for key in full)
                return Wait(time, first)
            for key, bucket in buckets.items():
                bucket.put(RateItem(key, stamp))
        return None

    def forget(self, keys: Sequence[str]) -> None:
        """Begin to count anew: the password was right."""
        with self._lock:
            for key in keys:
                self._buckets.pop(key, None)

    def _bucket(self, key: str, stamp: int) -> InMemoryBucket:
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            bucket = InMemoryBucket([Rate(TRIES, int(WINDOW.total_seconds() * 1000))])
        bucket.leak(stamp)
        self._buckets[key] = bucket
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return bucket


def _until_free(bucket: InMemoryBucket, stamp: int) -> timedelta:
    oldest = bucket.peek(TRIES - 1)
    gone = stamp - (oldest.timestamp if oldest else stamp)
    return max(WINDOW - timedelta(milliseconds=gone), timedelta(seconds=1))


@dataclass
class Desk:
    """Does what takes time for so many pages at once, and each within *seconds*.

    A page that gives up does not free its seat: only the work's end does. So a slow
    panel holds neither the threads that receive deliveries nor more than these.
    """

    seats: int = 4
    seconds: float = 20.0
    _free: threading.BoundedSemaphore = field(init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._free = threading.BoundedSemaphore(self.seats)
        self._pool = ThreadPoolExecutor(self.seats, thread_name_prefix="console")

    def ask(self, work: Callable[[], T]) -> T:
        """Return what *work* returns; raises Busy, TooLate and what it raises."""
        if not self._free.acquire(blocking=False):
            raise Busy
        try:
            asked = self._pool.submit(work)
        except BaseException:
            self._free.release()
            raise
        asked.add_done_callback(self._leave)
        try:
            return asked.result(self.seconds)
        except FutureTimeout as error:
            if asked.done():  # what the work itself raised
                raise
            raise TooLate from error

    def _leave(self, _: Future[T]) -> None:
        self._free.release()
