"""A word that stops alerts stops those to its writer's other numbers from then on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from looking import job, rows

from bridge import dispatch
from bridge.demo.panel_example import ANA, BRUNO
from bridge.store import outbox, tables, talk
from tests.whatsapp.talking import Talk

ANOTHER, WRITTEN = "+5491140009999", "+54.91140009999"


def stopped(kit: Talk, *clients: int) -> list[bool]:
    """Tell of each client whether he gets no alerts, whatever his number is."""
    consents = kit.bridge.bench.consents
    return [bool(consents.stopped(f"+{client}", client)) for client in clients]


def hears(kit: Talk, text: str, **more) -> None:
    """A message of Ana's comes in; it is on disk, and that is all."""
    kit.cloud.write(kit.number(ANA), text, **more)
    assert set(kit.tell()) == {200}


def hold_answer(kit: Talk) -> None:
    """Let the job that answers wait for an hour, and everything else run."""
    now = kit.clock.now()
    hookmap = kit.bridge.map.current
    kit.bridge.store.write(lambda db: dispatch.match(db, hookmap, now))
    later = now + timedelta(hours=1)
    answer = job(kit, "/answer").key
    kit.bridge.store.write(lambda db: outbox.move(db, answer, later))


def moves(kit: Talk, *, told: bool) -> None:
    """Ana has another number from now on; the panel's side tells of it, or not."""
    if told:
        kit.world.edit_client(ANA, phonenumber=WRITTEN)
    else:
        with kit.world.muted():
            kit.world.edit_client(ANA, phonenumber=WRITTEN)
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.wrote(db, ANOTHER, now))


def remind(kit: Talk) -> None:
    kit.world.remind_invoice(kit.world.generate_renewal(1).id)
    kit.work()


def ordinary(kit: Talk) -> list[str]:
    return [name for name in kit.texts if name.startswith("invoice")]


@pytest.mark.parametrize("word", ["STOP", "baja alertas"])
def test_the_client_is_stopped_as_soon_as_his_word_is_on_disk(talk_, word):
    hears(talk_, word)

    assert stopped(talk_, ANA, BRUNO) == [True, False]
    assert rows(talk_.bridge.store, tables.jobs) == []


def test_no_alert_goes_to_his_changed_number_before_his_word_is_answered(talk_):
    hears(talk_, "STOP")
    hold_answer(talk_)
    moves(talk_, told=False)
    remind(talk_)

    assert ordinary(talk_) == []
    reasons = [row.reason or "" for row in rows(talk_.bridge.store, tables.jobs)]
    assert any("client 1 wants no alerts (stop, " in why for why in reasons)


@pytest.mark.parametrize(("told", "stays"), [(True, True), (False, False)])
def test_who_gave_the_number_up_since_stays_stopped_where_that_is_known(
    talk_, told, stays
):
    hears(talk_, "STOP")
    hold_answer(talk_)
    talk_.clock.advance(timedelta(minutes=1))
    moves(talk_, told=told)
    talk_.work()
    talk_.advance(hours=1)

    assert stopped(talk_, ANA) == [stays]


def test_a_number_that_was_given_up_is_read_with_its_clients_country(talk_):
    with talk_.world.muted():
        talk_.world.edit_client(ANA, country="MX", phonenumber="5512345678")
    now = talk_.clock.now()
    number = talk_.number(ANA)
    talk_.bridge.store.write(lambda db: talk.remember_phone(db, ANA, number, now))
    hears(talk_, "STOP")
    hold_answer(talk_)
    talk_.clock.advance(timedelta(minutes=1))
    moves(talk_, told=True)
    talk_.work()
    talk_.advance(hours=1)

    assert stopped(talk_, ANA) == [True]


def test_who_had_given_it_up_before_is_not_stopped_by_its_next_owner(talk_):
    moves(talk_, told=True)
    talk_.flush()
    talk_.clock.advance(timedelta(minutes=1))
    talk_.cloud.write("+5491140000001", "STOP")  # the index does not know yet
    talk_.tell()
    assert stopped(talk_, ANA) == [True]
    talk_.work()

    assert stopped(talk_, ANA) == [False]
    talk_.advance(minutes=1)
    remind(talk_)
    assert len(ordinary(talk_)) == 1


def test_nor_where_the_next_owner_has_changed_his_mind(talk_):
    with talk_.world.muted():
        talk_.world.edit_client(ANA, phonenumber=WRITTEN)
    for text in ("STOP", "START"):
        talk_.cloud.write("+5491140000001", text)
        talk_.tell()
        talk_.clock.advance(timedelta(seconds=9))
    talk_.work()

    assert stopped(talk_, ANA) == [False]


def test_of_two_with_one_number_the_panel_is_asked_first(talk_):
    number, now = talk_.number(ANA), talk_.clock.now()
    with talk_.world.muted():
        phone = talk_.world.clients[ANA].phonenumber
        talk_.world.edit_client(BRUNO, phonenumber=phone)
    talk_.bridge.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    hears(talk_, "STOP")
    before = stopped(talk_, ANA, BRUNO)
    talk_.cloud.play("rate_limited")  # the answer has to wait, the word has not
    talk_.work()

    assert before == [False, False]
    assert stopped(talk_, ANA, BRUNO) == [True, True]
    assert talk_.texts == []


def test_a_word_that_is_older_than_his_last_one_stops_nobody(talk_):
    talk_.cloud.write(talk_.number(ANA), "STOP")
    late = talk_.cloud.take()  # on its way still
    talk_.clock.advance(timedelta(minutes=5))
    talk_.writes(ANA, "START")
    for hook in late:
        told = {"data": hook.body, "headers": dict(hook.headers)}
        talk_.client().post("/whatsapp/cloud", **told)

    assert stopped(talk_, ANA) == [False]


def test_a_start_begins_alerts_of_the_client_again(talk_):
    talk_.writes(ANA, "STOP")
    talk_.advance(seconds=9)
    talk_.writes(ANA, "START")

    assert stopped(talk_, ANA) == [False]
    assert talk_.texts == ["inbound_stopped", "inbound_started"]
