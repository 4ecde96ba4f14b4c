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
from typing import Protocol

from bridge.errors import Later
from bridge.store import Store, book, recipients, talk, value_of
from bridge.store.recipients import DAY, Recipient
from bridge.whatsapp import Provider

#: How old what is known of limit and messages may be, in seconds.
_FRESH = 60.0
#: A message is in the store so soon after it was counted here, at the latest.
_KEPT_SOON = timedelta(minutes=5)
_WAITING = 20_000
#: The mark in which the limit stands that the provider told.
MARK = "tier:"


def reserve(limit: int) -> int:
    """Return how many people of *limit* are kept for urgent messages."""
    return min(max(limit // 50, 5), limit)


class Day(Protocol):
    """The people of a provider's moving day."""

    def look(self, provider: str, now: datetime) -> None:
        """Know whom messages went to that were not counted here."""

    def enter(self, provider: str, person: str, now: datetime, most: int) -> int:
        """Count a person; return 0, or how many there are where he is too many."""

    def leaves(self, provider: str, place: int) -> datetime | None:
        """Return when the one was written to who leaves as *place* (from 0) says."""


class OwnDay:
    """Counted here, where no other process writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._people: dict[str, datetime] = {}
        self._read_to: datetime | None = None

    def look(self, provider: str, now: datetime) -> None:
        """See `Day`."""
        with self._store.read() as db:
            found = talk.reached(db, provider, _since(self._read_to, now))
        with self._lock:
            self._people = found | self._people
            self._read_to = now

    def enter(self, provider: str, person: str, now: datetime, most: int) -> int:
        """See `Day`."""
        since = now - DAY
        with self._lock:
            last = self._people.get(person)
            if (last is None or last <= since) and len(self._people) >= most:
                kept = ((who, at) for who, at in self._people.items() if at > since)
                self._people = dict(kept)
                if len(self._people) >= most:
                    return len(self._people)
            self._people[person] = now
        return 0

    def leaves(self, provider: str, place: int) -> datetime | None:
        """See `Day`."""
        with self._lock:
            found = sorted(self._people.values())
        return found[min(place, len(found) - 1)] if found else None


class SharedDay:
    """Counted in the store, before anything is sent: all processes see it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_to: datetime | None = None

    def look(self, provider: str, now: datetime) -> None:
        """See `Day`: a limit may be new, or an older version may have written."""
        since = _since(self._read_to, now)
        with self._store.read() as db:
            found = recipients.missing(db, provider, since, since - _KEPT_SOON)
        if found:
            value_of(
                self._store.submit(
                    lambda db: recipients.add(db, provider, found, now), apart=True
                )
            )
        self._read_to = now

    def enter(self, provider: str, person: str, now: datetime, most: int) -> int:
        """See `Day`. Raises StoreUnavailable."""
        one = Recipient(provider, person, now, most)
        return self._store.write_each(recipients.admit_each, one, apart=True)

    def leaves(self, provider: str, place: int) -> datetime | None:
        """See `Day`. Raises StoreUnavailable."""
        with self._store.read() as db:
            return recipients.leaves(db, provider, place)


def _since(read_to: datetime | None, now: datetime) -> datetime:
    return now - DAY if read_to is None else max(now - DAY, read_to - _KEPT_SOON)


class Tier:
    """Counts people written to by template; safe to share by threads.

    *several*: other processes may write by the same provider.
    """

    def __init__(
        self,
        store: Store,
        give: Callable[[], Provider],
        now: Callable[[], datetime],
        *,
        several: bool = False,
    ) -> None:
        self._store = store
        self._give = give
        self._now = now
        self._day: Day = SharedDay(store) if several else OwnDay(store)
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._limit: int | None = None
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._fresh_until = 0.0

    def admit(self, person: str, tag: str, *, urgent: bool) -> None:
        """Count a person (E.164) whom the message *tag* goes to by template.

        Raises Later where the day's people are used up, StoreUnavailable.
        """
        limit = self._look()
        if not limit:
            return
        name, now = self._give().name, self._now()
        most = limit if urgent else limit - reserve(limit)
        used = self._day.enter(name, person, now, most)
        if not used:
            with self._lock:
                self._waiting.pop(tag, None)
            return
        place = 0 if urgent else self._place(tag)
        leaves = self._day.leaves(name, used - most + place)
        raise Later(
            f"{limit} different people a day may be written to outside the 24 "
            f"hours (the provider's limit), and {used} were",
            max((leaves or now) + DAY, now + timedelta(minutes=1)),
        )

    def _place(self, tag: str) -> int:
        """Return which in line a message is, from 0: each looks when one has left."""
        with self._lock:
            self._waiting.setdefault(tag)
            while len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)
            return list(self._waiting).index(tag)

    def _look(self) -> int:
        """Know the limit, and whom others wrote to; return the limit, 0 for none.

        The first time all wait for it; later one looks while the others go on.
        """
        known = self._limit
        if known is not None and monotonic() < self._fresh_until:
            return known
        if not self._looking.acquire(blocking=known is None):
            return known or 0
        try:
            if self._limit is None or monotonic() >= self._fresh_until:
                self._limit = self._read()
                self._fresh_until = monotonic() + _FRESH
            return self._limit
        finally:
            self._looking.release()

    def _read(self) -> int:
        name = self._give().name
        with self._store.read() as db:
            limit = limit_of(book.marked(db, MARK + name))
        if limit:
            self._day.look(name, self._now())
        return limit


def limit_of(mark: tuple[datetime, dict[str, object]] | None) -> int:
    """Return the limit that a mark holds; 0 is none."""
    found = mark[1].get("people", 0) if mark else 0
    return found if isinstance(found, int) else 0
