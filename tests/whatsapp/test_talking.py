"""The whole way with the Cloud API: out, states back, messages in, what follows."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from looking import job, rows, staff_lines

from bridge import upkeep
from bridge.demo.panel_example import ANA, BRUNO
from bridge.store import book, tables, talk
from tests.whatsapp.talking import fail, the_template, welcome

# --- Out, and states ---


def test_inside_the_window_it_goes_as_free_text_and_its_states_come_back(talk_):
    sent = welcome(talk_)
    assert (sent.state, sent.form) == ("accepted", "free")
    assert talk_.tell() == [200, 200]

    assert talk_.messages()[0].state == "delivered"
    assert talk_.cloud.refused == []


def test_only_a_state_that_work_follows_of_wakes_the_worker(talk_):
    welcome(talk_)
    wake = talk_.bridge.worker.wake
    wake.clear()
    talk_.tell()
    quiet = wake.is_set()
    talk_.cloud.tell(talk_.cloud.taken[-1], "failed", 131000)
    talk_.tell()

    assert (quiet, wake.is_set()) == (False, True)


def test_states_doubled_and_backwards_say_the_same(talk_):
    sent = welcome(talk_)
    assert set(talk_.tell(times=2, backwards=True)) == {200}
    assert talk_.messages()[0].state == "delivered"
    assert len(rows(talk_.bridge.store, tables.receipts)) == 2
    assert sent.key


def test_outside_the_window_it_goes_as_the_approved_template(wired):
    kit = wired()
    kit.cloud.templates.add(
        "password_changed",
        "es",
        body=the_template(kit, "password_changed"),
        url="https://clientes.example.com/{{1}}",
    )
    kit.cloud.open = set()
    upkeep.sync_templates(kit.bridge.bench)
    sent = welcome(kit)

    assert sent.form == "template password_changed (es)"
    assert kit.cloud.taken[-1].template == "password_changed"
    assert kit.cloud.refused == []


def test_without_a_template_staff_are_told_what_to_do(wired):
    kit = wired()
    kit.world.change_password(ANA)
    kit.work()

    assert kit.cloud.asks == 0
    assert job(kit, "/user-password").state == "parked"
    assert "templates push" in job(kit, "/user-password").reason


def test_a_window_that_meta_says_is_closed_is_closed(talk_):
    talk_.cloud.play("window_closed")
    talk_.world.change_password(ANA)
    talk_.work()

    assert job(talk_, "/user-password").state == "parked"
    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).wrote_at is None


# --- Unsure ---


def test_a_lost_answer_is_settled_by_our_tag_and_never_sent_again(talk_):
    talk_.cloud.play("lost")
    talk_.world.change_password(ANA)
    talk_.work()
    waiting = job(talk_, "/user-password")
    assert waiting.state == "waiting"
    assert "may have been sent" in waiting.reason
    talk_.tell()
    talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 1
    assert job(talk_, "/user-password").state == "done"
    assert talk_.messages()[0].state == "delivered"


def test_a_lost_answer_that_nobody_settles_is_sent_once_more(talk_):
    talk_.cloud.states = ()
    talk_.cloud.play("trouble")
    talk_.world.change_password(ANA)
    talk_.work()
    talk_.advance(minutes=9)
    assert talk_.cloud.taken == []
    talk_.advance(minutes=2)

    assert len(talk_.cloud.taken) == 1
    assert job(talk_, "/user-password").state == "done"


def test_unsure_twice_is_for_staff(talk_):
    talk_.cloud.play("trouble", times=5)
    talk_.world.change_password(ANA)
    talk_.work()
    for _ in range(6):
        talk_.advance(minutes=11)

    assert talk_.cloud.taken == []
    assert job(talk_, "/user-password").state == "parked"
    assert "nobody knows whether it arrived" in job(talk_, "/user-password").reason


# --- A failed state ---


AFTERWARDS = [
    (130403, 24 * 60, 1, "skipped", "cannot be reached"),
    (131000, 11, 2, "done", "sent anew"),
    (131049, 24 * 60 + 1, 2, "done", "sent anew"),
    (132012, 24 * 60, 1, "parked", "refused"),
]


@pytest.mark.parametrize(("code", "minutes", "sends", "state", "says"), AFTERWARDS)
def test_a_failed_state_obeys_the_class_of_its_code(
    talk_, code, minutes, sends, state, says
):
    talk_.cloud.states = ("sent",)
    welcome(talk_)
    fail(talk_, code)
    later = talk_.clock.now() + timedelta(minutes=minutes)
    talk_.bridge.store.write(lambda db: talk.wrote(db, talk_.number(ANA), later))
    talk_.advance(minutes=minutes)

    settled = job(talk_, "/failed")
    assert len(talk_.cloud.taken) == sends
    assert says in f"{settled.reason} {settled.outcome}"
    assert talk_.messages()[0].state == "failed"
    assert str(code) in talk_.messages()[0].error
    assert settled.state == ("parked" if state == "parked" else "done")


def test_it_is_not_sent_anew_for_ever(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    for _ in range(6):
        fail(talk_, 131000)
        talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 3


def test_who_cannot_be_reached_gets_the_second_way_once(wired, config_with):
    rule = "      message: password_changed\n      urgent: true # no espera las"
    with_fallback = rule.replace("urgent", "fallback: email\n      urgent")
    kit = wired(config_dir=config_with((rule, with_fallback)))
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.wrote(db, kit.number(ANA), now))
    kit.cloud.play("bad_number", times=2)  # nor in its other form
    kit.world.change_password(ANA)
    kit.work()
    kit.work()

    assert kit.cloud.taken == []
    assert [client for _, client in kit.world.mails] == [ANA]
    assert job(kit, "/user-password").outcome["state"] == "email"


# --- Halt, pair, rate ---


def test_a_halted_provider_keeps_the_queue_tells_staff_once_and_goes_on(talk_):
    talk_.cloud.play("bad_key", times=3)
    for client in (ANA, BRUNO):
        talk_.world.change_password(client)
    talk_.work()
    asked = talk_.cloud.asks
    talk_.work()
    assert (talk_.cloud.taken, talk_.cloud.asks) == ([], asked)
    for _ in range(30):
        talk_.advance(minutes=2)

    assert len(talk_.cloud.taken) == 2
    assert len([one for one in staff_lines(talk_) if "takes no messages" in one]) == 1


def test_one_person_gets_a_message_in_six_seconds_others_do_not_wait(talk_):
    for _ in range(3):
        talk_.world.edit_client(ANA, city=f"Salta {talk_.world.next_id('x')}")
    talk_.world.change_password(BRUNO)
    talk_.work()
    at_once = [one.to for one in talk_.cloud.taken]
    assert sorted(at_once) == sorted([talk_.number(ANA), talk_.number(BRUNO)])
    talk_.advance(seconds=6)
    talk_.advance(seconds=6)

    assert len(talk_.cloud.taken) == 4


# --- Messages in ---


def test_stop_ends_alerts_but_not_those_of_safety_and_start_begins_them(talk_):
    talk_.writes(ANA, "¡Baja   ALERTAS!")
    talk_.advance(seconds=10)
    with talk_.world.muted():
        pass
    talk_.world.remind_invoice(talk_.world.generate_renewal(1).id)
    talk_.work()
    talk_.advance(seconds=10)
    stopped = list(talk_.texts)
    talk_.world.change_password(ANA)
    talk_.work()
    talk_.advance(seconds=10)
    talk_.writes(ANA, "start")
    talk_.advance(seconds=10)

    assert stopped == ["inbound_stopped"]
    assert talk_.texts[1:] == ["password_changed", "inbound_started"]
    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).opted_out_at is None


@pytest.mark.parametrize("text", ["baja", "Cancelar", "CANCEL", "dar de baja"])
def test_a_plain_baja_is_the_way_to_cancel_never_an_opt_out(talk_, text):
    talk_.writes(ANA, text)

    assert talk_.texts == ["inbound_how_to_cancel"]
    assert "clientarea.php?action=services" in str(talk_.cloud.taken[-1])
    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA), ANA).opted_out_at is None


def test_anything_else_is_answered_once_a_day(talk_):
    talk_.writes(ANA, "hola, ¿hay alguien?")
    talk_.writes(ANA, "¿hola?")
    talk_.advance(hours=24)
    talk_.writes(ANA, "buenas")

    assert talk_.texts == ["inbound_reply", "inbound_reply"]


def test_a_message_is_handled_once_however_often_it_comes(talk_):
    talk_.cloud.write(talk_.number(ANA), "baja")
    assert talk_.tell(times=3) == [200, 200, 200]
    talk_.work()

    assert talk_.texts == ["inbound_how_to_cancel"]


def test_a_withheld_number_is_kept_and_not_answered(talk_):
    talk_.writes(ANA, "STOP", hidden=True)

    assert talk_.texts == []
    assert "withheld" in job(talk_, "/answer").outcome["route"]


def test_a_stranger_gets_the_general_answer_in_the_bridges_language(talk_):
    talk_.cloud.write("+5491150009999", "STOP")
    talk_.tell()
    talk_.work()

    assert talk_.texts == ["inbound_stopped"]
    assert talk_.messages()[0].client_id is None


def test_with_open_ticket_staff_see_who_wrote_what(wired, config_with):
    changes = (
        ("other: reply", "other: open_ticket"),
        ("department: 1 #", "department: 2 #"),
    )
    kit = wired(config_dir=config_with(*changes))
    while upkeep.index_phones(kit.bridge.bench):
        pass
    kit.writes(ANA, "No me anda el correo")

    (ticket,) = kit.world.tickets.values()
    assert (ticket.userid, ticket.deptid) == (ANA, 2)
    assert "No me anda el correo" in ticket.message
    assert kit.texts == ["inbound_passed_on"]


def test_with_open_ticket_a_stranger_is_not_promised_an_answer(wired, config_with):
    kit = wired(config_dir=config_with(("other: reply", "other: open_ticket")))
    while upkeep.index_phones(kit.bridge.bench):
        pass
    kit.cloud.write("+5491140000999", "Buenas, ¿venden dominios?")
    kit.tell()
    kit.work()

    assert kit.world.tickets == {}
    assert len(staff_lines(kit)) == 1
    assert kit.texts == ["inbound_reply"]


def test_a_number_that_changed_in_the_panel_is_nobodys(talk_):
    number = talk_.number(ANA)
    with talk_.world.muted():
        talk_.world.edit_client(ANA, phonenumber="+54.91140009999")
    talk_.cloud.write(number, "STOP")
    talk_.tell()
    talk_.work()

    assert talk_.messages()[0].client_id is None
    with talk_.bridge.store.read() as db:
        assert talk.contact(db, "+5491140009999", ANA).opted_out_at is None


def test_a_changed_telephone_reaches_the_index_by_its_hook(talk_):
    talk_.world.edit_client(ANA, phonenumber="+54.91140009999")
    talk_.work()
    with talk_.bridge.store.read() as db:
        assert talk.clients_with(db, "+5491140009999") == [ANA]


def test_a_signed_hook_of_that_name_is_no_message(talk_):
    data = {"from": talk_.number(ANA), "text": "STOP"}
    body = json.dumps({"type": "WhatsAppMessage", "data": data}).encode()
    headers = talk_.headers("msg_1", body)
    talk_.client().post("/hooks/whmcs", data=body, headers=headers)
    talk_.work()

    assert talk_.texts == []
    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).opted_out_at is None


# --- The address ---


def test_only_what_is_signed_is_taken(talk_):
    hook = talk_.cloud.post({"object": "x", "entry": []})
    talk_.cloud.pending.clear()
    client = talk_.client()
    signed, twin = dict(hook.headers), hook.body.replace(b"x", b"y")

    def post(name: str, body: bytes, headers: dict[str, str]) -> int:
        path = f"/whatsapp/{name}"
        return client.post(path, data=body, headers=headers).status_code

    for mac in ("sha256=ñ", "", "sha256", "sha256=00"):
        assert post("cloud", hook.body, {"X-Hub-Signature-256": mac}) == 401
    assert post("cloud", hook.body, {}) == 401
    assert post("cloud", twin, signed) == 401
    assert post("twilio", hook.body, signed) == 404
    assert post("cloud", hook.body, signed) == 200


def test_the_handshake_answers_plain_text_or_403(talk_):
    client = talk_.client()
    asked = {"hub.mode": "subscribe", "hub.challenge": "<b>7</b>"}
    good, bad = (
        client.get("/whatsapp/cloud", query_string=asked | {"hub.verify_token": token})
        for token in ("demo-verify-token", "x")
    )

    assert (good.status_code, good.mimetype) == (200, "text/plain")
    assert good.text == "<b>7</b>"
    assert bad.status_code == 403


def test_what_cannot_be_stored_is_not_taken(talk_):
    talk_.cloud.write(talk_.number(ANA), "STOP")
    talk_.bridge.store.close()
    assert talk_.tell() == [503]


def test_a_template_that_meta_pauses_is_not_used_any_more(talk_):
    talk_.cloud.templates.add("welcome", "es", body="Hola {{1}}, ¿qué tal?")
    upkeep.sync_templates(talk_.bridge.bench)
    talk_.cloud.review("welcome", "es", "PAUSED", "quality")
    talk_.tell()

    with talk_.bridge.store.read() as db:
        (row,) = talk.templates_named(db, "welcome")
    assert (row.status, row.reason) == ("PAUSED", "quality")


# --- Upkeep ---


def test_the_index_is_built_once_and_anew_after_a_week(talk_):
    bench = talk_.bridge.bench
    before = talk_.panel.count("GetClientsDetails")
    assert upkeep.index_phones(bench) == 0
    talk_.clock.advance(timedelta(days=8))
    assert upkeep.index_phones(bench) > 0
    assert talk_.panel.count("GetClientsDetails") > before
    with talk_.bridge.store.read() as db:
        assert book.marked(db, "phones") is not None


def test_a_provider_that_is_not_well_is_told_once_an_hour(talk_):
    talk_.cloud.token = "another"
    assert not upkeep.watch_session(talk_.bridge.bench)
    assert not upkeep.watch_session(talk_.bridge.bench)
    talk_.work()

    assert len([one for one in staff_lines(talk_) if "WhatsApp (cloud)" in one]) == 1


# --- What a stranger found ---


def test_a_failure_of_a_message_whose_answer_was_lost_is_settled_too(talk_):
    talk_.cloud.states = ()
    talk_.cloud.play("lost")
    talk_.world.change_password(ANA)
    talk_.work()
    assert [row.state for row in talk_.messages()] == ["unsure"]
    fail(talk_, 131000)
    talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 2
    assert job(talk_, "/failed").state == "done"


def test_what_arrived_after_it_failed_is_not_sent_anew(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, 131000)
    talk_.cloud.tell(talk_.cloud.taken[-1], "delivered")
    talk_.tell()
    talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 1
    assert talk_.messages()[0].state == "delivered"


def test_an_outage_of_an_hour_costs_no_message_its_tries(talk_):
    talk_.cloud.play("rate_limited", times=400)
    for client in (ANA, BRUNO):
        talk_.world.change_password(client)
    for _ in range(60):
        talk_.advance(minutes=1)
    assert talk_.cloud.taken == []
    talk_.cloud._plays.clear()
    for _ in range(15):
        talk_.advance(minutes=1)

    assert len(talk_.cloud.taken) == 2


def test_an_older_stop_does_not_undo_a_newer_start(talk_):
    number = talk_.number(ANA)
    talk_.cloud.write(number, "STOP")
    late = talk_.cloud.take()
    talk_.clock.advance(timedelta(minutes=5))
    talk_.writes(ANA, "START")
    client = talk_.client()
    for hook in late:
        client.post("/whatsapp/cloud", data=hook.body, headers=dict(hook.headers))
    talk_.work()

    with talk_.bridge.store.read() as db:
        assert talk.contact(db, number, ANA).opted_out_at is None


def test_stop_counts_from_the_moment_it_came_whatever_becomes_of_the_answer(talk_):
    talk_.cloud.play("trouble", times=9)
    talk_.cloud.write(talk_.number(ANA), "STOP")
    talk_.tell()

    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).opted_out_at is not None


def test_an_answer_that_waits_its_turn_is_given_then(talk_):
    welcome(talk_)
    talk_.writes(ANA, "hola")
    talk_.advance(seconds=7)

    assert talk_.texts == ["password_changed", "inbound_reply"]


def test_a_message_to_a_neighbours_number_is_not_ours(talk_):
    talk_.cloud.write(talk_.number(ANA), "STOP")
    talk_.bridge.bench.provider.number = "555"
    assert talk_.tell() == [200]

    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).opted_out_at is None
