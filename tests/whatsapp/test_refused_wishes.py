"""What a provider tells of a person's wishes by a code is noted, and ends of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from looking import job, rows

from bridge import upkeep, wiring
from bridge.commands.events import describe
from bridge.demo.panel_billing import Line
from bridge.demo.panel_example import ANA
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.settings import Secret, Settings
from bridge.store import Store, tables, talk, wishes
from bridge.transport import Transport
from bridge.whatsapp.phones import normalise
from tests.whatsapp.providers import GIVEN, PUBLIC
from tests.whatsapp.talking import fail

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
ANOTHER, WRITTEN = "+5491140009999", "+54.91140009999"
INVOICE = "      message: invoice_created\n"


def bill(kit: Any) -> None:
    kit.world.create_invoice(ANA, [Line("Trabajo", Decimal(10))])
    kit.work()
    kit.advance(seconds=7)


def secure(kit: Any) -> None:
    """Something happens to Ana that she is told of in any case."""
    kit.world.change_password(ANA)
    kit.work()
    kit.advance(seconds=7)


def reason(kit: Any) -> str:
    """Return why the newest event came to what it did, as `events show` says it."""
    found = describe(kit.bridge.store, kit.events()[0].id)
    assert found is not None
    return str(found["reason"])


def mails(kit: Any) -> list[int]:
    return [client for _, client in kit.world.mails]


def unreachable(kit: Any) -> bool:
    return any(row.unreachable_at for row in rows(kit.bridge.store, tables.contacts))


# --- Meta: no marketing ---


@pytest.fixture
def advertising(wired, config_with) -> Callable[[str], Any]:
    """Return what wires a bridge whose invoices are told in a text of a category."""

    def make(category: str) -> Any:
        fallback = f"{INVOICE}      fallback: email\n"
        config = config_with((INVOICE, fallback), own=("invoice_created",))
        for text in config.glob("messages/*/invoice_created.txt"):
            said = text.read_text("utf-8").replace("category: utility", "category: X")
            text.write_text(said.replace("category: X", f"category: {category}"))
        kit = wired(config_dir=config)
        now = kit.clock.now()
        number = kit.number(ANA)
        kit.bridge.store.write(lambda db: talk.wrote(db, number, now))
        kit.cloud.states = ()
        return kit

    return make


def refused(kit: Any, *, later: bool) -> None:
    """Meta says of the next alert that she stopped marketing, at once or later."""
    if not later:
        kit.cloud.play("opted_out")
    bill(kit)
    if later:
        fail(kit, 131050)
        kit.work()


def no_marketing(kit: Any) -> bool:
    with kit.bridge.store.read() as db:
        return bool(talk.contact(db, kit.number(ANA)).no_marketing)


@pytest.mark.parametrize("later", [False, True])
def test_who_stopped_marketing_gets_none_in_any_way_and_all_the_rest(
    advertising, later
):
    kit = advertising("marketing")
    refused(kit, later=later)
    asked = kit.cloud.asks
    bill(kit)
    why = reason(kit)
    secure(kit)

    assert no_marketing(kit)
    assert "client 1 stopped marketing in WhatsApp itself" in why
    assert kit.cloud.asks == asked + 1
    assert kit.texts[-1] == "password_changed"
    assert (mails(kit), unreachable(kit)) == ([], False)


@pytest.mark.parametrize("later", [False, True])
def test_an_alert_that_meta_takes_for_marketing_goes_the_second_way(advertising, later):
    kit = advertising("utility")
    refused(kit, later=later)
    asked = kit.cloud.asks
    bill(kit)

    assert no_marketing(kit)
    assert (mails(kit), unreachable(kit)) == ([ANA], False)
    assert kit.cloud.asks == asked + 1  # the next one is tried as ever


def test_who_took_marketing_up_since_the_state_gets_it(advertising):
    kit = advertising("marketing")
    bill(kit)
    kit.cloud.tell(kit.cloud.taken[-1], "failed", 131050)
    late = kit.cloud.take()
    kit.clock.advance(timedelta(minutes=1))
    kit.cloud.prefer(kit.number(ANA), "resume")
    kit.tell()
    for hook in late:
        told = {"data": hook.body, "headers": dict(hook.headers)}
        assert kit.client().post("/whatsapp/cloud", **told).status_code == 200
    kit.work()

    assert not no_marketing(kit)
    assert job(kit, "/failed").outcome["then"] == "nothing: he does not want it"


# --- Twilio: nothing at all ---


@dataclass
class Twilio(Kit):
    """A kit whose messages go to a simulated Twilio."""

    stub: TwilioStub

    @property
    def number(self) -> str:
        """Ana's telephone as the bridge writes it."""
        found = self.world.clients[ANA]
        return str(normalise(found.phonenumber, found.country))

    def tell(self) -> None:
        """Post what Twilio has to say, and run what is due."""
        for hook in self.stub.take():
            path = "/whatsapp/twilio" + (f"?{hook.query}" if hook.query else "")
            told = {"data": hook.body, "headers": dict(hook.headers)}
            assert self.client().post(path, **told).status_code == 200
        self.work()
        self.bridge.bench.consents.forget()

    def writes(self, text: str) -> None:
        """Ana writes."""
        self.stub.write(self.number, text)
        self.tell()
        self.advance(seconds=7)

    @property
    def texts(self) -> list[str]:
        """The names of the texts that went out."""
        found = rows(self.bridge.store, tables.messages)
        return [row.name for row in sorted(found, key=lambda row: row.created_at)]


@pytest.fixture
def twilio(kit, bridge_for, config_with) -> Iterator[Callable[..., Twilio]]:
    stub = TwilioStub(kit.clock.now)
    transport = Transport(pool=4, version="test")
    with StubServer(stub) as server:

        def make(*changes: tuple[str, str]) -> Twilio:
            given = {k: v.format(url=server.url) for k, v in GIVEN["twilio"].items()}
            others = {key: Secret(text) for key, text in given.items()}
            settings = Settings(
                whatsapp_provider="twilio", public_url=PUBLIC, others=others
            )
            adapter = wiring.make_provider(settings, kit.clock.now, transport=transport)
            bridge = bridge_for(provider=adapter, config_dir=config_with(*changes))
            parts = {name: getattr(kit, name) for name in Kit.__dataclass_fields__}
            outbox = type(kit.outbox)(kit.world, bridge.app(), kit.secret, instance="t")
            made = Twilio(**parts | {"bridge": bridge, "outbox": outbox}, stub=stub)
            while upkeep.index_phones(bridge.bench):
                pass
            stub.states = ()
            now, number = kit.clock.now(), made.number
            bridge.store.write(lambda db: talk.wrote(db, number, now))
            bridge.store.write(lambda db: talk.wrote(db, ANOTHER, now))
            return made

        yield make
    transport.close()


def blocked(kit: Twilio, *, later: bool) -> None:
    """Ana blocked us, which Twilio says of the next alert, at once or later."""
    if not later:
        kit.stub.play("opted_out")
    bill(kit)
    if later:
        kit.stub.tell(kit.stub.taken[-1], "undelivered", 63014)
        kit.tell()


@pytest.mark.parametrize(("later", "code"), [(False, 21610), (True, 63014)])
def test_whom_the_provider_says_to_be_stopped_is_not_tried_again(twilio, later, code):
    kit = twilio((INVOICE, f"{INVOICE}      fallback: email\n"))
    blocked(kit, later=later)
    asked = kit.stub.asks
    for _ in range(3):
        bill(kit)

    assert kit.stub.asks == asked
    told = f"wants no alerts (told by the provider: twilio {code}, 2026-11-02)"
    assert reason(kit) == f"client 1 {told}"
    assert (mails(kit), unreachable(kit)) == ([], False)


@pytest.mark.parametrize("later", [False, True])
def test_he_gets_alerts_again_when_he_writes_start(twilio, later):
    kit = twilio()
    blocked(kit, later=later)
    kit.advance(minutes=1)
    kit.writes("ALTA ALERTAS")
    bill(kit)

    assert kit.texts[-2:] == ["inbound_started", "invoice_created"]


@pytest.mark.parametrize("state", ["delivered", "read"])
def test_or_when_the_provider_lets_him_through(twilio, state):
    kit = twilio()
    blocked(kit, later=False)
    kit.advance(minutes=1)
    secure(kit)
    bill(kit)
    before = list(kit.texts)
    kit.stub.tell(kit.stub.taken[-1], state)
    kit.tell()
    bill(kit)

    assert before == ["password_changed"]
    assert kit.texts == ["password_changed", "invoice_created"]


def test_what_was_sent_before_proves_nothing(twilio):
    kit = twilio()
    bill(kit)
    kit.advance(minutes=1)
    blocked(kit, later=False)
    kit.stub.tell(kit.stub.taken[0], "delivered")
    kit.tell()
    bill(kit)

    assert kit.texts == ["invoice_created"]


def test_his_own_word_is_not_undone_by_what_is_let_through(twilio):
    kit = twilio()
    blocked(kit, later=False)
    kit.advance(minutes=1)
    kit.writes("STOP")
    secure(kit)
    kit.stub.tell(kit.stub.taken[-1], "delivered")
    kit.tell()
    bill(kit)

    assert kit.texts == ["inbound_stopped", "password_changed"]
    assert "client 1 wants no alerts (stop, " in reason(kit)


def test_nor_is_it_replaced_by_what_the_provider_tells(twilio):
    kit = twilio()
    kit.writes("STOP")
    kit.stub.play("opted_out")
    secure(kit)
    bill(kit)

    assert "client 1 wants no alerts (stop, " in reason(kit)


@pytest.mark.parametrize("later", [False, True])
def test_an_urgent_alert_goes_the_second_way(twilio, later):
    rule = "      message: password_changed\n      urgent: true # no espera las"
    kit = twilio((rule, rule.replace("urgent", "fallback: email\n      urgent")))
    if not later:
        kit.stub.play("opted_out")
    secure(kit)
    if later:
        kit.stub.tell(kit.stub.taken[-1], "failed", 21610)
        kit.tell()

    assert (mails(kit), unreachable(kit)) == ([ANA], False)


def test_it_is_the_number_that_blocked_us_and_not_the_client(twilio):
    kit = twilio()
    blocked(kit, later=False)
    with kit.world.muted():
        kit.world.edit_client(ANA, phonenumber=WRITTEN)
    bill(kit)

    assert [one.to for one in kit.stub.taken] == [ANOTHER]


def test_a_state_of_another_number_notes_nothing_of_his(twilio):
    kit = twilio()
    bill(kit)
    kit.stub.elsewhere = "+5491150007777"
    kit.stub.tell(kit.stub.taken[-1], "undelivered", 63014)
    kit.stub.elsewhere = ""
    kit.tell()
    bill(kit)

    assert kit.texts == ["invoice_created"] * 2


# --- In the store ---


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.mark.parametrize(("minutes", "stops"), [(-1, False), (1, True)])
def test_a_start_that_is_later_than_the_refusal_stands(store, minutes, stops):
    at = NOW + timedelta(minutes=minutes)
    store.write(lambda db: talk.word(db, ANOTHER, "start", False, NOW))
    store.write(lambda db: wishes.refused(db, ANOTHER, "twilio 63014", at))

    with store.read() as db:
        assert (talk.contact(db, ANOTHER).opted_out_at is not None) is stops


def test_a_stop_that_he_wrote_before_the_refusal_counts_when_it_comes(store):
    store.write(lambda db: wishes.refused(db, ANOTHER, "twilio 63014", NOW))
    at = NOW - timedelta(minutes=1)
    assert store.write(lambda db: talk.word(db, ANOTHER, "stop", True, at, "e1"))

    with store.read() as db:
        found = talk.contact(db, ANOTHER)
        assert talk.stopped(db) == {ANOTHER: (at, "stop")}
    assert (found.opted_at, found.opted_event) == (at, "e1")
