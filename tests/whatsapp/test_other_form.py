"""Numbers that a network may know in another form: that one is tried once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.cloud_wire import error
from bridge.demo.whatsapp.server import StubServer
from bridge.errors import ErrorClass, SendError
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, talk
from bridge.transport import Transport
from tests.whatsapp.providers import HELLO, now, provider

AR, OTHER = "+5491155551234", "+541155551234"


class Choosy(CloudStub):
    """Takes messages to some numbers only; *code* is what it says to others.

    *turns* holds how many it was asked to take each time a turn was taken.
    """

    code = 131026

    def __init__(self, *known: str) -> None:
        super().__init__(now)
        self.known = known
        self.asked: list[str] = []
        self.turns: list[int] = []

    def answer(self, ask):
        to = ask.json()["to"]
        self.asked.append(to)
        if to not in self.known:
            return error(400, self.code, "Message undeliverable")
        return super().answer(ask)


@pytest.fixture
def send(database_url):
    """Return what sends to a stub, to somebody who wrote just now, at its rate."""
    store = Store(database_url, readers=1)

    def made(stub, to=AR):
        store.write(lambda db: talk.wrote(db, to, now()))
        with StubServer(stub) as server, Transport(pool=1, total=5.0) as transport:
            cloud = provider("cloud", server.url, transport)
            sending = Sending(store, lambda: cloud, now, Metrics())
            sending.slow_down = lambda: stub.turns.append(len(stub.asked))
            return sending.send(replace(HELLO, to=to))

    yield made
    store.close()


@pytest.mark.parametrize("code", [131026, 131030])
def test_where_the_number_is_not_known_its_other_form_is_tried(send, code):
    stub = Choosy(OTHER)
    stub.code = code

    receipt = send(stub)

    assert stub.asked == [AR, OTHER]
    assert [one.to for one in stub.taken] == [OTHER]
    assert receipt.id == stub.taken[0].id
    assert receipt.detail["number"] == "its other form"


def test_where_neither_is_known_it_is_refused_after_two_questions(send):
    stub = Choosy()

    with pytest.raises(SendError) as refused:
        send(stub)

    assert stub.asked == [AR, OTHER]
    assert (refused.value.kind, refused.value.code) == (ErrorClass.NEVER, "131026")


def test_a_country_with_one_form_is_asked_once(send):
    stub = Choosy()

    with pytest.raises(SendError):
        send(stub, "+34612345678")

    assert stub.asked == ["+34612345678"]


def test_another_refusal_tries_no_other_number(send):
    stub = Choosy(OTHER)
    stub.code = 131056

    with pytest.raises(SendError) as refused:
        send(stub)

    assert stub.asked == [AR]
    assert refused.value.kind is ErrorClass.PAIR


def test_what_goes_wrong_with_the_other_form_is_what_counts(send):
    stub = Choosy(OTHER)
    stub.play("rate_limited")

    with pytest.raises(SendError) as refused:
        send(stub)

    assert refused.value.kind is ErrorClass.RETRY


@pytest.mark.parametrize("known", [OTHER, AR, ""], ids=["taken", "at-once", "refused"])
def test_each_message_takes_a_turn_of_its_own(send, known):
    stub = Choosy(known)

    with suppress(SendError):
        send(stub)

    assert stub.turns == list(range(len(stub.asked)))
