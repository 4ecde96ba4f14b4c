"""What goes in place of a message that was refused, at once or by a later state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from looking import job, rows, staff_lines

from bridge import upkeep
from bridge.demo.panel_example import ANA, FRANK
from bridge.demo.whatsapp.cloud import WABA_ID
from bridge.store import outbox, reports, tables, talk
from bridge.templateform import numbered
from bridge.textfiles import read_all
from bridge.whatsapp import Message, TemplateState
from bridge.whatsapp.templates import says
from tests.whatsapp.talking import fail, the_template, welcome

AR, OTHER = "+5491140000001", "+541140000001"
BUTTON = "https://clientes.example.com/{{1}}"


def approve(kit, language="es", name="password_changed", body=""):
    body = body or the_template(kit, name)
    kit.cloud.templates.add(name, language, body=body, url=BUTTON)
    upkeep.sync_templates(kit.bridge.bench)


def close(kit, client=ANA):
    kit.cloud.open = set()
    number, now = kit.number(client), kit.clock.now()
    kit.bridge.store.write(lambda db: talk.close_window(db, number, now))


def settle(kit, code):
    """The newest message fails with this code."""
    kit.cloud.states = ()
    fail(kit, code)
    kit.advance(seconds=7)


# --- Another form of the number ---


@pytest.mark.parametrize("code", [131026, 131030])
def test_after_a_failed_state_the_other_form_of_the_number_is_tried(talk_, code):
    talk_.cloud.states = ()
    welcome(talk_)
    settle(talk_, code)
    talk_.cloud.tell(talk_.cloud.taken[-1], "delivered")
    talk_.tell()

    assert [one.to for one in talk_.cloud.taken] == [AR, OTHER]
    first, second = talk_.messages()
    assert (first.state, second.state) == ("failed", "delivered")
    assert (first.to, second.to, second.other_form) == (AR, AR, True)


def test_it_is_tried_once_then_the_second_way_is_taken(wired, config_with):
    rule = "      message: password_changed\n      urgent: true # no espera las"
    with_fallback = rule.replace("urgent", "fallback: email\n      urgent")
    kit = wired(config_dir=config_with((rule, with_fallback)))
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.wrote(db, kit.number(ANA), now))
    kit.cloud.states = ()
    welcome(kit)
    for _ in range(4):
        settle(kit, 131026)

    assert [one.to for one in kit.cloud.taken] == [AR, OTHER]
    assert [client for _, client in kit.world.mails] == [ANA]


def test_what_went_to_the_other_form_at_once_is_not_tried_at_the_first_again(talk_):
    talk_.cloud.states = ()
    talk_.cloud.play("bad_number")
    welcome(talk_)
    settle(talk_, 131026)

    assert [one.to for one in talk_.cloud.taken] == [OTHER]
    assert job(talk_, "/failed").outcome["then"] == "nothing: he cannot be reached"


def test_whose_number_changed_meanwhile_gets_it_at_his_own_number_only(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    with talk_.world.muted():
        talk_.world.edit_client(ANA, phonenumber="+54.91140009999")
    now = talk_.clock.now()
    talk_.bridge.store.write(lambda db: talk.wrote(db, "+5491140009999", now))
    settle(talk_, 131026)

    assert [one.to for one in talk_.cloud.taken] == [AR, "+5491140009999"]


def test_a_country_with_one_form_has_no_other(talk_):
    talk_.cloud.states = ()
    talk_.world.change_password(FRANK)
    talk_.work()
    settle(talk_, 131026)

    assert len(talk_.cloud.taken) == 1


# --- Another language ---


@pytest.mark.parametrize("later", [True, False])
def test_a_template_that_is_not_there_goes_in_another_approved_language(talk_, later):
    for language in ("es", "es_AR"):
        approve(talk_, language)
    close(talk_)
    talk_.cloud.states = ()
    if not later:
        talk_.cloud.play("template_missing")
    welcome(talk_)
    if later:
        settle(talk_, 132001)

    languages = ["es", "es_AR"] if later else ["es_AR"]
    assert [one.language for one in talk_.cloud.taken] == languages
    assert talk_.messages()[-1].form == "template password_changed (es_AR)"
    with talk_.bridge.store.read() as db:
        known = {row.language: row.status for row in talk.known_templates(db)}
    assert known == {"es": "REFUSED", "es_AR": "APPROVED"}


def test_another_language_takes_a_turn_of_its_own_at_the_rate(talk_):
    for language in ("es", "es_AR"):
        approve(talk_, language)
    close(talk_)
    asks = talk_.cloud.asks
    turns = []
    sending = talk_.bridge.bench.sending
    sending.slow_down = lambda: turns.append(talk_.cloud.asks - asks)
    talk_.cloud.play("template_missing")
    welcome(talk_)

    assert turns == [0, 1]


def test_each_language_is_tried_once(talk_):
    for language in ("es", "es_AR"):
        approve(talk_, language)
    close(talk_)
    talk_.cloud.states = ()
    welcome(talk_)
    for _ in range(4):
        settle(talk_, 132001)

    assert [one.language for one in talk_.cloud.taken] == ["es", "es_AR"]
    last = job(talk_, "/again:2")
    assert last.state == "parked"
    assert "es is refused; es_AR is refused" in last.reason
    assert "templates push --name password_changed" in last.reason


def test_in_another_language_it_is_told_in_that_language(wired, config_with):
    kit = wired()
    body = the_template(kit, "password_changed")
    approve(kit, "es", body=body)
    kit.world.change_password(FRANK)  # he reads English, which is not approved
    kit.work()

    (taken,) = kit.cloud.taken
    assert taken.language == "es"
    assert kit.messages()[0].language == "es"
    assert kit.messages()[0].text.startswith("Hola")


def test_values_stand_in_the_order_of_the_language_that_goes_out(wired, config_with):
    texts = config_with(own=("password_changed",)) / "messages"
    name, place = "{{ client.first_name }}", "{{ company.name }}"
    for language, text in (
        ("en", f"At {place} the password of {name} was changed, was it you?"),
        ("es", f"Hola {name}, tu clave en {place} se cambió recién, ¿sí?"),
    ):
        file = texts / language / "password_changed.txt"
        file.write_text(f"---\ncategory: utility\n---\n{text}\n", "utf-8")
    kit = wired(config_dir=texts.parent)
    body = "Hola {{1}}, tu clave en {{2}} se cambió recién, ¿sí?"
    kit.cloud.templates.add("password_changed", "es", body=body)
    upkeep.sync_templates(kit.bridge.bench)
    kit.world.change_password(FRANK)
    kit.work()

    assert kit.cloud.taken[0].values[0] == kit.world.clients[FRANK].firstname


def test_two_kinds_of_one_language_may_have_their_own_order(wired, config_with):
    config = config_with(own=("password_changed",))
    texts = config / "messages"
    name, place = "{{ client.first_name }}", "{{ company.name }}"
    (texts / "es_AR").mkdir()
    for file in (texts / "es").glob("*.txt"):
        (texts / "es_AR" / file.name).write_text(file.read_text("utf-8"), "utf-8")
    for language, text in (
        ("es", f"Hola {name}, tu clave en {place} se cambió recién, ¿sí?"),
        ("es_AR", f"Che, en {place} se cambió la clave de {name}, ¿fuiste vos?"),
    ):
        file = texts / language / "password_changed.txt"
        file.write_text(f"---\ncategory: utility\n---\n{text}\n", "utf-8")
    kit = wired(config_dir=config)
    body = "Che, en {{1}} se cambió la clave de {{2}}, ¿fuiste vos?"
    kit.cloud.templates.add("password_changed", "es_AR", body=body)
    upkeep.sync_templates(kit.bridge.bench)
    kit.world.change_password(ANA)
    kit.work()

    ana = kit.world.clients[ANA].firstname
    assert kit.cloud.taken[0].values[1] == ana
    assert kit.messages()[0].text == kit.cloud.taken[0].text
    assert kit.messages()[0].language == "es_AR"


# --- A template that is approved again ---


@pytest.mark.parametrize("code", [132015, 132016])
@pytest.mark.parametrize("later", [True, False])
def test_a_paused_template_holds_its_messages_until_it_is_approved(talk_, code, later):
    approve(talk_)
    close(talk_)
    talk_.cloud.states = ()
    if not later:
        talk_.cloud.play("template_paused")
    welcome_or_hold(talk_)
    if later:
        settle(talk_, code)
    before = len(talk_.cloud.taken)
    for _ in range(30):
        talk_.advance(hours=3)
    talk_.cloud.review("password_changed", "es", "APPROVED", "")
    talk_.tell()
    talk_.advance(seconds=7)

    assert before == len(talk_.cloud.taken) - 1 == int(later)
    assert talk_.messages()[-1].state == "accepted"
    lines = [
        one for one in staff_lines(talk_) if "cannot be sent now: es is paused" in one
    ]
    assert 1 <= len(lines) <= 5


def welcome_or_hold(kit):
    kit.world.change_password(ANA)
    kit.work()


def test_a_template_that_is_paused_by_a_webhook_holds_its_messages_too(talk_):
    approve(talk_)
    close(talk_)
    talk_.cloud.review("password_changed", "es", "PAUSED", "quality")
    talk_.tell()
    welcome_or_hold(talk_)
    waiting = job(talk_, "/user-password")
    talk_.cloud.review("password_changed", "es", "APPROVED", "")
    talk_.tell()
    talk_.work()

    assert waiting.state == "waiting"
    assert "es is paused (quality)" in waiting.reason
    assert len(talk_.cloud.taken) == 1


# --- The window, and waits ---


def test_as_a_template_once(talk_):
    approve(talk_)
    talk_.cloud.states = ()
    welcome(talk_)
    for _ in range(3):
        settle(talk_, 131047)

    assert [one.template for one in talk_.cloud.taken] == ["", "password_changed"]


def test_who_wrote_after_it_failed_is_answered_freely(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    talk_.cloud.tell(talk_.cloud.taken[-1], "failed", 131047)
    late = talk_.cloud.take()
    talk_.clock.advance(timedelta(minutes=1))
    talk_.cloud.write(talk_.number(ANA), "hola")
    talk_.tell()
    talk_.cloud.pending += late
    talk_.tell()
    for _ in range(3):
        talk_.advance(seconds=7)

    assert [one.template for one in talk_.cloud.taken] == ["", "", ""]
    again = job(talk_, "/again:1")
    assert (again.state, talk_.texts.count("inbound_reply")) == ("done", 1)


WAITS = [(131049, timedelta(hours=24)), (131056, timedelta(seconds=16)),
         (130429, timedelta(minutes=2))]  # fmt: skip


@pytest.mark.parametrize(("code", "wait"), WAITS)
def test_later_pair_and_retry_wait_their_time(talk_, code, wait):
    approve(talk_)
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, code)
    anew = job(talk_, "/again:1")

    assert anew.run_at - talk_.clock.now() == wait


def test_what_meta_withheld_again_a_day_later_is_sent_no_more(talk_):
    approve(talk_)
    close(talk_)
    talk_.cloud.states = ()
    welcome_or_hold(talk_)
    for _ in range(3):
        fail(talk_, 131049)
        talk_.advance(hours=25)

    assert len(talk_.cloud.taken) == 2
    assert talk_.messages()[-1].state == "failed"


def test_everything_that_can_fail_in_turn_ends(talk_):
    for language in ("es", "es_AR"):
        approve(talk_, language)
    talk_.cloud.states = ()
    welcome(talk_)
    codes = [131026, 131047, 132001, 131000, 132001, 131026, 131047, 131000, 131000]
    for code in codes:
        fail(talk_, code)
        talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) <= 7
    open_ones = [one for one in rows(talk_.bridge.store, tables.jobs)
                 if one.state in ("waiting", "running")]  # fmt: skip
    assert open_ones == []


# --- What waited for long goes by what is known now ---


def test_what_waited_asks_for_the_templates_of_its_own_text_alone(talk_, monkeypatch):
    approve(talk_)
    close(talk_)
    body = the_template(talk_, "password_changed")
    message = Message(AR, "x", "es", "password_changed", "tag", body=body)
    message = replace(message, button=("Ver", BUTTON.replace("{{1}}", "1")))
    monkeypatch.setattr(talk, "known_templates", lambda _: pytest.fail("all of them"))
    found = talk_.bridge.bench.sending.forms.first(message)

    assert found.template is not None


# --- Mended by a person ---


def mend(kit):
    """Let what is parked run again, as `events retry` does."""
    now = kit.clock.now()
    with kit.bridge.store.read() as db:
        keys = reports.parked_keys(db, None)
    kit.bridge.store.write(lambda db: outbox.again(db, now, keys=keys))
    kit.work()
    kit.advance(seconds=7)


def test_what_was_refused_is_sent_anew_when_staff_have_mended_it(talk_):
    approve(talk_)
    talk_.cloud.states = ()
    close(talk_)
    welcome(talk_)
    settle(talk_, 132012)
    before = len(talk_.cloud.taken)
    mend(talk_)

    assert (before, len(talk_.cloud.taken)) == (1, 2)
    assert talk_.cloud.taken[1].template == "password_changed"
    assert [row.state for row in talk_.messages()] == ["failed", "accepted"]


def test_mended_it_is_tried_once_and_waits_for_staff_again(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    for _ in range(3):
        fail(talk_, 131000)
        talk_.advance(minutes=11)
    tried = len(talk_.cloud.taken)
    mend(talk_)
    fail(talk_, 131000)
    talk_.advance(minutes=11)

    assert (tried, len(talk_.cloud.taken)) == (3, 4)
    assert {row.state for row in rows(talk_.bridge.store, tables.jobs)} == {
        "done",
        "parked",
    }


def test_what_arrived_after_all_is_not_sent_anew_by_hand(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, 132012)
    with talk_.bridge.store.read() as db:
        [key] = reports.parked_keys(db, None)
    now = talk_.clock.now()
    talk_.bridge.store.write(lambda db: outbox.again(db, now, keys=[key]))
    talk_.cloud.tell(talk_.cloud.taken[-1], "delivered")
    talk_.tell()
    talk_.advance(minutes=1)

    assert len(talk_.cloud.taken) == 1


# --- Why there is no template ---

MISSING = [
    ((), 'there is no template "password_changed": whmcs-bridge templates push'),
    (("pt_BR",), "not approved in es (it is missing; approved is only pt_BR"),
    (("en", "pt_BR"), "not approved in es (it is missing; approved is only en, pt_BR"),
]


@pytest.mark.parametrize(("approved", "says"), MISSING)
def test_it_is_said_what_is_approved_what_is_missing_and_what_to_do(
    wired, approved, says
):
    kit = wired()
    for language in approved:
        approve(kit, language)
    kit.world.change_password(ANA)
    kit.work()

    reason = job(kit, "/user-password").reason
    assert kit.cloud.asks <= len(approved)
    assert says in reason
    assert "templates push" in reason


@pytest.mark.parametrize("by_webhook", [True, False])
@pytest.mark.parametrize("status", ["PENDING", "IN_APPEAL", "RECEIVED"])
def test_one_that_is_looked_at_holds_its_messages(talk_, status, by_webhook):
    approve(talk_)
    close(talk_)
    talk_.cloud.review("password_changed", "es", status, "")
    upkeep.sync_templates(talk_.bridge.bench)
    welcome_or_hold(talk_)
    waiting, before = job(talk_, "/user-password"), len(talk_.cloud.taken)
    talk_.cloud.review("password_changed", "es", "APPROVED", "")
    if by_webhook:
        talk_.tell()
    else:
        upkeep.sync_templates(talk_.bridge.bench)
    talk_.work()

    assert (waiting.state, before, len(talk_.cloud.taken)) == ("waiting", 0, 1)
    word = status.lower().replace("_", " ")
    assert f"cannot be sent now: es is {word}" in waiting.reason


@pytest.mark.parametrize("field", ["components_update", "status_update"])
def test_one_that_was_edited_at_metas_is_read_anew_at_once(talk_, field):
    approve(talk_)
    close(talk_)
    named = {"name": "password_changed", "language": "es", "id": "1"}
    value = {f"message_template_{name}": word for name, word in named.items()}
    value |= {"event": "APPROVED"} if field == "status_update" else {}
    change = {"field": f"message_template_{field}", "value": value}
    kept = talk_.cloud.templates.kept["password_changed", "es"]
    kept.components[0] = {"type": "BODY", "text": "Hola {{1}}, saludos de {{2}}."}
    talk_.cloud.post({"entry": [{"id": WABA_ID, "changes": [change]}]})
    talk_.tell()
    bench = talk_.bridge.bench
    again = [upkeep.reread_templates(bench) for _ in range(2)]
    welcome_or_hold(talk_)

    assert again == [True, False]
    assert talk_.cloud.taken == []
    assert "says something else than the text" in job(talk_, "/user-password").reason


def test_one_that_was_rejected_holds_nothing(talk_):
    approve(talk_)
    close(talk_)
    talk_.cloud.review("password_changed", "es", "REJECTED", "")
    upkeep.sync_templates(talk_.bridge.bench)
    welcome_or_hold(talk_)

    assert job(talk_, "/user-password").state == "parked"


# --- A text that was edited since its template was approved ---

GREETING = "Hola {{ client.first_name }}, este es un aviso de seguridad: "
GREETED = "Aviso de {{ company.name }} para {{ client.first_name }}: "


def edited(wired, config_with):
    """Ana's alert is to go by template, and its text was changed since approval."""
    config = config_with(own=("password_changed",))
    kit = wired(config_dir=config)
    approve(kit)
    close(kit)
    file = config / "messages/es/password_changed.txt"
    text = file.read_text("utf-8")
    assert GREETING in text
    file.write_text(text.replace(GREETING, GREETED), "utf-8")
    assert kit.bridge.bench.map.refresh()
    return kit, file


def test_an_edited_text_waits_until_its_template_says_the_same(wired, config_with):
    kit, file = edited(wired, config_with)
    welcome_or_hold(kit)
    waiting, before = job(kit, "/user-password"), len(kit.cloud.taken)
    kit.advance(hours=3)
    body = numbered(read_all(file.parents[1]).texts["password_changed", "es"].parts)
    approve(kit, body=body)
    kit.advance(hours=1)

    assert (waiting.state, before) == ("waiting", 0)
    says = "the approved one (es) says something else than the text: "
    assert f"{says}whmcs-bridge templates push" in waiting.reason
    lines = [one for one in staff_lines(kit) if says in one]
    assert len(lines) == 1
    (taken,) = kit.cloud.taken
    company = kit.bridge.bench.map.current.company.name
    assert taken.values[:2] == (company, kit.world.clients[ANA].firstname)
    assert kit.messages()[-1].text == f"{taken.text}\nVer: {BUTTON[:-5]}{taken.button}"


def test_inside_the_window_an_edited_text_goes_as_it_is(wired, config_with):
    kit, _ = edited(wired, config_with)
    now = kit.clock.now()
    kit.cloud.open = {kit.number(ANA)}
    kit.bridge.store.write(lambda db: talk.wrote(db, kit.number(ANA), now))
    welcome(kit)

    assert kit.cloud.taken[0].text.startswith("Aviso de ")


TEMPLATE = TemplateState("aviso", "es", "APPROVED", body="Hola {{1}}, mira.",
                         label="Ver", url="https://panel.example/{{1}}")  # fmt: skip
MESSAGE = Message("+1", "Hola Ana, mira.", "es", "aviso", "t", body="Hola {{1}}, mira.",
                  button=("Ver", "https://panel.example/x"))  # fmt: skip
SAYS = [
    ({}, {}, True),
    ({"body": "Mira, {{1}}."}, {}, False),
    ({"body": ""}, {}, True),
    ({}, {"body": ""}, True),
    ({"label": "Otro"}, {}, True),
    ({"label": "", "url": ""}, {}, False),
    ({}, {"button": None}, False),
    ({"url": "https://elsewhere.example/{{1}}"}, {}, False),
    ({"url": "https://panel.example/x"}, {}, True),
    ({"url": "https://panel.example/y"}, {}, False),
]


@pytest.mark.parametrize(("template", "message", "same"), SAYS)
def test_a_template_says_what_the_text_says_or_not(template, message, same):
    assert says(replace(TEMPLATE, **template), replace(MESSAGE, **message)) is same
