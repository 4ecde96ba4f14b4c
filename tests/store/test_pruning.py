"""What is over goes after a while; what is open, or referred to, stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from bridge.hooks.records import step_key
from bridge.hooks.schedule_cancellation import key_of, terminate_key
from bridge.hooks.transferring import key_of as transfer_key
from bridge.store import (
    Store,
    book,
    claims,
    inbox,
    outbox,
    pruning,
    reports,
    tables,
    told,
)
from bridge.store.outbox import Finish

from .conftest import NOW, delivery, new_job


def put(store: Store, id: str, digest: str = "d", days: int = 0) -> str:
    at = NOW - timedelta(days=days)
    return store.write(lambda db: inbox.put(db, delivery(id, digest), at))


def finished(store: Store, id: str, state: str, days: int) -> None:
    put(store, id, days=days)
    store.write(lambda db: outbox.put(db, [new_job(f"{id}/r", event_id=id)], NOW))
    lease = timedelta(minutes=1)
    (job,) = store.write(lambda db: claims.claim(db, NOW, lease, acts=False, limit=1))
    store.write(lambda db: outbox.finish(db, job, Finish(state), NOW))
    found = store.write(lambda db: inbox.unmatched(db, 10))
    seen = [(event.seq, "matched", None) for event in found]
    store.write(lambda db: inbox.matched(db, seen, "v1"))


def test_pruning_keeps_what_is_young_parked_or_open(store: Store) -> None:
    finished(store, "old", "done", 100)
    finished(store, "young", "done", 20)
    finished(store, "parked", "parked", 100)
    finished(store, "waiting", "done", 100)
    later = new_job("w", event_id="waiting", run_at=NOW + timedelta(days=200))
    store.write(lambda db: outbox.put(db, [later], NOW))
    put(store, "unmatched", days=100)

    went = store.write(lambda db: pruning.prune_events(db, NOW - timedelta(days=31)))

    with store.read() as db:
        left = {row.id for row in reports.list_events(db)}
    assert went == 1
    assert left == {"young", "parked", "waiting", "unmatched"}


def test_an_id_of_the_last_days_is_known_after_pruning(store: Store) -> None:
    finished(store, "a", "done", 30)
    store.write(lambda db: pruning.prune_events(db, NOW - timedelta(days=31)))

    assert put(store, "a") == "duplicate"


OLD = NOW - timedelta(days=100)
BEFORE = NOW - timedelta(days=31)


def over(store: Store, *keys: str, state: str = "done", at: datetime = OLD) -> None:
    """Put jobs of no event in that came to *state*."""
    store.write(lambda db: outbox.put(db, [new_job(key) for key in keys], at))
    changed = {"state": state, "finished_at": at}
    store.write(lambda db: db.execute(tables.jobs.update().values(changed)))


def left(store: Store) -> set[str]:
    """Prune the jobs of no event; return the keys of those that stay."""
    store.write(lambda db: pruning.prune_jobs(db, BEFORE))
    with store.read() as db:
        return set(db.execute(sa.select(tables.jobs.c.key)).scalars())


@pytest.mark.parametrize("state", ["done", "skipped", "rehearsed", "withdrawn"])
def test_a_job_of_no_event_goes_with_its_tries_when_it_is_long_over(
    store: Store, state: str
) -> None:
    over(store, "halt:cloud/2026-07-25", state=state)
    tried = {"job_key": "halt:cloud/2026-07-25", "number": 1, "at": OLD}
    tried |= {"state": "retry", "seen": {}}
    store.write(lambda db: db.execute(tables.attempts.insert(), tried))

    assert left(store) == set()
    with store.read() as db:
        assert db.execute(sa.select(tables.attempts)).all() == []


@pytest.mark.parametrize("state", ["waiting", "joined", "running", "parked"])
def test_a_job_of_no_event_stays_while_it_is_open_or_parked(
    store: Store, state: str
) -> None:
    over(store, "a", state=state)

    assert left(store) == {"a"}


def test_a_job_of_no_event_stays_while_it_is_young(store: Store) -> None:
    over(store, "a", at=BEFORE)

    assert left(store) == {"a"}


def test_a_job_of_an_event_goes_with_that_alone(store: Store) -> None:
    finished(store, "old", "done", 100)

    assert left(store) == {"old/r"}


def test_so_many_jobs_go_at_once_and_the_rest_the_next_time(store: Store) -> None:
    over(store, "a", "b", "c")

    went = [store.write(lambda db: pruning.prune_jobs(db, BEFORE, 2)) for _ in "123"]

    assert went == [2, 1, 0]


def test_a_job_stays_as_long_as_its_message(store: Store) -> None:
    over(store, "a", "b")
    row = dict.fromkeys(("name", "language", "to", "text", "provider"), "x")
    row |= {"key": "a", "job_key": "a", "event_id": None, "created_at": OLD}
    row |= {"state": "delivered", "states": []}
    store.write(lambda db: book.sent(db, [row]))

    assert left(store) == {"a"}

    store.write(lambda db: told.prune(db, BEFORE, 10))
    assert left(store) == set()


def test_a_job_stays_as_long_as_alerts_that_went_out_with_it(store: Store) -> None:
    over(store, "first", "second")
    jobs = tables.jobs
    store.write(lambda db: db.execute(jobs.update().values(together="first")))
    young = jobs.update().where(jobs.c.key == "second").values(finished_at=NOW)
    store.write(lambda db: db.execute(young))

    assert left(store) == {"first", "second"}

    long_ago = jobs.update().values(finished_at=OLD)
    store.write(lambda db: db.execute(long_ago))
    assert left(store) == {"first"}
    assert left(store) == set()


CANCELLATION = {
    **dict.fromkeys(("domain", "product", "kind", "because", "way"), "x"),
    **{"key": key_of(2, 7), "service_id": 2, "client_id": 1, "state": "done"},
    **{"requested_on": OLD.date(), "created_at": OLD, "changed_at": OLD},
}
ORDER = {
    **dict.fromkeys(("from_product", "to_product", "cycle", "currency"), "x"),
    **dict.fromkeys(("client_id", "from_product_id", "to_product_id"), 1),
    **dict.fromkeys(("charge", "recurring"), Decimal(1)),
    **{"id": "0a1b2c3d4e5f6071", "service_id": 2, "state": "done", "working": []},
    **{"new_period": False, "native": False, "created_at": OLD, "changed_at": OLD},
}
TRANSFER = {
    **dict.fromkeys(("service", "from_name", "to_name", "state"), "x"),
    **dict.fromkeys(("from_email", "to_email"), "x"),
    **{"key": transfer_key("e", 2), "service_id": 2, "from_client_id": 1},
    **{"to_client_id": 3, "expires_at": OLD, "created_at": OLD, "changed_at": OLD},
}


@pytest.mark.parametrize(
    ("key", "table", "row"),
    [
        (terminate_key(key_of(2, 7)), tables.cancellations, CANCELLATION),
        (step_key("0a1b2c3d4e5f6071", "invoice"), tables.upgrades, ORDER),
        (f"{transfer_key('e', 2)}/move:1", tables.transfers, TRANSFER),
    ],
    ids=["cancellation", "order", "change-of-owner"],
)
def test_a_job_of_a_row_in_the_book_stays_as_long_as_that(
    store: Store, key: str, table: sa.Table, row: dict[str, Any]
) -> None:
    over(store, key)
    store.write(lambda db: db.execute(table.insert(), row))

    assert left(store) == {key}

    store.write(lambda db: db.execute(table.delete()))
    assert left(store) == set()
