"""Who stopped alerts: few people, asked for at every alert, so kept in memory."""

from __future__ import annotations

import threading
from datetime import datetime
from time import monotonic

from bridge.store import Store, talk

#: How long another process's change may go unnoticed, in seconds.
FRESH = 1.0


class Consents:
    """The numbers and clients that want no alerts; safe to share by threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._known: dict[str, tuple[datetime, str]] = {}
        self._until = 0.0
        self._changes = 0

    def stopped(self, number: str, client_id: int | None) -> str:
        """Return by which word, and when, alerts were stopped; empty if not.

        Raises StoreUnavailable.
        """
        self._look()
        names = (number, talk.name_of_client(client_id) if client_id else "")
        for found in filter(None, map(self._known.get, names)):
            at, word = found
            return f"{word}, {at:%Y-%m-%d}"
        return ""

    def forget(self) -> None:
        """Look anew at the next question: something was changed here."""
        with self._lock:
            self._changes += 1
            self._until = 0.0

    def _look(self) -> None:
        if monotonic() < self._until:
            return
        # Nobody goes by the old list while the new one is read.
        with self._reading:
            if (now := monotonic()) < self._until:
                return
            changes = self._changes
            with self._store.read() as db:
                self._known = talk.stopped(db)
            with self._lock:
                if changes == self._changes:
                    self._until = now + FRESH
