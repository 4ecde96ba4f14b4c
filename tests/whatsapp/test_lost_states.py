"""A state whose webhook was lost is asked for, where the provider answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from conftest import Kit
from looking import job, rows

from bridge import upkeep, wiring
from bridge.demo.panel_example import ANA
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import AUTH_TOKEN, TwilioStub
from bridge.errors import ErrorClass, RemoteError
from bridge.settings import Secret, Settings
from bridge.store import book, tables, talk
from bridge.transport import Transport
from bridge.whatsapp import State
from bridge.whatsapp.phones import normalise
from tests.whatsapp.providers import GIVEN, NOW, PUBLIC, now, provider, serving


@pytest.fixture
def stub(kit: Kit):
    made = TwilioStub(kit.clock.now, webhook=f"{PUBLIC}/whatsapp/twilio")
    made.states = ("sent", "delivered")
    return made


@pytest.fixture
def twilio(kit: Kit, bridge_for, stub):
    """A kit whose messages go to a simulated Twilio; its callbacks are all lost."""
    with StubServer(stub) as server, Transport(pool=2, version="test") as transport:
        given = {k: v.format(url=server.url) for k, v in GIVEN["twilio"].items()}
        others = {key: Secret(text) for key, text in given.items()}
        settings = Settings(
            whatsapp_provider="twilio", public_url=PUBLIC, others=others
        )
        adapter = wiring.make_provider(settings, kit.clock.now, transport=transport)
        bridge = bridge_for(provider=adapter)
        outbox = type(kit.outbox)(kit.world, bridge.app(), kit.secret, instance="t")
        parts = {name: getattr(kit, name) for name in Kit.__dataclass_fields__}
        yield Kit(**parts | {"bridge": bridge, "outbox": outbox})


def alert(kit: Kit) -> None:
    """Ana is told of something; she wrote lately, so by free text."""
    client = kit.world.clients[ANA]
    number = normalise(client.phonenumber, client.country)
    at = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.wrote(db, number, at))
    kit.world.change_password(ANA)
    kit.work()


def ask(kit: Kit, **later: float) -> int:
    kit.clock.advance(timedelta(**later))
    return upkeep.ask_states(kit.bridge.bench)


def states(kit: Kit) -> list[str]:
    return [row.state for row in rows(kit.bridge.store, tables.messages)]


def test_a_state_that_nothing_told_is_asked_for_after_a_while(twilio, stub):
    alert(twilio)
    before = states(twilio)
    early = ask(twilio, minutes=14)

    assert (before, early) == (["accepted"], 0)
    assert ask(twilio, minutes=2) == 1
    assert states(twilio) == ["delivered"]
    assert ask(twilio, hours=6) == 0, "what arrived is not asked for"


def test_what_is_only_sent_is_asked_for_once_more_and_then_no_more(twilio, stub):
    stub.states = ("sent",)
    alert(twilio)

    asked = [ask(twilio, minutes=minutes) for minutes in (16, 10, 290, 10, 3000)]

    assert asked == [1, 0, 1, 0, 0]
    assert states(twilio) == ["sent"]


def test_a_failure_that_is_asked_for_is_settled_as_one_that_was_told(twilio, stub):
    stub.states = ()
    alert(twilio)
    stub.tell(stub.taken[0], "undelivered", 63024)
    ask(twilio, minutes=16)
    twilio.work()

    (row,) = rows(twilio.bridge.store, tables.messages)
    assert (row.state, row.error.split(":")[0]) == ("failed", "never 63024")
    assert job(twilio, "/failed").outcome["then"] == "nothing: he cannot be reached"


def test_where_the_provider_is_away_the_next_time_goes_on_there(twilio, stub):
    alert(twilio)
    stub.token = "another"
    with pytest.raises(RemoteError):
        ask(twilio, minutes=16)
    stub.token = AUTH_TOKEN

    assert ask(twilio, minutes=1) == 1
    assert states(twilio) == ["delivered"]


def test_what_the_provider_knows_no_more_holds_nothing_up(twilio, stub):
    alert(twilio)
    stub.taken.clear()

    assert [ask(twilio, minutes=16), ask(twilio, minutes=1)] == [1, 0]
    assert states(twilio) == ["accepted"]


def test_it_is_asked_at_the_rate_and_for_some_at_a_time(twilio, stub):
    row = dict.fromkeys(("name", "language", "text", "event_id"), "x")
    row |= {"provider": "twilio", "to": "+5491155551234", "states": []}
    row |= {"created_at": twilio.clock.now(), "state": "sent"}
    kept = [row | {"key": f"k{n}", "job_key": f"k{n}"} for n in range(51)]
    kept = [one | {"provider_id": f"SM{n}"} for n, one in enumerate(kept)]
    twilio.bridge.store.write(lambda db: book.sent(db, kept))
    turns = []
    twilio.bridge.bench.slow_down = lambda: turns.append(stub.asks)

    assert [ask(twilio, minutes=16), ask(twilio, minutes=1)] == [50, 1]
    assert ask(twilio, minutes=1) == 0
    assert turns == list(range(51))


def test_nothing_is_asked_of_a_provider_that_tells_everything_itself(talk_):
    asks = talk_.cloud.asks
    talk_.cloud.states = ()
    talk_.world.change_password(ANA)
    talk_.work()

    assert ask(talk_, hours=6) == 0
    assert talk_.cloud.asks == asks + 1, "the message itself"


def test_the_clock_asks_where_the_provider_answers(twilio, kit):
    asks = [one for one in twilio.bridge.schedule()._ticks() if one[0] == "lost states"]

    assert [seconds for _, _, seconds in asks] == [60]
    assert "lost states" not in [one[0] for one in kit.bridge.schedule()._ticks()]


# --- The adapter ---

SM = "SM" + "0" * 32
TOLD = {
    "sid": SM, "status": "delivered", "to": "whatsapp:+5491155551234",
    "error_code": None, "date_updated": "Sun, 22 Nov 2026 14:59:01 +0000",
}  # fmt: skip


def state_of(**answer):
    with serving([answer]) as script, Transport(pool=1, total=5.0) as transport:
        found = provider("twilio", script.url, transport).state_of(SM)
        (asked,) = script.asked
    assert (asked["method"], asked["path"].rpartition("/")[2]) == ("GET", f"{SM}.json")
    return found


def test_a_message_of_twilios_tells_its_state_and_when_that_was():
    found = state_of(status=200, json=TOLD)

    assert (found.provider_id, found.state) == (SM, State.DELIVERED)
    assert (found.to, found.tag) == ("+5491155551234", "")
    assert found.at == datetime(2026, 11, 22, 14, 59, 1, tzinfo=UTC)


def test_a_message_of_twilios_tells_why_it_failed():
    found = state_of(status=200, json=TOLD | {"status": "failed", "error_code": 63016})

    assert (found.state, found.code) == (State.FAILED, "63016")
    assert found.kind is ErrorClass.AS_TEMPLATE


@pytest.mark.parametrize(
    "at", [None, "", "yesterday", "Sun, 22 Nov 2026 14:59:01", "2099-01-01", 7]
)
def test_a_state_without_a_time_that_can_be_is_one_of_now(at):
    assert state_of(status=200, json=TOLD | {"date_updated": at}).at == NOW == now()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "json": TOLD | {"sid": "SM" + "1" * 32}},
        {"status": 200, "json": TOLD | {"status": "unheard of"}},
        {"status": 200, "json": []},
        {"status": 404, "json": {"code": 20404, "message": "not found"}},
    ],
    ids=["another", "no-state", "a-list", "unknown"],
)
def test_an_answer_about_no_message_of_ours_tells_nothing(answer):
    assert state_of(**answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401, "json": {"code": 20003, "message": "Authenticate"}},
        {"status": 503, "text": "<html>"},
        {"status": 429, "json": {"code": 20429}},
    ],
    ids=["login", "down", "rate"],
)
def test_an_answer_that_is_none_raises(answer):
    with pytest.raises(RemoteError):
        state_of(**answer)
