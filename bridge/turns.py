"""Turns: when a number may write again, and when to one person.

A slow number's last message stands in the store, and so does whoever the provider
said is written to too fast: neither a pause nor a restart lets a burst out. Where
several processes write, the last message to each person stands there too. Who is sent
away is told when to look again; that is no promise, he may be sent away anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

import sqlalchemy as sa
import structlog

from bridge.errors import Later, StoreUnavailable
from bridge.store import Store, turns
from bridge.whatsapp import Provider

log = structlog.get_logger("worker")

#: One message to a person in so much time: Meta's pair limit of its Cloud API
#: (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput).
PAIR = timedelta(seconds=6)
#: Refused for being too fast, a person waits 4^n seconds, n from 0 to 3.
_WAITS = (1, 4, 16, 64)
_LONGEST = timedelta(seconds=_WAITS[-1])
#: After so long without a further refusal they are counted anew.
_FORGOTTEN = timedelta(hours=1)
_PEOPLE = 20_000
_EVERY = "one message to a person every 6 s"
#: A number below this many messages a second waits in the store, not in a thread.
_SLOW = 1.0
#: How long another process's refusal may go unnoticed, in seconds.
_FRESH = 1.0
#: Names of the marks of who was refused begin so.
REFUSED = "pair:"


def _each(
    db: sa.Connection, asked: list[turns.Pair]
) -> list[datetime | None]:  # one function, so that what asks together is one write
    return turns.take_pairs(db, asked, PAIR)


class Turns:
    """The turns of the provider's number; safe to share by threads.

    *several*: other processes may write to the same people.
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
        self._several = several
        self._lock = threading.Lock()
        self._last: datetime | None = None
        self._read = False
        self._written: OrderedDict[str, datetime] = OrderedDict()
        self._looks: OrderedDict[str, datetime] = OrderedDict()
        self._refused: dict[str, tuple[datetime, int]] = {}
        self._fresh_until = 0.0

    @property
    def slow(self) -> bool:
        """Whether the number sends less than a message in a second."""
        return self._give().per_second < _SLOW

    def not_yet(self) -> Later | None:
        """Return why a slow number may not write now, and until when, if so."""
        if not self.slow:
            return None
        if not self._read:
            with self._store.read() as db:
                self._last, self._read = turns.last(db, self._name()), True
        now, apart = self._now(), self._apart()
        if self._last is None or not now - apart < self._last <= now + apart:
            return None
        why = f"this number sends one message in {apart.total_seconds():.0f} s"
        return Later(why, self._last + apart)

    def take(self) -> None:
        """Take a slow number's turn, on disk. Raises Later, StoreUnavailable."""
        if not self.slow:
            return
        now, name, apart = self._now(), self._name(), self._apart()
        before = self._store.write(lambda db: turns.take(db, name, now, apart))
        self._last, self._read = before or now, True
        if before is not None:
            raise self.not_yet() or Later("this number's turn was taken", now + apart)

    def to(self, person: str) -> None:
        """Take this process's turn to one person (E.164), before the number's own.

        Raises Later where somebody of this process wrote to him in the last six
        seconds, or the provider said that he is written to too fast; StoreUnavailable.
        """
        self._look()
        now, pair = self._now(), PAIR if self._give().windowed else timedelta(0)
        with self._lock:
            last = self._written.get(person)
            free = last + pair if last is not None else now
            until, times = self._refused.get(person, (now, 0))
            again = max(free, until)
            if now < again <= now + _LONGEST:  # later: the clock was set back
                why = _EVERY
                if now < until:
                    why = f"WhatsApp refused {times} in a row: too fast to this person"
                raise self._sent_away(person, again, why)
            self._looks.pop(person, None)
            self._keep(self._written, person, now)

    def leaves(self, person: str) -> None:
        """Say that the message to a person whose turn was taken leaves now.

        From now on the six seconds count: it may have waited for the number's turn.
        Where several processes write, the store decides between them. Raises Later
        where another process was first, StoreUnavailable.
        """
        if not self._give().windowed:
            return
        now = self._now()
        with self._lock:
            self._keep(self._written, person, now)
        if not self._several:
            return
        pair = turns.Pair(self._sender(), person, now)
        last = self._store.write_each(_each, pair, apart=True)
        if last is not None:
            with self._lock:
                self._keep(self._written, person, last)
                raise self._sent_away(person, last + PAIR, _EVERY)

    def _sent_away(self, person: str, again: datetime, why: str) -> Later:
        if (look := self._looks.get(person)) is not None:
            again = max(again, look + PAIR)  # others wait for him too
        self._keep(self._looks, person, again)
        return Later(why, again)

    def refused(self, person: str) -> float:
        """Note that it was too fast to a person; return for how long he waits (s)."""
        now = self._now()
        with self._lock:
            times = self._refused.get(person, (now, 0))[1]
            wait = _WAITS[min(times, len(_WAITS) - 1)]
            until = now + timedelta(seconds=wait)
            self._refused[person] = (until, times + 1)
        name = self._refusals() + person
        self._note(lambda db: turns.refuse(db, name, until, times + 1))
        return float(wait)

    def taken(self, person: str) -> None:
        """Note that a message to a person was taken: refusals count from 0 again."""
        if self._refused.pop(person, None) is not None:
            name = self._refusals() + person
            self._note(lambda db: turns.forget(db, name))

    def _note(self, write: Callable[[sa.Connection], None]) -> None:
        """Write what helps and is no reason to lose what the provider just said."""
        try:
            self._store.write(write)
        except StoreUnavailable as error:
            log.warning("a turn was not noted", reason=str(error))

    def _look(self) -> None:
        """Know who was refused, by other processes and before this one as well."""
        if monotonic() < self._fresh_until:
            return
        self._fresh_until = monotonic() + _FRESH
        with self._store.read() as db:
            found = turns.refused(db, self._refusals(), self._now() - _FORGOTTEN)
        with self._lock:
            self._refused = found

    def _keep(
        self, kept: OrderedDict[str, datetime], person: str, at: datetime
    ) -> None:
        kept[person] = at
        kept.move_to_end(person)
        while len(kept) > _PEOPLE:
            kept.popitem(last=False)

    def _apart(self) -> timedelta:
        return timedelta(seconds=1 / self._give().per_second)

    def _sender(self) -> str:
        return f"{self._give().name}/{self._give().number}"

    def _name(self) -> str:
        return f"turn:{self._sender()}"

    def _refusals(self) -> str:
        return f"{REFUSED}{self._sender()}/"
