"""Wishes that Twilio takes and answers by itself are obeyed, and not answered twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from looking import rows, staff_lines

from bridge import upkeep
from bridge.demo.panel_example import ANA
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.store import tables, talk
from bridge.whatsapp.phones import normalise
from tests.whatsapp.test_neighbours import post, wired_to


class Heard:
    """Ana, who writes through Twilio; a message to her would be an error."""

    def __init__(self, kit, bridge):
        self.kit, self.bridge = kit, bridge
        self.stub = TwilioStub(kit.clock.now)
        client = kit.world.clients[ANA]
        self.number = normalise(client.phonenumber, client.country)
        while upkeep.index_phones(bridge.bench):
            pass

    def write(self, text, type="", **more):
        """Let her write; tell whether she is stopped at the door, and afterwards."""
        wish = {"OptOutType": type} if type else {}
        self.stub.write(self.number, text, **wish | more)
        post(self.bridge, "twilio", self.stub)
        with self.bridge.store.read() as db:
            at_the_door = talk.contact(db, self.number).opted_out_at is not None
        self.bridge.worker.drain()
        self.kit.clock.advance(timedelta(minutes=1))
        return at_the_door, bool(self.bridge.bench.consents.stopped("+1", ANA))

    @property
    def answer(self):
        """The job that answers her one message."""
        found = rows(self.bridge.store, tables.jobs)
        (one,) = [row for row in found if row.key.endswith("/answer")]
        return one


@pytest.fixture
def heard(kit, bridge_for):
    return Heard(kit, wired_to(kit, bridge_for, "twilio"))


@pytest.mark.parametrize("word", ["ARRET", "CANCELAR", "baja", "Stop", "🛑", "start"])
@pytest.mark.parametrize("type", ["STOP", "stop"])
def test_what_twilio_takes_for_a_stop_is_one_whatever_the_word(heard, word, type):
    assert heard.write(word, type) == (True, True)

    assert heard.answer.outcome["route"] == "stop: the provider has answered"
    assert rows(heard.bridge.store, tables.messages) == []
    assert staff_lines(heard.kit) == []


@pytest.mark.parametrize("word", ["REPRENDRE", "stop"])
def test_what_twilio_takes_for_a_start_is_one(heard, word):
    heard.write("ARRET", "STOP")

    assert heard.write(word, "START") == (False, False)

    assert rows(heard.bridge.store, tables.messages) == []


@pytest.mark.parametrize("word", ["AYUDA", "stop", "baja", "hola"])
def test_what_twilio_took_for_a_question_changes_nothing(heard, word):
    assert heard.write(word, "HELP") == (False, False)
    assert heard.answer.outcome["route"] == "help: the provider has answered"
    assert rows(heard.bridge.store, tables.messages) == []


def test_an_unknown_type_is_none(heard):
    assert heard.write("BAJA ALERTAS", "MAYBE")[0]
    assert heard.answer.state != "done"  # it would have been answered


def test_a_hidden_number_leaves_staff_a_line(heard):
    heard.write("ARRET", "STOP", From="whatsapp:AR.1", WaId="")

    assert 'wrote "arret"' in staff_lines(heard.kit)[0]
