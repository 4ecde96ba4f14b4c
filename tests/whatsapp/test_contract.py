"""What every adapter does, over recorded exchanges and over simulated providers.

`tests/fixtures/whatsapp/<provider>/<case>.json` holds what is asked to the letter, what
is answered, and what must come of it.
"""

from __future__ import annotations

import inspect
import json
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.evolution import EvolutionStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.stub import Ask, Reply
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.demo.whatsapp.waha import WahaStub
from bridge.errors import ErrorClass, Reason, RemoteError, SendError
from bridge.transport import Transport
from bridge.whatsapp import Inbound, InboundKind, Provider, State, StateNotice
from tests.whatsapp.providers import (
    HELLO,
    NAMES,
    TEMPLATE,
    now,
    provider,
    received,
    serving,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "whatsapp"
CASES = sorted(path.relative_to(FIXTURES) for path in FIXTURES.glob("*/*.json"))
EVERYBODY = {"sent", "rate_limited", "bad_number", "bad_key", "not_json", "server_down"}
EVERYBODY |= {"cut", "refused_not_json"}
#: What cannot occur at a gateway that drives a phone: it has no templates and no
#: window, and WhatsApp drops what goes to somebody who blocked the sender in silence.
WINDOWED = {"sent_template", "opted_out", "template_missing", "window_closed"}
#: What each case must come to; of the rest its own file says it.
OUTCOMES = {
    "rate_limited": "retry",
    "bad_number": "never",
    "opted_out": "never",
    "bad_key": "halt",
    "template_missing": "fix",
    "window_closed": "as_template",
    "server_down": "unsure",
    "cut": "unsure",
}
STUBS = {
    "cloud": CloudStub,
    "twilio": TwilioStub,
    "evolution": EvolutionStub,
    "waha": WahaStub,
}
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def transport():
    with Transport(pool=2, connect=2.0, total=5.0, version="1") as one:
        yield one


@pytest.fixture
def stub(name):
    return STUBS[name](now)


@pytest.fixture
def adapter(name, stub, transport):
    """An adapter that talks to a simulated provider, which found nothing to refuse."""
    with StubServer(stub) as server:
        yield provider(name, server.url, transport)
    assert stub.refused == []


def closed() -> str:
    """Return an address of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return f"http://127.0.0.1:{door.getsockname()[1]}"


def failure(adapter, message) -> SendError:
    with pytest.raises(SendError) as caught:
        adapter.send(message)
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_recorded_exchange(case, transport):
    found = json.loads((FIXTURES / case).read_text("utf-8"))
    message = HELLO
    if found["template"]:
        message = replace(HELLO, free=False, template=TEMPLATE)
    with serving([one["answer"] for one in found["exchanges"]]) as script:
        adapter = provider(case.parts[0], script.url, transport)

        try:
            receipt = adapter.send(message)
            outcome = {"id": receipt.id, "detail": receipt.detail}
        except SendError as error:
            outcome = {"kind": str(error.kind), "code": error.code}
            outcome["retry_after"] = error.retry_after
            shown = str(error)
        else:
            shown = repr(receipt)

    assert message.to not in shown
    assert outcome == found["outcome"]
    assert len(script.asked) == len(found["exchanges"])
    for asked, exchange in zip(script.asked, found["exchanges"], strict=True):
        wanted = exchange["call"]
        kept = {key: asked["headers"].get(key) for key in wanted["headers"]}
        assert asked | {"headers": kept} == wanted


@each
def test_every_provider_has_its_cases(name):
    there = {case.stem for case in CASES if case.parts[0] == name}

    windowed = name in ("cloud", "twilio")
    assert there >= (EVERYBODY | WINDOWED if windowed else EVERYBODY)
    assert windowed or not there & WINDOWED


@each
@pytest.mark.parametrize("case", sorted(OUTCOMES))
def test_a_case_comes_to_the_same_with_every_provider(name, case):
    path = FIXTURES / name / f"{case}.json"
    if name in ("cloud", "twilio") or case not in WINDOWED:
        outcome = json.loads(path.read_text("utf-8"))["outcome"]
        assert outcome["kind"] == OUTCOMES[case]
    else:
        assert not path.exists()


@each
@pytest.mark.parametrize("case", ["sent", "sent_template", "not_json"])
def test_what_a_provider_takes_is_taken_by_its_simulation(name, case):
    path = FIXTURES / name / f"{case}.json"
    if not path.exists():
        assert case in WINDOWED
        return
    exchanges = json.loads(path.read_text("utf-8"))["exchanges"]
    stub = STUBS[name](now)
    if name == "cloud":
        body = "Hola {{1}}, la factura {{2}} está lista, sí."
        url = "https://panel.example/{{1}}"
        stub.templates.add("invoice_created", "es", body=body, url=url)
    elif name == "twilio":
        body = "Hola {{1}}, la factura {{2}} está lista, sí."
        stub.add("invoice_created", "es", body, "https://panel.example/{{3}}")

    for one in exchanges:
        assert stub.handle(asked_as(one["call"])).status in (200, 201)

    assert (len(stub.taken), stub.refused) == (1, [])


def asked_as(call) -> Ask:
    """Return a recorded call as a simulated provider gets it."""
    body = json.dumps(call["json"]) if "json" in call else ""
    if "form" in call:
        body = urlencode(call["form"])
    query = urlencode(call.get("query", {}))
    return Ask(call["method"], call["path"], query, call["headers"], body.encode())


@each
def test_every_provider_fits_the_seam(name, transport):
    adapter = provider(name, "http://127.0.0.1:1", transport)
    asked = dict(inspect.getmembers(Provider, inspect.isfunction))

    for method, function in asked.items():
        if not method.startswith("_"):
            mine = inspect.signature(getattr(type(adapter), method))
            assert mine == inspect.signature(function)
    assert (adapter.name, adapter.windowed) == (name, name in ("cloud", "twilio"))
    assert adapter.tags == (name in ("cloud", "twilio"))
    assert adapter.number
    assert adapter.per_second == (80 if adapter.windowed else 0.033)


@each
def test_a_message_is_sent_and_its_states_come_back(name, adapter, stub):
    stub.states = ("sent", "delivered", "read")

    receipt = adapter.send(HELLO)

    (taken,) = stub.taken
    assert (receipt.id, receipt.states) == (taken.id, (State.ACCEPTED,))
    assert (taken.to, taken.text) == (HELLO.to, HELLO.whole)
    notices = [
        notice
        for posted in stub.take()
        for notice in adapter.read(received(posted, name))
    ]
    assert [one.state for one in notices] == [State.SENT, State.DELIVERED, State.READ]
    for one in notices:
        assert isinstance(one, StateNotice)
        assert one.provider_id == receipt.id
        assert one.tag == (HELLO.tag if adapter.tags else "")
        assert one.to == HELLO.to
        assert one.at.utcoffset() is not None


@each
def test_whose_number_the_answer_names_is_compared_with_the_one_we_meant(
    name, adapter, stub
):
    stub.elsewhere = "+5491155550000"

    receipt = adapter.send(HELLO)

    assert receipt.detail["reached"] == "+5491155550000"
    told = [
        one for posted in stub.take() for one in adapter.read(received(posted, name))
    ]
    assert {one.to for one in told} == {"+5491155550000"}


@each
@pytest.mark.parametrize("to", ["+5491155551234", "+525512345678", "+5531987654321"])
def test_another_form_of_the_same_number_is_no_other_number(name, to, adapter, stub):
    old = {"+525512345678": "+5215512345678", "+5531987654321": "+553187654321"}
    stub.elsewhere = old.get(to, "+541155551234")

    assert "reached" not in adapter.send(replace(HELLO, to=to)).detail


@pytest.mark.parametrize("name", ["evolution", "waha"])
def test_where_the_gateway_hides_the_number_nothing_is_compared(name, adapter, stub):
    hidden = {
        "evolution": {"key": {"remoteJid": "1234567890@lid", "id": "BAE5X"}},
        "waha": {"id": "true_1234567890@lid_3EB0X", "to": "1234567890@lid"},
    }
    stub.accept = lambda make, shape: Reply.of(201, hidden[name])

    assert "reached" not in adapter.send(HELLO).detail


def test_a_gateway_that_finds_another_number_is_not_obeyed(transport):
    stub = WahaStub(now)
    stub.chats = {"5491155551234": "5491155550000@c.us"}
    with StubServer(stub) as server:
        error = failure(provider("waha", server.url, transport), HELLO)

    assert error.kind is ErrorClass.FIX
    assert stub.taken == []


@pytest.mark.parametrize(
    "chat",
    [
        "120363000000000000@g.us", "status@broadcast", "120363000000000000@newsletter",
        "x", "foo@c.us", "foo@lid", "5491155551234@g.us", "@lid",
    ],
)  # fmt: skip
def test_what_is_no_one_persons_address_is_not_written_to(chat, transport):
    stub = WahaStub(now)
    stub.chats = {"5491155551234": chat}
    with StubServer(stub) as server:
        adapter = provider("waha", server.url, transport)
        error = failure(adapter, HELLO)
        assert (error.kind, stub.taken) == (ErrorClass.FIX, [])

        stub.chats = {}
        adapter.send(HELLO)  # what was refused is not remembered

    assert [one.to for one in stub.taken] == [HELLO.to]


NO_WORD = [
    {}, [], None, {"error": "x"}, {"numberExists": True}, {"numberExists": None},
    {"numberExists": "false", "chatId": "5491155551234@c.us"}, [{"exists": True}],
]  # fmt: skip


@pytest.mark.parametrize("answer", NO_WORD, ids=str)
def test_a_look_up_that_does_not_say_no_is_asked_again(answer, transport):
    with serving([{"status": 200, "json": answer}]) as script:
        error = failure(provider("waha", script.url, transport), HELLO)

    assert error.kind is ErrorClass.RETRY


@pytest.mark.parametrize("answer", NO_WORD, ids=str)
def test_only_a_gateway_that_says_no_knows_no_such_number(answer, transport):
    with serving([{"status": 200, "json": answer}] * 2) as script:
        for name in ("waha", "evolution"):
            with pytest.raises(RemoteError) as caught:
                provider(name, script.url, transport).check_number(HELLO.to)
            assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("to", ["+525512345678", "+5531987654321", "+5491155551234"])
def test_a_gateway_that_finds_the_other_form_is_obeyed(to, transport):
    old = {"+525512345678": "5215512345678", "+5531987654321": "553187654321"}
    chat = f"{old.get(to, '541155551234')}@c.us"
    stub = WahaStub(now)
    stub.chats = {to[1:]: chat}
    with StubServer(stub) as server:
        provider("waha", server.url, transport).send(replace(HELLO, to=to))

    assert [one.to for one in stub.taken] == [to]


@pytest.mark.parametrize("name", ["evolution", "waha"])
@pytest.mark.parametrize(
    "chat", ["120363000000000000@g.us", "status@broadcast", "120363@newsletter"]
)
def test_a_group_is_another_recipient_than_we_meant(name, chat, adapter, stub):
    answer = {
        "evolution": {"key": {"remoteJid": chat, "id": "BAE5X"}},
        "waha": {"id": f"true_{chat}_3EB0X"},
    }
    stub.accept = lambda make, shape: Reply.of(201, answer[name])

    assert adapter.send(HELLO).detail["reached"] == chat


@each
def test_states_doubled_and_backwards_are_read_all_the_same(name, adapter, stub):
    receipt = adapter.send(HELLO)

    hooks = stub.take(times=2, backwards=True)
    notices = [one for posted in hooks for one in adapter.read(received(posted, name))]

    assert [one.state for one in notices] == [
        State.DELIVERED,
        State.DELIVERED,
        State.SENT,
        State.SENT,
    ]
    assert {one.provider_id for one in notices} == {receipt.id}


@each
@pytest.mark.parametrize("how", ["lost", "cut"])
def test_an_answer_that_was_lost_leaves_it_open_and_is_not_repeated(
    name, how, adapter, stub
):
    adapter.send(HELLO)  # the connection is a kept one from here on
    stub.play(how)

    error = failure(adapter, HELLO)

    assert error.kind is ErrorClass.UNSURE
    assert len(stub.taken) == 2
    (tag,) = {taken.tag for taken in stub.taken}
    assert tag in (HELLO.tag, "")
    if adapter.tags:
        told = [n for p in stub.take() for n in adapter.read(received(p, name))]
        assert {(one.tag, one.provider_id) for one in told} == {
            (HELLO.tag, taken.id) for taken in stub.taken
        }


@each
def test_a_taken_message_with_an_unreadable_answer_counts_as_sent(name, adapter, stub):
    stub.play("not_json")

    receipt = adapter.send(HELLO)

    assert (receipt.id, receipt.states) == ("", (State.ACCEPTED,))
    assert "without an id" in receipt.detail["unreadable"]


@each
def test_without_a_connection_it_may_go_again(name, transport):
    adapter = provider(name, closed(), transport)

    assert failure(adapter, HELLO).kind is ErrorClass.RETRY


@each
def test_a_redirect_halts_it_because_the_address_is_wrong(name, transport):
    away = {"status": 302, "headers": {"Location": "https://elsewhere.example/"}}
    chat = f"{HELLO.to[1:]}@c.us"
    known = {"status": 200, "json": {"numberExists": True, "chatId": chat}}
    answers = [known, away] if name == "waha" else [away]
    with serving(answers) as script:
        error = failure(provider(name, script.url, transport), HELLO)

    assert error.kind is ErrorClass.HALT


PLAYS = [
    (name, play, kind)
    for name, plays in {
        "cloud": {
            "bad_key": "halt", "permission": "halt", "trouble": "unsure",
            "rate_limited": "retry", "quota": "retry", "pair": "pair",
            "withheld": "later", "window_closed": "as_template",
            "bad_number": "never", "opted_out": "never", "template_missing": "fix",
            "template_paused": "fix", "payment": "halt", "maintenance": "retry",
            "passing": "retry", "server_down": "unsure",
        },
        "twilio": {
            "bad_key": "halt", "rate_limited": "retry", "queue": "retry",
            "pair": "pair", "withheld": "later", "trouble": "unsure",
            "window_closed": "as_template", "bad_number": "never",
            "opted_out": "never", "template_missing": "fix", "variables": "fix",
            "billing": "halt", "server_down": "unsure",
        },
        "evolution": {
            "bad_key": "halt", "no_instance": "halt", "bad_number": "never",
            "broken": "unsure", "timed_out": "unsure", "refused": "fix",
            "trouble": "unsure", "rate_limited": "retry", "server_down": "unsure",
        },
        "waha": {
            "bad_key": "halt", "no_session": "halt", "no_path": "fix",
            "trouble": "unsure", "no_lid": "unsure", "refused": "fix",
            "rate_limited": "retry", "server_down": "unsure",
        },
    }.items()
    for play, kind in plays.items()
]  # fmt: skip


@pytest.mark.parametrize(("name", "play", "kind"), PLAYS)
def test_every_failure_of_a_provider_has_its_class(name, play, kind, adapter, stub):
    stub.play(play)

    error = failure(adapter, HELLO)

    assert (error.kind, error.provider) == (ErrorClass(kind), name)
    assert stub.taken == []
    assert adapter.send(HELLO).id, "afterwards it goes on"


@each
def test_every_failure_that_a_stub_can_play_is_played_here(name):
    assert {play for one, play, _ in PLAYS if one == name} == set(STUBS[name].failures)


@each
def test_clients_write_press_and_choose(name, adapter, stub):
    sent = adapter.send(HELLO)
    stub.take()
    ids = [
        stub.write(HELLO.to, "Quiero transferir «mi» servicio 🙂"),
        stub.press(HELLO.to, "stop", "No más", sent.id),
        stub.choose(HELLO.to, "row-1", "La primera"),
    ]

    found = [one for p in stub.take() for one in adapter.read(received(p, name))]

    assert [one.id for one in found] == ids
    assert [(one.kind, one.text, one.payload) for one in found] == [
        (InboundKind.TEXT, "Quiero transferir «mi» servicio 🙂", ""),
        (InboundKind.BUTTON, "No más", "stop"),
        (InboundKind.LIST, "La primera", "row-1"),
    ]
    assert found[1].reply_to == sent.id
    for one in found:
        assert isinstance(one, Inbound)
        assert (one.sender, one.number) == (HELLO.to, adapter.number)
        assert one.sent_at == now()


@each
def test_webhooks_of_the_provider_are_verified(name, adapter, stub):
    adapter.send(HELLO)
    stub.write(HELLO.to, "Hola 🙂 / \\ é")

    posted = stub.take()

    assert len(posted) == 3
    for one in posted:
        assert adapter.verify(received(one, name))


REFUSED = [
    ({"to": "+54123"}, "never"),
    ({"to": "5491155551234"}, "never"),
    ({"to": "+54 9 11 5555-1234"}, "never"),
    ({"text": " \n"}, "fix"),
    ({"text": "a" * 5000}, "fix"),
    ({"button": ("Ver", " ")}, "fix"),
]


@each
@pytest.mark.parametrize(("changed", "kind"), REFUSED)
def test_what_no_provider_takes_is_not_even_sent(name, changed, kind, adapter, stub):
    error = failure(adapter, replace(HELLO, **changed))

    assert error.kind is ErrorClass(kind)
    assert stub.asks == 0


@each
def test_health_tells_that_all_is_well(name, adapter, stub):
    stub.webhook = f"https://bridge.example/whatsapp/{name}"

    found = adapter.health()

    assert {one.level for one in found} == {"ok"}
    assert len(found) >= 2


@each
def test_health_tells_of_a_wrong_key_and_of_no_connection(name, stub, transport):
    secret = {"cloud": "TOKEN", "twilio": "AUTH_TOKEN"}.get(name, "KEY")
    with StubServer(stub) as server:
        wrong = provider(name, server.url, transport, **{secret: "another"})

        found = wrong.health()
    gone = provider(name, closed(), transport).health()

    assert [one.level for one in found] == ["error"]
    assert "not accepted" in found[0].what
    assert [one.level for one in gone] == ["error"]
    assert "no connection" in gone[0].what


@each
def test_health_tells_that_nothing_can_come_in_without_an_address(
    name, stub, transport
):
    with StubServer(stub) as server:
        found = provider(name, server.url, transport, public="").health()

    assert any("BRIDGE_PUBLIC_URL" in one.what for one in found)


@pytest.mark.parametrize("name", ["evolution", "waha"])
def test_health_tells_of_a_session_that_is_connected_but_dead(name, adapter, stub):
    stub.state = stub.status = "close"

    found = adapter.health()

    assert found[0].level == "error"
    assert "close" in found[0].what


@each
def test_a_setting_up_is_answered_by_the_one_who_asks(name, adapter):
    asked = {
        "hub.mode": "subscribe",
        "hub.verify_token": "demo-verify-token",
        "hub.challenge": "1158201444",
    }

    assert adapter.handshake(asked) == ("1158201444" if name == "cloud" else None)
    assert adapter.handshake(asked | {"hub.verify_token": "é"}) is None
    assert adapter.handshake(asked | {"hub.mode": "unsubscribe"}) is None
    assert adapter.handshake({}) is None


@each
def test_a_number_is_looked_up_where_the_gateway_knows_better(name, adapter, stub):
    stub.absent = {"5491155550000"}
    stub.chats = {"5491155551234": "123456789012345@lid"}
    known = {
        "evolution": "5491155551234@s.whatsapp.net",
        "waha": "123456789012345@lid",
    }

    found = adapter.check_number("+5491155551234")
    asks = stub.asks
    again = adapter.check_number("+5491155551234")

    assert found == again == known.get(name, "+5491155551234")
    assert stub.asks == asks, "the second one comes from memory"
    if name in known:
        assert adapter.check_number("+5491155550000") is None


def test_whose_number_was_asked_for_went_to_no_other_number(transport):
    contact = {"input": "AR.1349", "wa_id": "5491155551234", "user_id": "AR.1349"}
    answer = {"contacts": [contact], "messages": [{"id": "wamid.1"}]}
    with serving([{"status": 200, "json": answer}]) as script:
        adapter = provider("cloud", script.url, transport)
        receipt = adapter.send(replace(HELLO, to="AR.1349", asks=True))

    assert receipt.id == "wamid.1"
    assert "reached" not in receipt.detail
