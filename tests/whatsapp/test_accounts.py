"""Numbers, sessions and addresses: what an adapter finds out besides sending."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.evolution import WEBHOOK_TOKEN, EvolutionStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.demo.whatsapp.waha import WahaStub
from bridge.errors import ErrorClass, SendError
from bridge.transport import Answer, Transport
from bridge.whatsapp import Health, SessionNotice
from bridge.whatsapp.baileys import Addresses
from tests.whatsapp.providers import HELLO, NOW, now, provider, received, serving

NUMBER = {
    "verified_name": "Demo", "quality_rating": "GREEN", "status": "CONNECTED",
    "messaging_limit_tier": "TIER_2K", "throughput": {"level": "STANDARD"},
    "webhook_configuration": {"application": "https://bridge.example/whatsapp/cloud"},
}  # fmt: skip
APPS = {"data": [{"whatsapp_business_api_data": {"id": "1"}}]}


@pytest.fixture
def transport():
    with Transport(pool=2, total=5.0) as one:
        yield one


@pytest.mark.parametrize(
    ("number", "apps", "level", "said"),
    [
        ({"status": "FLAGGED"}, APPS, "error", "number of Demo: FLAGGED"),
        ({"quality_rating": "YELLOW"}, APPS, "warning", "quality YELLOW"),
        ({"quality_rating": "RED"}, APPS, "error", "quality RED"),
        ({"webhook_configuration": {}}, APPS, "error", "no webhook address"),
        (
            {"webhook_configuration": {"application": "https://other.example"}},
            APPS,
            "warning",
            "webhooks go elsewhere",
        ),
        ({}, {"data": []}, "error", "no app is subscribed"),
        ({}, None, "error", "no app is subscribed"),
    ],
)
def test_what_is_wrong_with_a_number_is_told(number, apps, level, said, transport):
    answers = [{"status": 200, "json": NUMBER | number}, {"status": 200, "json": apps}]
    with serving(answers) as script:
        found = provider("cloud", script.url, transport).health()

    (odd,) = [one for one in found if one.level != "ok"]
    assert odd.level == level
    assert odd.what.startswith(said)


def test_the_address_of_the_number_goes_before_that_of_the_app(transport):
    hooks = {
        "phone_number": "https://other.example",
        "application": "https://bridge.example/whatsapp/cloud",
    }
    known = {"status": 200, "json": NUMBER | {"webhook_configuration": hooks}}
    with serving([known, {"status": 200, "json": APPS}]) as script:
        found = provider("cloud", script.url, transport).health()

    assert [one.level for one in found if one.level != "ok"] == ["warning"]


def test_an_answer_to_a_question_that_is_no_json_is_told(transport):
    with serving([{"status": 200, "text": "<html>"}]) as script:
        found = provider("cloud", script.url, transport).health()

    assert found == [Health("error", "HTTP 200: the answer is no JSON")]


def test_a_closed_account_of_twilio_is_told(transport):
    with serving([{"status": 200, "json": {"status": "suspended"}}]) as script:
        found = provider("twilio", script.url, transport).health()

    assert found[0] == Health(
        "error", "the login is accepted, the account is suspended"
    )


@pytest.mark.parametrize("name", ["evolution", "waha"])
def test_callbacks_that_go_elsewhere_are_told(name, transport):
    stub = {"evolution": EvolutionStub, "waha": WahaStub}[name](now)
    stub.webhook = "https://other.example/whatsapp"
    with StubServer(stub) as server:
        found = provider(name, server.url, transport).health()

    assert [one.level for one in found] == ["ok", "warning"]
    assert found[1].what.endswith(f"https://bridge.example/whatsapp/{name}")


@pytest.mark.parametrize(
    ("name", "events", "missing"),
    [
        ("evolution", ["MESSAGES_UPDATE", "CONNECTION_UPDATE"], "MESSAGES_UPSERT"),
        ("waha", ["message", "session.status"], "message.ack"),
        ("waha", ["message.any", "message.ack", "session.status"], ""),
        ("waha", ["*"], ""),
        ("evolution", None, ""),
    ],
)
def test_events_that_do_not_come_in_are_told(name, events, missing, transport):
    stub = {"evolution": EvolutionStub, "waha": WahaStub}[name](now)
    stub.webhook, stub.events = f"https://bridge.example/whatsapp/{name}", events
    with StubServer(stub) as server:
        found = provider(name, server.url, transport).health()

    assert [one.level for one in found] == ["ok", "error" if missing else "ok"]
    assert missing in found[1].what


def test_an_address_for_each_event_is_told_since_nobody_hears_there(transport):
    stub = EvolutionStub(now)
    stub.webhook, stub.by_events = "https://bridge.example/whatsapp/evolution", True
    with StubServer(stub) as server:
        found = provider("evolution", server.url, transport).health()

    assert [one.level for one in found] == ["ok", "error"]
    assert "byEvents" in found[1].what


@pytest.mark.parametrize(
    ("headers", "level"),
    [
        (None, "error"),
        ({}, "error"),
        ({"X-Bridge-Token": "another"}, "error"),
        ({"x-bridge-token": WEBHOOK_TOKEN}, "ok"),
        ({"jwt_key": WEBHOOK_TOKEN}, "ok"),
    ],
)
def test_callbacks_without_our_token_are_told(headers, level, transport):
    stub = EvolutionStub(now)
    stub.webhook = "https://bridge.example/whatsapp/evolution"
    stub.headers = headers
    with StubServer(stub) as server:
        found = provider("evolution", server.url, transport).health()

    assert found[1].level == level
    assert ("refused" in found[1].what) is (level == "error")
    assert WEBHOOK_TOKEN not in str(found)


def test_a_messaging_service_stands_in_place_of_a_number(transport):
    stub = TwilioStub(now)
    service = "MG" + "0b" * 16
    with StubServer(stub) as server:
        provider("twilio", server.url, transport, FROM=service).send(HELLO)

    assert (len(stub.taken), stub.refused) == (1, [])


def test_without_a_public_address_twilio_returns_no_tag(transport):
    stub = TwilioStub(now)
    with StubServer(stub) as server:
        adapter = provider("twilio", server.url, transport, public="")
        adapter.send(HELLO)

    assert not adapter.tags
    assert stub.take() == []


@pytest.mark.parametrize("kind", [CloudStub, TwilioStub])
def test_a_message_without_a_tag_goes_too(kind, transport):
    name = kind.__name__.removesuffix("Stub").lower()
    stub = kind(now)
    with StubServer(stub) as server:
        adapter = provider(name, server.url, transport)
        adapter.send(replace(HELLO, tag=""))

    (first, _) = [n for p in stub.take() for n in adapter.read(received(p, name))]
    assert first.tag == ""


def test_people_who_hide_their_number_are_known_by_another_identity(transport):
    cloud, waha = CloudStub(now), WahaStub(now)
    waha.chats = {"5491155551234": "123456789012345@lid"}
    cloud.write(HELLO.to, "Hola", hidden=True)
    waha.write("", "Hola", lid="123456789012345")
    with StubServer(waha) as server:
        by_waha = provider("waha", server.url, transport)

        (one,) = provider("cloud", "http://127.0.0.1:1", None).read(
            received(cloud.take()[0], "cloud")
        )
        (other,) = by_waha.read(received(waha.take()[0], "waha"))
        found = by_waha.find_number(other.user)
        unknown = by_waha.find_number("999@lid")

    assert (one.sender, one.user[:3]) == (None, "AR.")
    assert (other.sender, found, unknown) == (None, HELLO.to, None)


@pytest.mark.parametrize(
    ("kind", "gone", "back"),
    [(EvolutionStub, "close", "open"), (WahaStub, "FAILED", "WORKING")],
)
def test_a_session_that_ends_sends_nothing_and_is_told(kind, gone, back, transport):
    name = kind.__name__.removesuffix("Stub").lower()
    stub = kind(now)
    with StubServer(stub) as server:
        adapter = provider(name, server.url, transport)
        stub.connect(gone)
        with pytest.raises(SendError) as caught:
            adapter.send(HELLO)
        stub.connect(back)
        adapter.send(HELLO)
        told = [n for p in stub.take() for n in adapter.read(received(p, name))][:2]

    wanted = ErrorClass.UNSURE if name == "evolution" else ErrorClass.HALT
    assert caught.value.kind is wanted
    assert told == [SessionNotice(gone, False), SessionNotice(back, True)]


def test_the_consent_and_reviews_of_meta_are_read():
    stub = CloudStub(now)
    stub.templates.add("aviso", "es", "Hola.")
    stub.prefer(HELLO.to, "stop")
    stub.review("aviso", "es", "PAUSED")
    adapter = provider("cloud", "http://127.0.0.1:1", None)

    wish, review = [n for p in stub.take() for n in adapter.read(received(p, "cloud"))]

    assert (wish.sender, wish.value) == (HELLO.to, "stop")
    assert (review.name, review.status, review.reason) == ("aviso", "PAUSED", "")


def test_an_address_is_kept_for_a_day_and_the_oldest_makes_room():
    clock = [NOW]
    known = Addresses(lambda: clock[0], most=2)
    for number in ("1", "2", "3"):
        known.put(number, f"{number}@c.us")

    assert [known.get(number) for number in "123"] == [None, "2@c.us", "3@c.us"]
    clock[0] += timedelta(hours=25)
    assert known.get("3") is None


def test_a_number_is_not_looked_up_twice_by_waha(transport):
    stub = WahaStub(now)
    with StubServer(stub) as server:
        adapter = provider("waha", server.url, transport)
        adapter.send(HELLO)
        first = stub.asks
        adapter.send(HELLO)

    assert (first, stub.asks) == (2, 3)


class Gone:
    """A transport that refuses the address itself, before anything is sent."""

    def send(self, call, **how):
        from bridge.errors import Reason, RemoteError

        raise RemoteError("x", Reason.REFUSED, "no such address", sent=False)


@pytest.mark.parametrize("name", ["cloud", "twilio", "evolution", "waha"])
def test_an_address_that_may_not_be_called_halts(name):
    with pytest.raises(SendError) as caught:
        provider(name, "http://127.0.0.1:1", Gone()).send(HELLO)

    assert caught.value.kind is ErrorClass.HALT


def test_a_simulated_provider_posts_by_itself_until_it_is_taken():
    stub, seen, twice = CloudStub(now), [], threading.Event()

    def door(environ, start):
        seen.append(environ["HTTP_X_HUB_SIGNATURE_256"])
        start("503 Busy" if len(seen) == 1 else "200 OK", [])
        if len(seen) == 2:
            twice.set()
        return [b""]

    stub.write(HELLO.to, "Hola")
    with StubServer(stub, webhook=(door, "/whatsapp/cloud")):
        assert twice.wait(5)

    assert len(set(seen)) == 1
    assert stub.take() == []


def test_a_refusal_without_words_is_a_sentence():
    adapter = provider("evolution", "http://127.0.0.1:1", None)

    assert str(adapter.refusal(Answer(418))) == (
        "evolution: fix: the gateway refused it (HTTP 418)"
    )
