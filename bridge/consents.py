"""Who stopped alerts: few people, asked for at every alert, so kept in memory."""

from __future__ import annotations

from datetime import datetime

from bridge.recent import Recent
from bridge.store import Store, talk


class Consents:
    """The numbers and clients that want no alerts; safe to share by threads.

    Another process's change may go unnoticed for a second.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = Recent(self._read)
        self.forget = self._known.forget

    def stopped(self, number: str, client_id: int | None) -> str:
        """Return by which word, and when, alerts were stopped; empty if not.

        Raises StoreUnavailable.
        """
        known = self._known()
        names = (number, talk.name_of_client(client_id) if client_id else "")
        for at, word in filter(None, map(known.get, names)):
            return f"{word}, {at:%Y-%m-%d}"
        return ""

    def _read(self) -> dict[str, tuple[datetime, str]]:
        with self._store.read() as db:
            return talk.stopped(db)
