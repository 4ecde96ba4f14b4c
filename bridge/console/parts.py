"""What the console works with, and who is logged in to it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any

from flask import current_app
from flask_login import UserMixin

from bridge.console.throttle import Desk, Throttle
from bridge.panel import Panel
from bridge.preparing import Bench
from bridge.store import book, operators

#: Each check of a password takes 32 MiB for a moment: so many at once.
_HASHES = 2


@dataclass
class Console:
    """The console's parts. *public_url* is the bridge's own address, or empty.

    *wake* has the worker look for work; *quick_panel* returns the panel with a
    deadline in seconds for each call.
    """

    bench: Bench
    quick_panel: Callable[[float], Panel]
    wake: Callable[[], None] = lambda: None
    allow: tuple[str, ...] = ("127.0.0.1", "::1")
    trusted_proxies: int = 0
    public_url: str = ""
    throttle: Throttle = field(default_factory=Throttle)
    desk: Desk = field(default_factory=Desk)
    hashing: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_HASHES))
    _secret: bytes = field(default=b"", repr=False)

    def key(self, purpose: str) -> bytes:
        """Return the key for one purpose; raises StoreUnavailable."""
        if not self._secret:
            now = self.bench.now()
            self._secret = self.bench.store.write(lambda db: operators.secret(db, now))
        return hmac.digest(self._secret, f"console {purpose}".encode(), "sha256")


@dataclass(frozen=True)
class Operator(UserMixin):  # type: ignore[misc]
    """Who is logged in. *token* is in his signed cookie, its digest in the store."""

    name: str
    token: str = field(repr=False)

    def get_id(self) -> str:
        """Return what the cookie holds."""
        return self.token


def console() -> Console:
    """Return the parts of the application that handles this request."""
    found: Console = current_app.extensions["console"]
    return found


def new_login(
    parts: Console, name: str, password: str, now: datetime, address: str
) -> str | None:
    """Begin a login and return its token; None where the hash is not his any more."""
    token = secrets.token_urlsafe(32)

    def put(db: Any) -> bool:
        if not operators.begin(db, name, password, digest(token), now):
            return False
        book.note(db, now, name, "console login", "console", address=address)
        return True

    return token if parts.bench.store.write(put) else None


def load(token: str) -> Operator | None:
    """Return whose login a token is, while it lasts."""
    bench = console().bench
    with bench.store.read() as db:
        name = operators.logged_in(db, digest(token), bench.now())
    return None if name is None else Operator(name, token)


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
