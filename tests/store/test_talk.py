"""States of messages in any order, contacts, telephones, templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa

from bridge.ledger import keep_messages
from bridge.store import Store, engines, outbox, progress, talk
from bridge.store.tables import jobs, receipts
from bridge.store.talk import Told

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
NUMBER = "+5491155551234"


def told(state: str, id: str = "wamid.1", tag: str = "", **more: Any) -> Told:
    return Told("cloud", id, tag, state, NOW, **more)


def message(
    key: str = "job-1", id: str = "wamid.1", state: str = "accepted"
) -> dict[str, Any]:
    return {
        "key": key,
        "job_key": key,
        "event_id": None,
        "client_id": 2,
        "name": "welcome",
        "language": "es",
        "to": NUMBER,
        "text": "Hola",
        "provider": "cloud",
        "provider_id": id,
        "state": state,
        "states": [state],
        "created_at": NOW,
    }


@pytest.fixture
def tell(store: Store) -> Callable[..., list[bool]]:
    def all_at_once(*states: Told) -> list[bool]:
        pairs = [(one, NOW) for one in states]
        return store.write(lambda db: talk.tell_each(db, pairs))

    return all_at_once


def sent(store: Store, **more: Any) -> None:

    row = message(**more)
    store.write(lambda db: keep_messages(db, [row]))


@pytest.mark.store("postgresql")
@pytest.mark.parametrize("first", ["our answer", "the state"])
@pytest.mark.parametrize("by", ["tag", "id"])
def test_a_state_of_the_same_moment_is_caught_up_with(
    store: Store, first: str, by: str
) -> None:
    one = told("delivered", tag="job-1" if by == "tag" else "")
    engine = engines.writer(store.url, 2)
    with engine.connect() as ours, engine.connect() as theirs:  # none sees the other
        if first == "our answer":
            keep_messages(ours, [message()])
        talk.tell_each(theirs, [(one, NOW)])
        if first == "the state":
            keep_messages(ours, [message()])
        ours.commit()
        theirs.commit()
    engine.dispose()
    with store.read() as db:
        rows = progress.lagging(db, NOW - timedelta(minutes=1))
    store.write(lambda db: talk.catch_up(db, rows))

    with store.read() as db:
        assert progress.lagging(db, NOW - timedelta(minutes=1)) == []
        assert talk.message(db, key="job-1").state == "delivered"
    assert [row["key"] for row in rows] == ["job-1"]


def test_nothing_lags_behind_that_saw_its_states(
    store: Store, tell: Callable[..., list[bool]]
) -> None:
    tell(told("sent", tag="job-1"))
    sent(store)
    tell(told("delivered", tag="job-1"), told("read", "wamid.2", "unknown"))

    with store.read() as db:
        assert progress.lagging(db, NOW - timedelta(minutes=1)) == []


def state_of(store: Store, key: str = "job-1") -> Any:
    with store.read() as db:
        return talk.message(db, key=key)


def count(store: Store, table: sa.Table) -> int:
    with store.read() as db:
        return int(
            db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        )


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read"])))
def test_states_in_any_order_end_at_the_one_that_says_most(store, tell, order):
    sent(store)
    for state in order:
        assert tell(told(state)) == [True]
    assert state_of(store).state == "read"


def test_a_state_that_comes_twice_is_kept_once(store, tell):
    sent(store)
    assert tell(told("sent"), told("sent"), told("delivered")) == [True, False, True]
    assert tell(told("sent")) == [False]
    assert count(store, receipts) == 2


def test_states_before_our_own_answer_count_when_it_comes(store, tell):
    tell(told("delivered"))
    sent(store)
    assert state_of(store).state == "delivered"


def test_a_tag_finds_the_message_whose_answer_was_lost(store, tell):
    sent(store, id="", state="unsure")
    with store.read() as db:
        assert talk.proof(db, "job-1") is None
    tell(told("sent", tag="job-1"))

    found = state_of(store)
    assert (found.state, found.provider_id) == ("sent", "wamid.1")
    with store.read() as db:
        assert talk.proof(db, "job-1").state == "sent"


def test_a_failure_becomes_one_job_and_shows_its_reason(store, tell):
    sent(store)
    failed = told("failed", kind="never", code="131026", detail="not on WhatsApp")
    tell(failed, failed)
    tell(failed)

    assert count(store, jobs) == 1
    with store.read() as db:
        assert outbox.state_of(db, "cloud:wamid.1/failed") == "waiting"
    found = state_of(store)
    assert (found.state, found.error) == ("failed", "never 131026: not on WhatsApp")


def test_what_was_delivered_does_not_fail_afterwards(store, tell):
    sent(store)
    tell(told("delivered"), told("failed", kind="unsure", code="131000"))
    assert state_of(store).state == "delivered"


def test_the_window_is_open_for_a_day_after_he_wrote(store):
    store.write(lambda db: talk.wrote(db, NUMBER, NOW))
    store.write(lambda db: talk.wrote(db, NUMBER, NOW - timedelta(days=3)))
    with store.read() as db:
        found = talk.contact(db, NUMBER)
    assert found.window_open(NOW + timedelta(hours=23))
    assert not found.window_open(NOW + timedelta(hours=23, minutes=55))
    assert not talk.Contact().window_open(NOW)


def test_an_opt_out_holds_for_the_client_on_another_number_too(store):
    ana = talk.name_of_client(2)
    store.write(lambda db: talk.word(db, ana, "stop", True, NOW))
    with store.read() as db:
        assert talk.contact(db, "+525512345678", 2).opted_out_at == NOW
        assert talk.contact(db, "+525512345678", 3).opted_out_at is None
        assert talk.stopped(db) == {ana: (NOW, "stop")}
    earlier = NOW - timedelta(minutes=5)
    store.write(lambda db: talk.word(db, ana, "start", False, earlier))
    with store.read() as db:
        assert talk.contact(db, "+525512345678", 2).opted_out_at == NOW
    store.write(lambda db: talk.word(db, ana, "start", False, NOW))
    with store.read() as db:
        assert talk.contact(db, "+525512345678", 2).opted_out_at is None
        assert talk.stopped(db) == {}


def test_what_is_not_given_of_a_contact_stays(store):
    store.write(lambda db: talk.wrote(db, NUMBER, NOW))
    store.write(lambda db: talk.note_contact(db, NUMBER, opted_at=NOW))
    with store.read() as db:
        found = talk.contact(db, NUMBER)
    assert (found.wrote_at, found.opted_at) == (NOW, NOW)


def test_telephones_lead_to_every_client_who_has_them(store):
    for client_id in (7, 2):
        store.write(lambda db, c=client_id: talk.remember_phone(db, c, NUMBER, NOW))
    with store.read() as db:
        assert talk.clients_with(db, NUMBER) == [2, 7]
    store.write(lambda db: talk.remember_phone(db, 7, None, NOW))
    with store.read() as db:
        assert talk.clients_with(db, NUMBER) == [2]


def test_a_template_is_known_in_its_newest_state(store):
    def note(language: str, status: str) -> None:
        store.write(
            lambda db: talk.note_template(db, "welcome", language, NOW, status=status)
        )

    note("es", "PENDING")
    note("en", "APPROVED")
    note("es", "APPROVED")
    note("en", "PAUSED")
    with store.read() as db:
        found = {
            row.language: row.status for row in talk.templates_named(db, "welcome")
        }
        assert found == {"es": "APPROVED", "en": "PAUSED"}
        assert len(talk.known_templates(db)) == 2


def test_old_states_go(store, tell):
    tell(told("sent"), told("sent", "wamid.2"))
    later = NOW + timedelta(days=1)
    assert store.write(lambda db: progress.prune(db, later, 1)) == 1
    assert store.write(lambda db: progress.prune(db, later, 10)) == 1
    assert store.write(lambda db: progress.prune(db, later, 10)) == 0


def test_messages_are_found_by_either_name(store):
    sent(store)
    with store.read() as db:
        assert talk.message(db, provider_id="wamid.1").key == "job-1"
        assert talk.message(db, key="other", provider_id="wamid.9") is None
