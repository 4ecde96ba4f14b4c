"""By WhatsApp a known client is told his services and invoices, and nothing changes."""

from __future__ import annotations

from datetime import date

import pytest
from conftest import Kit
from conversing import STRANGER, number_of, write
from looking import texts

from bridge.demo.panel_example import ANA, BRUNO, DIEGO, FRANK, GABRIELA
from bridge.store import talk


@pytest.fixture
def known(kit: Kit) -> Kit:
    """A bridge that has seen everybody's telephone."""
    for client in list(kit.world.clients.values()):
        number = number_of(kit, client.firstname)
        if number:
            remember(kit, client.id, number)
    return kit


def remember(kit: Kit, client_id: int, number: str) -> None:
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.remember_phone(db, client_id, number, now))


def ask(kit: Kit, who: str, text: str) -> str:
    """Write a message and return the text of the one answer."""
    write(kit, who, text)
    kit.work()
    return kit.sent[-1]["text"]


WORDS = [
    ("Ana", "mis servicios", "inbound_services", "es"),
    ("Ana", "MIS SERVICIOS!", "inbound_services", "es"),
    ("Ana", "servicios", "inbound_services", "es"),
    ("Ana", "mis facturas", "inbound_no_invoices", "es"),
    ("Ana", "ayuda", "inbound_help", "es"),
    ("Frank", "my services", "inbound_services", "en"),
    ("Frank", "My invoices.", "inbound_no_invoices", "en"),
    ("Frank", "help", "inbound_help", "en"),
    ("Diego", "meus serviços", "inbound_services", "pt_BR"),
    ("Diego", "minhas faturas", "inbound_no_invoices", "pt_BR"),
    ("Diego", "ajuda", "inbound_help", "pt_BR"),
    ("Diego", "mis servicios", "inbound_services", "pt_BR"),
]


@pytest.mark.parametrize(("who", "words", "text", "language"), WORDS)
def test_each_word_has_its_answer_in_the_clients_language(
    known: Kit, who: str, words: str, text: str, language: str
) -> None:
    ask(known, who, words)

    assert [(m["message"], m["language"]) for m in known.sent] == [(text, language)]


PAID_UNTIL = [
    ("es", "pago hasta el 01/05/2027"),
    ("en", "paid until May 1, 2027"),
    ("pt_BR", "pago até 01/05/2027"),
]


@pytest.mark.parametrize(("language", "words"), PAID_UNTIL)
def test_the_last_paid_day_is_the_one_before_the_next_due_day(
    known: Kit, language: str, words: str
) -> None:
    named = {"es": "spanish", "en": "english", "pt_BR": "portuguese-br"}
    known.world.client(ANA).language = named[language]

    said = ask(known, "Ana", "mis servicios")

    assert known.world.service(1).nextduedate == date(2027, 5, 2)
    assert f"• Plan 100 (radioana.com.ar): {words}\n" in said


@pytest.mark.parametrize("cycle", ["Annually", "One Time", "Free Account"])
def test_what_was_not_paid_for_a_time_is_told_without_a_day(
    known: Kit, cycle: str
) -> None:
    service = known.world.service(1)
    with known.world.muted():
        service.billingcycle, service.regdate = cycle, service.nextduedate

    said = ask(known, "Ana", "mis servicios")

    assert "• Plan 100 (radioana.com.ar)\n" in said


def test_services_are_told_and_counted(known: Kit) -> None:
    said = ask(known, "Ana", "mis servicios")

    assert "• Radio & Streaming (radio.example.com)" in said
    assert "(2 en total)" in said


def test_a_cancelled_service_is_told_with_its_last_day(known: Kit) -> None:
    known.world.request_cancellation(1)
    known.work()

    said = ask(known, "Ana", "mis servicios")

    assert "Plan 100 (radioana.com.ar): termina el 01/05/2027" in said


def test_ended_services_are_not_told(known: Kit) -> None:
    with known.world.muted():
        known.world.terminate(2)

    ask(known, "Bruno", "mis servicios")

    assert texts(known) == ["inbound_no_services"]


def test_open_invoices_are_told_with_amount_day_and_link(known: Kit) -> None:
    with known.world.muted():
        invoice = known.world.generate_renewal(1)

    said = ask(known, "Ana", "mis facturas")

    assert f"viewinvoice.php?id={invoice.id}" in said
    assert "100,00 ARS" in said
    assert "(1 en total)" in said


def test_many_services_are_cut_and_counted(known: Kit) -> None:
    with known.world.muted():
        for number in range(20):
            known.world.add_service(BRUNO, 21, "Monthly", domain=f"d{number}.example")

    said = ask(known, "Bruno", "servicios")

    assert said.count("•") == 15
    assert "… y 6 más" in said


@pytest.mark.parametrize("words", ["mis servicios", "mis facturas", "ayuda"])
def test_a_stranger_gets_the_general_answer(known: Kit, words: str) -> None:
    ask(known, STRANGER, words)

    assert texts(known) == ["inbound_reply"]


@pytest.mark.parametrize("words", ["mis servicios", "mis facturas", "ayuda"])
def test_a_number_of_two_clients_gets_the_general_answer(
    known: Kit, words: str
) -> None:
    known.world.clients[BRUNO].phonenumber = known.world.clients[ANA].phonenumber
    remember(known, BRUNO, number_of(known, "Ana"))

    ask(known, "Ana", words)

    assert texts(known) == ["inbound_reply"]


def test_a_number_that_the_client_no_longer_has_gets_the_general_answer(
    known: Kit,
) -> None:
    before = number_of(known, "Gabriela")
    known.world.clients[GABRIELA].phonenumber = "+54.91140000077"

    ask(known, before, "mis servicios")

    assert texts(known) == ["inbound_reply"]


@pytest.mark.parametrize(("client", "words"), [(ANA, "mis servicios"), (FRANK, "help")])
def test_nothing_is_changed_by_asking(known: Kit, client: int, words: str) -> None:
    ask(known, known.world.clients[client].firstname, words)

    made = {call.action for call in known.panel.calls}
    assert not [action for action in made if not action.startswith("Get")]
    assert known.panel.refused == []
    assert DIEGO in known.world.clients
