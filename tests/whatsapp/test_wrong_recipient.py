"""Attempts to make a message, or a fact about one client, reach somebody else."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from conversing import request
from looking import job, rows

from bridge.demo.panel_billing import Line
from bridge.demo.panel_example import ANA, BRUNO
from bridge.demo.whatsapp.cloud import NUMBER_ID, WABA_ID
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.store import outbox, people, tables, talk
from bridge.transport import Transport
from bridge.whatsapp import Inbound, WebhookRequest
from tests.whatsapp.providers import HELLO, hook, provider, serving
from tests.whatsapp.test_neighbours import post, stopped, wired_to

# --- Another channel on the same address: who sends there can be forged ---


@pytest.mark.parametrize("sender", ["+5491155551234", "messenger:+5491155551234"])
def test_what_comes_by_another_channel_of_twilios_is_no_whatsapp(
    kit, bridge_for, sender
):
    bridge = wired_to(kit, bridge_for, "twilio")
    stub = TwilioStub(kit.clock.now)
    stub.write(HELLO.to, "STOP", From=sender, OptOutType="STOP")
    post(bridge, "twilio", stub)

    assert stopped(bridge) == []
    assert rows(bridge.store, tables.events) == []


def test_a_person_without_a_number_is_heard_through_twilio_all_the_same():
    form = "MessageSid=SM1&SmsStatus=received&Body=Hola&From=whatsapp%3AAR.13"
    adapter = provider("twilio", "http://127.0.0.1:1", None)
    (found,) = adapter.read(hook(form.encode(), name="twilio"))

    assert isinstance(found, Inbound)
    assert found.user == "AR.13"


# --- One message of several alerts, of which one is another client's by now ---


def at_night(kit: Any, count: int = 5) -> list[int]:
    """Let invoices of Ana wait for the morning; return their ids."""
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 23))
    made = [kit.world.create_invoice(ANA, [Line("Algo", 10)]).id for _ in range(count)]
    kit.work()
    return made


def in_the_morning(kit: Any) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()


def written_to(kit: Any, client: int) -> str:
    """Return all that a client was told."""
    number = kit.bridge.bench.panel.client(client).phone.replace(".", "")
    found = [one for one in kit.sent if one["to"].endswith(number[-8:])]
    return "\n".join(one["text"] for one in found)


def bill(id: int) -> str:
    """Return how a text names an invoice."""
    return f"factura {id} "


@pytest.mark.parametrize("place", [0, 2, 4])
def test_what_passed_to_another_client_is_listed_to_nobody_but_him(kit, place):
    made = at_night(kit)
    kit.world.invoices[made[place]].userid = BRUNO
    in_the_morning(kit)
    kit.advance(seconds=10)

    assert bill(made[place]) not in written_to(kit, ANA)
    assert bill(made[place]) in written_to(kit, BRUNO)
    others = [id for id in made if id != made[place]]
    assert all(bill(id) in written_to(kit, ANA) for id in others)
    assert all(bill(id) not in written_to(kit, BRUNO) for id in others)
    assert {row.state for row in rows(kit.bridge.store, tables.jobs)} == {"done"}


@pytest.mark.parametrize("lost", [True, False])
def test_nor_when_their_message_is_repeated(talk_, lost):
    talk_.cloud.states = ()
    made = at_night(talk_)
    now = talk_.clock.at(date(2026, 11, 3), 8)
    talk_.bridge.store.write(lambda db: talk.wrote(db, talk_.number(ANA), now))
    talk_.bridge.store.write(lambda db: talk.wrote(db, talk_.number(BRUNO), now))
    if lost:
        talk_.cloud.play("lost")
    in_the_morning(talk_)
    if not lost:
        talk_.cloud.tell(talk_.cloud.taken[-1], "failed", 131000)
        talk_.tell()
        talk_.work()
    talk_.world.invoices[made[2]].userid = BRUNO
    talk_.advance(minutes=11)
    talk_.advance(seconds=10)

    second = [one for one in talk_.cloud.taken[1:] if one.to == talk_.number(ANA)]
    assert len(second) == 1
    assert bill(made[2]) not in second[0].text
    assert all(bill(id) in second[0].text for id in (*made[:2], *made[3:]))
    waits = {row.state for row in rows(talk_.bridge.store, tables.jobs)}
    assert "joined" not in waits


def test_nor_where_the_first_of_them_passed_on(talk_):
    talk_.cloud.states = ()
    made = at_night(talk_)
    now = talk_.clock.at(date(2026, 11, 3), 8)
    for client in (ANA, BRUNO):
        number = talk_.number(client)
        talk_.bridge.store.write(lambda db, n=number: talk.wrote(db, n, now))
    talk_.cloud.play("lost")
    in_the_morning(talk_)
    talk_.world.invoices[made[0]].userid = BRUNO
    talk_.advance(minutes=11)
    for _ in range(5):
        talk_.advance(seconds=7)

    anew = talk_.cloud.taken[1:]
    his = "".join(one.text for one in anew if one.to == talk_.number(BRUNO))
    hers = "".join(one.text for one in anew if one.to == talk_.number(ANA))
    assert [bill(id) in his for id in made] == [True, *[False] * 4]
    assert [bill(id) in hers for id in made] == [False, *[True] * 4]
    assert {row.state for row in rows(talk_.bridge.store, tables.jobs)} == {"done"}


def test_a_job_that_was_made_for_one_client_tells_nothing_of_anothers(kit):
    with kit.world.muted():
        invoice = kit.world.create_invoice(BRUNO, [Line("Algo", 10)]).id
    kit.flush()
    event = deliver(kit, "InvoiceCreated", {"invoiceid": invoice})
    kit.work()
    before, now = len(kit.sent), kit.clock.now()
    made = outbox.NewJob(
        key="made-for-ana",
        event_id=event,
        action="send_alert",
        rule="r",
        run_at=now,
        parameters={"message": "invoice_created", "client_id": ANA},
    )
    kit.bridge.store.write(lambda db: outbox.put(db, [made], now))
    kit.work()

    parked = job(kit, "made-for-ana")
    assert parked.state == "parked"
    assert f"belongs to client {BRUNO}, not {ANA}" in parked.reason
    assert len(kit.sent) == before


def deliver(kit: Any, hookpoint: str, data: dict[str, Any]) -> str:
    body = {"type": hookpoint, "timestamp": kit.clock.now().isoformat(), "data": data}
    raw = json.dumps(body).encode()
    kit.client().post("/hooks/whmcs", data=raw, headers=kit.headers("made", raw))
    return "made"


# --- An answer that waits while the number passes on ---


def test_an_answer_does_not_follow_a_client_to_a_number_he_gave_up(talk_):
    talk_.cloud.play("bad_key", times=3)
    talk_.cloud.write(talk_.number(ANA), request(talk_))
    talk_.tell()
    talk_.work()
    with talk_.world.muted():
        talk_.world.edit_client(ANA, phonenumber="+54.91140009999")
    for _ in range(20):
        talk_.advance(minutes=1)

    assert talk_.cloud.taken == []
    answer = job(talk_, "/answer/answer")
    assert answer.state == "skipped"
    assert "has another telephone by now" in answer.reason


# --- Cards, identities, look-ups ---


def card(talk_: Any, origins: tuple[str, str], number: str) -> list[Any]:
    one = {"phones": [{"wa_id": number.lstrip("+")}], "name": {}}
    one |= {"origin": origins[1]} if origins[1] else {}
    message = {"id": "wamid.1", "type": "contacts", "from_user_id": "AR.1"}
    message |= {"timestamp": "1793624400", "contacts": [one]}
    message |= {"origin": origins[0]} if origins[0] else {}
    value = {"metadata": {"phone_number_id": NUMBER_ID}, "messages": [message]}
    entry = {"id": WABA_ID, "changes": [{"field": "messages", "value": value}]}
    body = talk_.cloud.post({"object": "x", "entry": [entry]}).body
    return [
        found.shared
        for found in talk_.bridge.bench.provider.read(WebhookRequest("POST", body=body))
    ]


ASKED = "contact_request"
ORIGINS = [
    ((ASKED, ""), True), (("", ASKED), True), ((ASKED, ASKED), True),
    (("other", ASKED), False), ((ASKED, "other"), False), (("", ""), False),
]  # fmt: skip


@pytest.mark.parametrize(("origins", "his"), ORIGINS)
def test_a_card_is_his_own_only_where_nothing_says_otherwise(talk_, origins, his):
    number = talk_.number(ANA)

    assert card(talk_, origins, number) == [number if his else ""]


def test_one_whose_number_is_known_does_not_share_anothers(talk_):
    talk_.writes(ANA, "hola")  # her identity was told with her number
    talk_.cloud.share(talk_.number(ANA))
    message = json.loads(talk_.cloud.take()[-1].body)
    value = message["entry"][0]["changes"][0]["value"]["messages"][0]
    value["contacts"][0]["phones"][0]["wa_id"] = talk_.number(BRUNO).lstrip("+")
    talk_.cloud.post(message)
    assert talk_.tell() == [200]
    talk_.work()

    with talk_.bridge.store.read() as db:
        known = people.number_of(db, value["from_user_id"], talk_.clock.now())
    assert known == talk_.number(ANA)
    assert "inbound_number_known" not in talk_.texts


def test_a_look_up_of_another_identity_tells_no_number():
    answers = [
        {"status": 200, "json": {"lid": lid, "pn": "5491155551234@c.us"}}
        for lid in ("999@lid", "123@lid", "")
    ]
    with serving(answers) as script:
        transport = Transport(pool=1, version="test")
        adapter = provider("waha", script.url, transport)
        found = [adapter.find_number("123@lid") for _ in range(3)]
        transport.close()

    assert found == [None, HELLO.to, HELLO.to]


# --- A number that many clients have ---


def test_where_more_clients_have_a_number_than_are_read_it_is_nobodys_alone(talk_):
    number, now = talk_.number(ANA), talk_.clock.now()
    for client in range(100, 112):  # they come behind her, and are not all read
        talk_.bridge.store.write(
            lambda db, c=client: talk.remember_phone(db, c, number, now)
        )
    talk_.writes(ANA, "mis facturas")

    assert talk_.texts == ["inbound_reply"]
