"""`notify test`, and what `doctor` finds at our own public address."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from bridge.commands.notifying import webhook
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.evolution import EvolutionStub
from bridge.demo.whatsapp.server import StubServer
from bridge.errors import Reason, RemoteError
from bridge.store import talk
from bridge.store.recipients import DAY
from bridge.transport import Answer
from tests.shells import cloud_shell, failing, of_json

TO = "+5491155551234"
GATEWAY = {"URL": "", "KEY": "demo-apikey", "INSTANCE": "ventas"}


@pytest.fixture
def stub():
    return CloudStub()


@pytest.fixture
def cloud(shell, stub, monkeypatch):
    with cloud_shell(shell, stub, monkeypatch) as ready:
        yield ready


def notify(shell, *words, status=0):
    return shell("notify", "test", "--to", TO, *words, status=status)


# --- notify test ---


def test_to_who_wrote_lately_it_is_free_text(cloud, stub, kit):
    kit.bridge.store.write(lambda db: talk.wrote(db, TO, kit.clock.now()))

    found = of_json(notify(cloud, "--json"))

    (taken,) = stub.taken
    assert (taken.to, taken.template) == (TO, "")
    assert (found["form"], found["state"], found["id"]) == (
        "free",
        "accepted",
        taken.id,
    )


def test_to_a_stranger_it_is_an_approved_template(cloud, stub):
    stub.templates.add("hello_world", "en_US", "Hello World")

    found = of_json(notify(cloud, "--json"))

    (taken,) = stub.taken
    assert (taken.template, taken.language) == ("hello_world", "en_US")
    assert found["form"] == "template hello_world (en_US)"


def test_a_text_of_ours_goes_with_made_up_data(cloud, stub):
    cloud("templates", "push", "--name", "invoice_created")
    for name, language in stub.templates.kept:
        stub.review(name, language, "APPROVED")

    notify(cloud, "--message", "invoice_created")

    (taken,) = stub.taken
    assert (taken.template, taken.language) == ("invoice_created", "es")
    assert taken.values[:2] == ("Ana", "A-1234")
    assert stub.refused == []


def test_it_is_found_among_the_templates_of_other_texts(cloud, stub):
    cloud("templates", "push", "--name", "invoice_created", "--name", "welcome")
    for name, language in stub.templates.kept:
        stub.review(name, language, "APPROVED")

    notify(cloud, "--message", "invoice_created")

    (taken,) = stub.taken
    assert (taken.template, taken.language) == ("invoice_created", "es")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "Error: no template is approved: "),
        (("--message", "welcome"), 'Error: the template "welcome" is not approved: '),
    ],
)
def test_without_an_approved_template_it_says_what_to_do(cloud, stub, more, says):
    result = notify(cloud, *more, status=1)

    assert f"{says}`whmcs-bridge templates push`" in result.output
    assert stub.taken == []


def test_by_template_it_is_one_of_the_days_people(cloud, stub, kit):
    stub.templates.add("hello_world", "en_US", "Hello World")

    told = [notify(cloud).stderr for _ in range(2)]

    with kit.bridge.store.read() as db:
        counted = talk.reached(db, "cloud", kit.clock.now() - DAY)
    assert list(counted) == [TO]
    assert ["1 of 2000 people a day were written to" in one for one in told] == [
        True,
        True,
    ]


def test_free_text_is_none_of_the_days_people(cloud, kit):
    kit.bridge.store.write(lambda db: talk.wrote(db, TO, kit.clock.now()))

    notify(cloud)

    with kit.bridge.store.read() as db:
        assert talk.reached(db, "cloud", kit.clock.now() - DAY) == {}


def test_what_says_something_else_than_its_text_is_not_sent(cloud, stub):
    stub.templates.add("welcome", "es", "Hola {{1}}, bienvenido a {{2}}.")

    result = notify(cloud, "--message", "welcome", status=1)

    assert 'the template "welcome" says something else than its text' in result.output
    assert "whmcs-bridge templates push" in result.output
    assert stub.taken == []


def test_another_approved_one_that_says_its_text_stands_in(cloud, stub):
    cloud("templates", "push", "--name", "invoice_created", "--language", "es")
    stub.review("invoice_created", "es", "APPROVED")
    stub.templates.add("welcome", "es", "Hola {{1}}, bienvenido a {{2}}.")

    notify(cloud)

    assert [one.template for one in stub.taken] == ["invoice_created"]


def test_a_number_that_is_not_there_is_tried_once_in_its_other_form(cloud, stub):
    stub.templates.add("hello_world", "en_US", "Hello World")
    stub.play("bad_number")

    found = of_json(notify(cloud, "--json"))

    (taken,) = stub.taken
    assert (taken.to, found["to"], found["state"]) == ("+541155551234", TO, "accepted")


def test_what_the_provider_refuses_ends_with_one(cloud, stub):
    stub.templates.add("hello_world", "en_US", "Hello World")
    stub.play("payment")

    result = notify(cloud, status=1)

    assert "131042" in result.output


def test_a_provider_that_is_away_ends_with_four(shell, monkeypatch):
    monkeypatch.setenv("WHATSAPP_PROVIDER", "evolution")
    for name, value in (GATEWAY | {"URL": "http://127.0.0.1:9"}).items():
        monkeypatch.setenv(f"WHATSAPP_EVOLUTION_{name}", value)

    assert failing("notify", "test", "--to", TO) == 4


def test_a_gateway_gets_free_text(shell, monkeypatch):
    with StubServer(stub := EvolutionStub()) as server:
        monkeypatch.setenv("WHATSAPP_PROVIDER", "evolution")
        for name, value in (GATEWAY | {"URL": server.url}).items():
            monkeypatch.setenv(f"WHATSAPP_EVOLUTION_{name}", value)

        notify(shell)

    assert "test message" in stub.taken[0].text


def test_a_dry_run_sends_nothing(cloud, stub):
    result = notify(cloud, "--dry-run")

    assert f"would send to {TO} through cloud" in result.output
    assert stub.taken == []


def test_a_dry_run_answers_as_json_too(cloud, stub, monkeypatch):
    asked = of_json(notify(cloud, "--dry-run", "--json"))
    monkeypatch.setenv("BRIDGE_DRY_RUN", "true")
    by_setting = of_json(notify(cloud, "--json"))

    assert asked == {"to": TO, "provider": "cloud", "state": "dry run"} == by_setting
    assert stub.taken == []


# --- The public address ---


@dataclass
class Line:
    """A transport that hands out one answer."""

    answer: object

    def send(self, call, **_):
        self.url = call.url
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(call) if callable(self.answer) else self.answer


def provider(name, question=False):
    def ask(challenge):
        return {"hub.challenge": challenge} if question else {}

    return SimpleNamespace(name=name, question=ask)


def problem(status, title):
    return Answer(status, {}, f'{{"title": "{title}"}}'.encode())


def echo(call):
    return Answer(200, {}, call.url.partition("hub.challenge=")[2].encode())


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (echo, "ok", "answers and is verified: enter it"),
        (Answer(200, {}, b"<html>"), "error", "answers HTTP 200, and not as"),
        (problem(403, "Not verified"), "error", "another verify token"),
        (problem(404, "Unknown provider"), "error", "another provider"),
        (
            RemoteError("bridge", Reason.UNREACHABLE, "nobody listens"),
            "warning",
            "nobody listens",
        ),
    ],
    ids=["verified", "not ours", "another token", "another provider", "away"],
)
def test_the_address_is_asked_as_the_vendor_would(answer, level, said):
    line = Line(answer)

    found = webhook("https://bridge.example/", provider("cloud", True), line)

    assert (found.level, said in found.what) == (level, True)
    assert found.what.startswith("https://bridge.example/whatsapp/cloud")
    assert "hub.challenge" not in found.what


def test_where_there_is_no_handshake_its_refusal_shows_that_it_is_ours():
    line = Line(problem(403, "Not verified"))

    found = webhook("https://bridge.example", provider("waha"), line)

    assert found.level == "ok"
    assert "enter it at the vendor" in found.what
    assert line.url == "https://bridge.example/whatsapp/waha"


def test_doctor_names_the_address_and_counts_the_approved(cloud, stub, monkeypatch):
    monkeypatch.setenv("BRIDGE_PUBLIC_URL", "http://127.0.0.1:9")
    stub.webhook = "http://127.0.0.1:9/whatsapp/cloud"

    found = of_json(cloud("doctor", "--json"))

    told = [one["what"] for one in found if one["about"] == "whatsapp"]
    assert any(one.startswith("0 of ") and "templates list" in one for one in told)
    assert any("http://127.0.0.1:9/whatsapp/cloud cannot" in one for one in told)


def test_doctor_warns_of_a_gateway(shell, monkeypatch):
    with StubServer(EvolutionStub()) as server:
        monkeypatch.setenv("WHATSAPP_PROVIDER", "evolution")
        for name, value in (GATEWAY | {"URL": server.url}).items():
            monkeypatch.setenv(f"WHATSAPP_EVOLUTION_{name}", value)

        found = of_json(shell("doctor", "--json"))

    told = [one["what"] for one in found if one["about"] == "whatsapp"]
    assert any("may ban the number" in one for one in told)
    assert any("session is open" in one for one in told)
