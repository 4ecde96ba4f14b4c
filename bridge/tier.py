"""The tier: to how many people a number may write a day, outside their 24 hours.

Meta counts different people in a moving day
(https://developers.facebook.com/docs/whatsapp/messaging-limits), and refuses the
rest. So they are counted here; whoever comes late waits until others leave the day.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

from bridge.errors import Later
from bridge.store import Store, book, talk
from bridge.whatsapp import Provider

DAY = timedelta(days=1)
#: How long another process's messages may go unnoticed, in seconds.
_FRESH = 60.0
#: A message is in the store so soon after it was counted here, at the latest.
_KEPT_SOON = timedelta(minutes=5)
_WAITING = 20_000
#: The mark in which the limit stands that the provider told.
MARK = "tier:"


def reserve(limit: int) -> int:
    """Return how many people of *limit* are kept for urgent messages."""
    return min(max(limit // 50, 5), limit)


class Tier:
    """Counts people written to by template; safe to share by threads."""

    def __init__(
        self, store: Store, give: Callable[[], Provider], now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._give = give
        self._now = now
        self._lock = threading.Lock()
        self._limit = 0
        self._people: dict[str, datetime] = {}
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._read_to: datetime | None = None
        self._fresh_until = 0.0

    def admit(self, person: str, tag: str, *, urgent: bool) -> None:
        """Count a person (E.164) whom the message *tag* goes to by template.

        Raises Later where the day's people are used up, StoreUnavailable.
        """
        self._look()
        now = self._now()
        with self._lock:
            if not self._limit:
                return
            last = self._people.get(person)
            if last is None or last <= now - DAY:
                self._room(tag, now, urgent)
            self._people[person] = now
            self._waiting.pop(tag, None)

    def _room(self, tag: str, now: datetime, urgent: bool) -> None:
        most = self._limit if urgent else self._limit - reserve(self._limit)
        if len(self._people) < most:
            return
        since = now - DAY
        self._people = {who: at for who, at in self._people.items() if at > since}
        over = len(self._people) - most
        if over < 0:
            return
        # Each who waits looks when one more has left the day.
        self._waiting.setdefault(tag)
        while len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        place = 0 if urgent else list(self._waiting).index(tag)
        leave = sorted(self._people.values())
        free = leave[min(over + place, len(leave) - 1)] + DAY
        raise Later(
            f"{self._limit} different people a day may be written to outside the 24 "
            f"hours (the provider's limit), and {len(leave)} were",
            max(free, now + timedelta(minutes=1)),
        )

    def _look(self) -> None:
        """Know the limit, and whom this and other processes wrote to."""
        if monotonic() < self._fresh_until:
            return
        with self._lock:
            self._fresh_until = monotonic() + _FRESH
            now, name = self._now(), self._give().name
            since = max(now - DAY, (self._read_to or now - DAY) - _KEPT_SOON)
            with self._store.read() as db:
                self._limit = limit_of(book.marked(db, MARK + name))
                if self._limit:
                    found = talk.reached(db, name, since)
                    self._people = found | self._people
                    self._read_to = now


def limit_of(mark: tuple[datetime, dict[str, object]] | None) -> int:
    """Return the limit that a mark holds; 0 is none."""
    found = mark[1].get("people", 0) if mark else 0
    return found if isinstance(found, int) else 0
