"""Numbers that a network may know in another form: that one is tried once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.cloud_wire import error
from bridge.demo.whatsapp.server import StubServer
from bridge.errors import ErrorClass, SendError
from bridge.transport import Transport
from tests.whatsapp.providers import HELLO, now, provider

AR, OTHER = "+5491155551234", "+541155551234"


class Choosy(CloudStub):
    """Takes messages to some numbers only; *code* is what it says to others."""

    code = 131026

    def __init__(self, *known: str) -> None:
        super().__init__(now)
        self.known = known
        self.asked: list[str] = []

    def answer(self, ask):
        to = ask.json()["to"]
        self.asked.append(to)
        if to not in self.known:
            return error(400, self.code, "Message undeliverable")
        return super().answer(ask)


def sent(stub, to=AR):
    with StubServer(stub) as server, Transport(pool=1, total=5.0) as transport:
        return provider("cloud", server.url, transport).send(replace(HELLO, to=to))


@pytest.mark.parametrize("code", [131026, 131030])
def test_where_the_number_is_not_known_its_other_form_is_tried(code):
    stub = Choosy(OTHER)
    stub.code = code

    receipt = sent(stub)

    assert stub.asked == [AR, OTHER]
    assert [one.to for one in stub.taken] == [OTHER]
    assert receipt.id == stub.taken[0].id
    assert receipt.detail["number"] == "its other form"


def test_where_neither_is_known_it_is_refused_after_two_questions():
    stub = Choosy()

    with pytest.raises(SendError) as refused:
        sent(stub)

    assert stub.asked == [AR, OTHER]
    assert (refused.value.kind, refused.value.code) == (ErrorClass.NEVER, "131026")


def test_a_country_with_one_form_is_asked_once():
    stub = Choosy()

    with pytest.raises(SendError):
        sent(stub, "+34612345678")

    assert stub.asked == ["+34612345678"]


def test_another_refusal_tries_no_other_number():
    stub = Choosy(OTHER)
    stub.code = 131056

    with pytest.raises(SendError) as refused:
        sent(stub)

    assert stub.asked == [AR]
    assert refused.value.kind is ErrorClass.PAIR


def test_what_goes_wrong_with_the_other_form_is_what_counts():
    stub = Choosy(OTHER)
    stub.play("rate_limited")

    with pytest.raises(SendError) as refused:
        sent(stub)

    assert refused.value.kind is ErrorClass.RETRY
