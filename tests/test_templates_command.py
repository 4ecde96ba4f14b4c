"""`templates list` and `push`, over a simulated Cloud API and Twilio."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bridge.commands.comparing import compare, draft_of, in_use
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import AUTH_TOKEN, SENDER, SID, TwilioStub
from bridge.hookmap import load_map
from bridge.samplefields import examples
from bridge.store import talk
from tests.conftest import CONFIG
from tests.shells import cloud_shell, failing, of_json

TODAY = date(2026, 11, 2)
LANGUAGES = ("en", "es", "pt_BR")


@pytest.fixture(scope="module")
def hookmap():
    return load_map(CONFIG)


@pytest.fixture
def stub():
    return CloudStub()


@pytest.fixture
def cloud(shell, stub, monkeypatch):
    with cloud_shell(shell, stub, monkeypatch) as ready:
        yield ready


def approve(stub, *, but=()):
    for name, language in stub.templates.kept:
        if (name, language) not in but:
            stub.review(name, language, "APPROVED")


# --- Which texts, and what is submitted of them ---


def test_the_texts_in_use_are_those_of_rules_steps_and_the_bridge(hookmap):
    found = in_use(hookmap)

    rules = {"invoice_created", "quote_available", "quote_available_undated"}
    steps = {"cancellation_scheduled"}
    own = {"several", "inbound_reply", "upgrade_done"}
    assert rules | steps | own <= found
    assert not {name for name in found if name.startswith("refusal_")}
    assert found <= hookmap.texts.names()


def test_every_text_in_use_has_a_template_form_in_every_language(hookmap):
    lines = compare(hookmap, [], TODAY)

    assert {line.state for line in lines} == {"missing"}
    assert len(lines) == len(in_use(hookmap)) * len(LANGUAGES)
    assert all(all(line.draft.examples) for line in lines)


def test_examples_are_invented_and_the_companys_own_words_are_real(hookmap):
    text = hookmap.texts.text("invoice_created", "es")

    made = draft_of(text, hookmap, TODAY)

    assert made.examples == ("Ana", "A-1234", "100,00 ARS", "14/05/2026")
    assert made.url == f"{hookmap.company.client_area}/{{{{1}}}}"
    assert made.url_example.endswith("/viewinvoice.php?id=1234")


def test_a_button_that_leads_everybody_to_the_same_page_needs_no_place(hookmap):
    text = hookmap.texts.text("inbound_reply", "es")

    made = draft_of(text, hookmap, TODAY)

    assert (made.url, made.url_example) == (hookmap.company.client_area, "")


def test_a_field_that_only_the_hook_knows_gets_an_example_of_its_filters_kind(hookmap):
    from bridge.placeholders import split

    source = "Pedido de {{ event.amount | money }} del {{ event.day | date }} listo."
    text = replace(
        hookmap.texts.text("welcome", "es"), parts=tuple(split(source)[0]), url=()
    )

    found = examples(text, hookmap.company, TODAY)["event"].fields()

    assert (str(found["amount"]), found["day"]) == ("100.00", TODAY)


# --- list ---


def test_a_fresh_account_misses_every_text(cloud):
    result = cloud("templates", "list", "--json", status=1)

    found = of_json(result)
    assert {row["state"] for row in found} == {"missing"}
    assert {row["language"] for row in found} == set(LANGUAGES)


def test_approved_rejected_paused_and_changed_are_told_apart(cloud, stub):
    cloud("templates", "push", "--name", "welcome", "--name", "invoice_created")
    approve(stub)
    stub.review("welcome", "en", "REJECTED", "INVALID_FORMAT")
    stub.review("welcome", "pt_BR", "PAUSED")
    stub.templates.kept["invoice_created", "es"].components[0]["text"] = "Otra cosa."

    rows = of_json(cloud("templates", "list", "--json", status=1))

    states = {(row["name"], row["language"]): row for row in rows}
    assert states["welcome", "es"]["state"] == "approved"
    assert states["welcome", "en"]["state"] == "rejected"
    assert states["welcome", "en"]["reason"] == "INVALID_FORMAT"
    assert states["welcome", "pt_BR"]["state"] == "paused"
    assert states["invoice_created", "es"]["state"] == "changed"
    assert states["payment_received", "es"]["state"] == "missing"


def test_filters_choose_texts_and_languages(cloud):
    words = ("--name", "welcome", "--language", "es", "--json")

    (row,) = of_json(cloud("templates", "list", *words, status=1))

    assert (row["name"], row["language"]) == ("welcome", "es")


def test_an_unknown_text_or_language_is_a_usage_error(cloud):
    assert (
        "none of" in cloud("templates", "list", "--name", "wellcome", status=2).output
    )
    assert "none of" in cloud("templates", "push", "--language", "fr", status=2).output


def test_with_all_approved_the_list_ends_with_nought(cloud, stub):
    cloud("templates", "push", "--yes")
    approve(stub)

    result = cloud("templates", "list")

    assert "missing" not in result.output
    assert stub.refused == []


def test_what_was_read_is_known_to_the_bridge(cloud, stub, kit):
    stub.templates.add("welcome", "es", "Hola.")

    cloud("templates", "list", status=1)

    with kit.bridge.store.read() as db:
        rows = talk.known_templates(db)
    assert [(row.name, row.status) for row in rows] == [("welcome", "APPROVED")]


# --- push ---


def test_a_push_submits_each_language_and_the_bridge_knows_them(cloud, stub, kit):
    cloud("templates", "push", "--name", "welcome")

    assert set(stub.templates.kept) == {("welcome", word) for word in LANGUAGES}
    assert stub.refused == []
    with kit.bridge.store.read() as db:
        rows = talk.templates_named(db, "welcome")
    assert {row.status for row in rows} == {"PENDING"}


def test_a_second_push_has_nothing_to_do(cloud, stub):
    cloud("templates", "push", "--name", "welcome")

    result = cloud("templates", "push", "--name", "welcome", "--json")

    assert of_json(result) == []
    assert len(stub.templates.kept) == len(LANGUAGES)


def test_a_changed_text_replaces_the_approved_template(cloud, stub):
    stub.templates.add("welcome", "es", "Hola, esto es de antes.")

    (row,) = of_json(
        cloud("templates", "push", "--name", "welcome", "--language", "es", "--json")
    )

    assert (row["state"], len(stub.templates.kept)) == ("pending", 1)
    assert "bienvenida" in stub.templates.kept["welcome", "es"].body


def test_one_that_is_refused_is_a_sentence_and_the_others_go_on(cloud, stub):
    stub.templates.add("welcome", "es", "Otra.", status="PENDING")

    result = cloud("templates", "push", "--name", "welcome", status=1)

    assert "welcome (es): cloud: refused" in result.output
    assert "2 submitted, 1 failed" in result.output


def test_more_than_twenty_are_asked_about(cloud, stub):
    cloud("templates", "push", status=1, text="n\n")

    assert stub.templates.kept == {}


@pytest.mark.parametrize("how", ["--dry-run", "by the setting"])
def test_a_dry_run_submits_nothing(cloud, stub, monkeypatch, how):
    words = ["--dry-run"] if how == "--dry-run" else []
    if not words:
        monkeypatch.setenv("BRIDGE_DRY_RUN", "true")

    result = cloud("templates", "push", "--name", "welcome", *words)

    assert "would submit: welcome (es), missing" in result.output
    assert stub.templates.kept == {}


def test_a_text_that_can_be_no_template_is_told_with_its_reason(
    cloud, config_with, monkeypatch
):
    config = config_with(own=("welcome",))
    file = config / "messages" / "es" / "welcome.txt"
    file.write_text("Hola {{ client.first_name }}", encoding="utf-8")
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(config))
    only = ("--name", "welcome", "--language", "es")

    (row,) = of_json(cloud("templates", "list", *only, "--json", status=1))
    pushed = cloud("templates", "push", *only, status=1)

    assert row["state"] == "unfit"
    assert "may not begin or end with a variable" in row["reason"]
    assert "may not begin or end" in pushed.output


@pytest.mark.parametrize("command", ["list", "push"])
def test_a_provider_that_is_away_ends_with_four(cloud, monkeypatch, command):
    monkeypatch.setenv("WHATSAPP_CLOUD_URL", "http://127.0.0.1:9")

    assert failing("templates", command) == 4


def test_a_login_that_is_not_taken_ends_with_four(cloud, monkeypatch):
    monkeypatch.setenv("WHATSAPP_CLOUD_TOKEN", "another")

    assert failing("templates", "push") == 4


def test_what_was_submitted_before_the_provider_went_away_is_kept(cloud, stub, kit):
    stub.templates.limit = 2

    assert failing("templates", "push", "--name", "welcome") == 4

    with kit.bridge.store.read() as db:
        assert len(talk.templates_named(db, "welcome")) == 2


def test_missing_settings_of_the_provider_end_with_three(shell, monkeypatch):
    monkeypatch.setenv("WHATSAPP_PROVIDER", "cloud")

    assert failing("templates", "list") == 3


@pytest.mark.parametrize("command", ["list", "push"])
def test_a_provider_without_templates_says_so(shell, command):
    result = shell("templates", command, "--json")

    assert of_json(result) == []
    assert "console has no templates" in result.stderr


def test_twilio_keeps_the_same_texts(shell, monkeypatch):
    with StubServer(stub := TwilioStub()) as server:
        monkeypatch.setenv("WHATSAPP_PROVIDER", "twilio")
        monkeypatch.setenv("WHATSAPP_TWILIO_URL", server.url)
        monkeypatch.setenv("WHATSAPP_TWILIO_CONTENT_URL", server.url)
        monkeypatch.setenv("WHATSAPP_TWILIO_ACCOUNT_SID", SID)
        monkeypatch.setenv("WHATSAPP_TWILIO_AUTH_TOKEN", AUTH_TOKEN)
        monkeypatch.setenv("WHATSAPP_TWILIO_FROM", SENDER)

        shell("templates", "push", "--name", "welcome")
        rows = of_json(shell("templates", "list", "--name", "welcome", "--json"))

    assert {row["state"] for row in rows} == {"pending"}
    assert stub.refused == []
