"""Who stopped alerts is asked of memory, and still never known too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from bridge.consents import Consents
from bridge.store import Store, talk

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
NUMBER = "+5491155551234"


class Interrupted(Store):
    """A store in which something happens after a reader has seen the old rows."""

    then: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Lend a connection; what happens meanwhile is not seen by it."""
        with super().read() as db:
            yield db
        happens, self.then = self.then, lambda: None
        happens()


@pytest.fixture
def store(database_url: str) -> Iterator[Interrupted]:
    opened = Interrupted(database_url)
    yield opened
    opened.close()


def test_a_change_while_the_list_is_read_is_seen_by_the_next_question(store):
    consents = Consents(store)

    def stops() -> None:
        store.write(lambda db: talk.word(db, NUMBER, "stop", True, NOW))
        consents.forget()

    store.then = stops
    before = consents.stopped(NUMBER, None)

    assert (before, consents.stopped(NUMBER, None)) == ("", "stop, 2026-11-02")


def test_it_is_asked_of_memory_until_something_changed(store):
    consents = Consents(store)
    assert consents.stopped(NUMBER, 2) == ""
    ana = talk.name_of_client(2)
    store.write(lambda db: talk.word(db, ana, "baja alertas", True, NOW))
    assert consents.stopped(NUMBER, 2) == ""
    consents.forget()

    assert consents.stopped(NUMBER, 2) == "baja alertas, 2026-11-02"
