"""What actions note of people's wishes, at once: it does not wait for an answer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bridge.consents import Consents
from bridge.errors import Wish
from bridge.store import Store, wishes


class WishLedger:
    """`WishBook` over the store; what is noted is on disk when a call returns."""

    _store: Store
    consents: Consents

    def obey(
        self,
        number: str,
        clients: Collection[int],
        word: str,
        at: datetime,
        event: str,
        *,
        stops: bool,
    ) -> None:
        """Note that a number and its clients want no alerts, or want them again."""
        self._store.write(
            lambda db: wishes.obey(db, number, clients, word, stops, at, event)
        )
        self.consents.forget()

    def refused(self, number: str, wish: Wish, told: str, at: datetime) -> None:
        """Note what the provider says that a number does not want of us."""
        note_refusal(self._store, self.consents, number, wish, told, at)

    def stopped_by(self, event: str) -> list[int]:
        """Return the clients whom a message stopped when it came in."""
        with self._store.read() as db:
            return wishes.stopped_by(db, event)

    def left(self, client_id: int, since: datetime) -> list[str]:
        """Return the telephones that a client gave up since then."""
        with self._store.read() as db:
            return wishes.left(db, client_id, since)

    def take_back(self, event: str, clients: Collection[int]) -> None:
        """Let alerts go on to clients whom a word was taken to be of by mistake."""
        self._store.write(lambda db: wishes.take_back(db, event, clients))
        self.consents.forget()


def note_refusal(
    store: Store,
    consents: Consents,
    number: str,
    wish: Wish,
    told: str,
    at: datetime,
) -> None:
    """Note what the provider says that a number does not want of us.

    *told* is the provider's name and code, *at* when it said so. Raises
    StoreUnavailable.
    """
    if wish is Wish.MARKETING:
        store.write(lambda db: wishes.marketing(db, number, at, wanted=False))
    else:
        store.write(lambda db: wishes.refused(db, number, told, at))
    consents.forget()
