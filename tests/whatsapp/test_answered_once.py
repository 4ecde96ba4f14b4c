"""Nobody is answered without end, however often he writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from looking import rows, staff_lines

from bridge import upkeep
from bridge.demo.panel_example import ANA, BRUNO
from bridge.errors import Reason, RemoteError
from bridge.store import answers, tables, talk

FIFTY = 50


def flood(kit, text, count=FIFTY):
    for _ in range(count):
        kit.cloud.write(kit.number(ANA), text)
    kit.tell()
    kit.work()
    for _ in range(count):
        kit.advance(seconds=7)


ONCE = [
    ("baja", "inbound_how_to_cancel", 1),
    ("hola", "inbound_reply", 1),
    ("ayuda", "inbound_help", 3),
    ("mis facturas", "inbound_no_invoices", 3),
    ("BAJA ALERTAS", "inbound_stopped", 1),
    ("START", "inbound_started", 1),
]


@pytest.mark.parametrize(("text", "name", "times"), ONCE)
def test_fifty_times_the_same_is_answered_once_or_few_times(talk_, text, name, times):
    flood(talk_, text)

    assert talk_.texts == [name] * times
    states = {row.state for row in rows(talk_.bridge.store, tables.jobs)}
    assert states == {"done"}


def test_the_next_day_it_is_answered_again(talk_):
    flood(talk_, "baja", 3)
    talk_.clock.advance(timedelta(days=1))
    flood(talk_, "baja", 3)

    assert talk_.texts == ["inbound_how_to_cancel"] * 2


def test_each_kind_has_its_own_answer(talk_):
    for text in ("hola", "baja", "hola", "baja", "ayuda"):
        flood(talk_, text, 1)

    assert talk_.texts == ["inbound_reply", "inbound_how_to_cancel", "inbound_help"]


def test_a_word_is_confirmed_whenever_it_changes_something(talk_):
    for text in ("STOP", "stop", "START", "start", "Stop!", "ALTA ALERTAS"):
        talk_.clock.advance(timedelta(seconds=10))
        flood(talk_, text, 1)

    stopped, started = "inbound_stopped", "inbound_started"
    assert talk_.texts == [stopped, started, stopped, started]
    flood(talk_, "start", 5)
    assert talk_.texts == [stopped, started, stopped, started]


def test_a_stop_whose_answer_was_lost_is_confirmed_by_its_own_job(talk_):
    talk_.cloud.play("lost")
    talk_.cloud.states = ()
    flood(talk_, "STOP", 1)
    talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 2
    assert talk_.texts == ["inbound_stopped"]


def test_an_answer_that_was_refused_for_now_is_given_by_the_same_job(talk_):
    talk_.cloud.play("rate_limited")
    flood(talk_, "baja", 2)
    for _ in range(3):
        talk_.advance(minutes=10)

    assert talk_.texts == ["inbound_how_to_cancel"]


def test_a_word_that_was_not_noted_at_the_door_is_confirmed(talk_):
    number = talk_.number(ANA)
    talk_.cloud.write(number, "STOP")
    talk_.tell()
    talk_.bridge.store.write(
        lambda db: talk.note_contact(db, number, opted_out_at=None, opted_at=None)
    )
    talk_.work()

    assert talk_.texts == ["inbound_stopped"]


def test_with_open_ticket_staff_see_each_message_and_he_gets_one_answer(
    wired, config_with
):
    kit = wired(config_dir=config_with(("other: reply", "other: open_ticket")))
    while upkeep.index_phones(kit.bridge.bench):
        pass
    flood(kit, "No me anda el correo", 4)

    assert len(kit.world.tickets) == 4
    assert kit.texts == ["inbound_passed_on"]


def test_many_threads_reserve_one_answer(bridge):
    day = date(2026, 11, 2)

    def ask(number):
        return bridge.store.write(
            lambda db: answers.reserve(db, "+1", "kind", day, f"job {number}", 3)
        )

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(ask, range(40)))

    assert sum(given) == 3
    assert ask(given.index(True))


def test_old_answers_are_forgotten(talk_):
    flood(talk_, "baja", 1)
    talk_.clock.advance(timedelta(days=400))
    talk_.bridge.schedule().prune()

    assert rows(talk_.bridge.store, tables.answers) == []
    assert rows(talk_.bridge.store, tables.receipts) == []


# --- Hidden numbers ---


def test_a_hidden_number_that_the_provider_tells_stops_alerts_too(talk_):
    number = talk_.number(ANA)
    talk_.bridge.bench.provider.find_number = lambda user: number
    talk_.cloud.write(number, "STOP", hidden=True)
    talk_.tell()
    talk_.work()

    assert talk_.texts == ["inbound_stopped"]
    assert talk_.bridge.bench.consents.stopped(number, ANA)


@pytest.mark.parametrize("reason", [Reason.REFUSED, Reason.NOT_FOUND])
def test_where_nobody_tells_it_staff_hear_of_a_stop_once_a_day(talk_, reason):
    def unknown(user):
        raise RemoteError("waha", reason, "no such identity", sent=False)

    talk_.bridge.bench.provider.find_number = unknown
    for _ in range(5):
        talk_.cloud.write("+5491155550000", "STOP", hidden=True)
    talk_.tell()
    talk_.work()

    assert talk_.texts == []
    assert len([one for one in staff_lines(talk_) if 'wrote "stop"' in one]) == 1


def test_a_number_of_two_clients_stops_and_begins_alerts_of_both(talk_):
    with talk_.world.muted():
        talk_.world.edit_client(BRUNO, phonenumber=talk_.world.clients[ANA].phonenumber)
    number = talk_.number(ANA)
    now = talk_.clock.now()
    talk_.bridge.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    stopped = talk_.bridge.bench.consents.stopped
    talk_.writes(ANA, "STOP")
    out = [bool(stopped(f"+{n}", n)) for n in (ANA, BRUNO)]
    talk_.advance(seconds=10)
    talk_.writes(ANA, "START")
    back = [bool(stopped(f"+{n}", n)) for n in (ANA, BRUNO)]
    talk_.advance(seconds=10)
    talk_.writes(ANA, "mis facturas")
    talk_.advance(seconds=10)

    assert (out, back) == ([True, True], [False, False])
    assert talk_.texts == ["inbound_stopped", "inbound_started", "inbound_reply"]


@pytest.mark.parametrize("text", ["hola", "baja", "STOP", "ayuda"])
def test_what_was_written_a_day_ago_is_obeyed_and_not_answered(talk_, text):
    talk_.cloud.write(talk_.number(ANA), text)
    told = talk_.cloud.take()
    talk_.clock.advance(timedelta(days=1))
    for hook in told:
        talk_.client().post("/whatsapp/cloud", data=hook.body, headers=hook.headers)
    talk_.work()

    assert talk_.texts == []
    assert {row.state for row in rows(talk_.bridge.store, tables.jobs)} == {"done"}
    with talk_.bridge.store.read() as db:
        out = talk.contact(db, talk_.number(ANA)).opted_out_at
    assert (out is not None) is (text == "STOP")
