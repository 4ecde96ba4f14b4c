"""An open store, and rows made with one word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.events import Body, Subject
from bridge.store import Store
from bridge.store.inbox import Accepted
from bridge.store.outbox import NewJob

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)


@pytest.fixture
def open_store(database_url: str) -> Iterator[Callable[..., Store]]:
    """Return a function that opens the same store once more."""
    with ExitStack() as opened:

        def make(**more: Any) -> Store:
            found = Store(database_url, readers=4, **more)
            opened.callback(found.close)
            return found

        yield make


@pytest.fixture
def store(open_store: Callable[..., Store]) -> Store:
    return open_store()


def new_job(key: str, **more: Any) -> NewJob:
    given: dict[str, Any] = {
        "event_id": None,
        "action": "send_alert",
        "rule": "r",
        "run_at": NOW,
    }
    return NewJob(key, **(given | more))


def delivery(id: str, digest: str = "d", **more: Any) -> Accepted:
    body = Body("InvoicePaid", NOW, {"invoiceid": 1}, {})
    return Accepted(id, "whmcs", digest, body, NOW, Subject(invoice=1), **more)
