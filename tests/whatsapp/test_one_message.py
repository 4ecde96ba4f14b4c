"""Alerts that became one message stay one, whatever becomes of it; and all say so."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from looking import job, rows

from bridge import upkeep
from bridge.commands.events import describe
from bridge.demo.panel_billing import Line
from bridge.demo.panel_example import ANA
from bridge.store import tables, talk
from tests.whatsapp.talking import fail, killed_after_sending, the_template, work


def bill(kit):
    return kit.world.create_invoice(ANA, [Line("Trabajo", Decimal(10))]).id


def waiting_together(kit, count=5):
    """Let alerts to Ana wait for the morning, and let it become morning."""
    kit.cloud.states = ()
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 23))
    ids = [bill(kit) for _ in range(count)]
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.wrote(db, kit.number(ANA), now))
    return ids


def told(kit):
    """Return what `events show` says of each event of an invoice."""
    found = [describe(kit.bridge.store, row.id) for row in kit.events()]
    return [one for one in found if one["hookpoint"] == "InvoiceCreated"]


def everybody(kit, state, says):
    shown = told(kit)
    assert [one["state"] for one in shown] == [state] * 5
    for one in shown:
        assert says in one["reason"]
        assert [m["name"] for m in one["messages"]][-1:] == ["several"]


def test_each_of_them_tells_what_became_of_the_one_message(talk_):
    waiting_together(talk_)
    talk_.work()
    talk_.cloud.tell(talk_.cloud.taken[-1], "delivered")
    talk_.tell()

    assert len(talk_.cloud.taken) == 1
    everybody(talk_, "done", "delivered")


def test_refused_for_now_it_is_repeated_as_one(talk_):
    ids = waiting_together(talk_)
    talk_.cloud.play("rate_limited")
    talk_.work()
    states = {row.state for row in rows(talk_.bridge.store, tables.jobs)}
    for _ in range(4):
        talk_.advance(minutes=10)

    assert states == {"joined", "waiting"}
    assert len(talk_.cloud.taken) == 1
    assert all(f"{id}" in talk_.cloud.taken[0].text for id in ids)
    assert {row.state for row in rows(talk_.bridge.store, tables.jobs)} == {"done"}


def test_a_lost_answer_that_nobody_settles_is_repeated_as_one(talk_):
    waiting_together(talk_)
    talk_.cloud.play("lost")
    talk_.work()
    talk_.advance(minutes=11)

    assert [one.tag for one in talk_.cloud.taken] == [talk_.cloud.taken[0].tag] * 2
    assert "5 avisos" in talk_.cloud.taken[1].text


def test_a_lost_answer_that_a_state_settles_is_settled_for_all(talk_):
    waiting_together(talk_)
    talk_.cloud.play("lost")
    talk_.work()
    talk_.cloud.tell(talk_.cloud.taken[0], "delivered")
    talk_.tell()
    talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 1
    everybody(talk_, "done", "delivered")


def test_unsure_twice_all_of_them_wait_for_staff(talk_):
    waiting_together(talk_)
    talk_.cloud.play("lost", times=9)
    talk_.work()
    for _ in range(4):
        talk_.advance(minutes=11)

    assert len(talk_.cloud.taken) == 2
    everybody(talk_, "parked", "nobody knows whether it arrived")


def test_one_that_failed_later_is_sent_anew_as_one(talk_):
    ids = waiting_together(talk_)
    talk_.work()
    fail(talk_, 131000)
    talk_.advance(minutes=11)
    talk_.cloud.tell(talk_.cloud.taken[-1], "read")
    talk_.tell()

    assert len(talk_.cloud.taken) == 2
    assert all(f"{id}" in talk_.cloud.taken[1].text for id in ids)
    everybody(talk_, "done", "read")


def test_whose_window_closed_meanwhile_gets_one_template(talk_):
    talk_.cloud.templates.add(
        "several",
        "es",
        body=the_template(talk_, "several"),
        url="https://clientes.example.com",
    )
    upkeep.sync_templates(talk_.bridge.bench)
    waiting_together(talk_)
    talk_.work()
    fail(talk_, 131047)
    talk_.advance(minutes=1)

    assert [one.template for one in talk_.cloud.taken] == ["", "several"]
    assert talk_.cloud.taken[1].values[1] == "5"


@pytest.mark.parametrize("at_once", [True, False])
def test_the_second_way_lists_them_all_once(wired, config_with, at_once):
    rule = "      message: invoice_created\n"
    kit = wired(config_dir=config_with((rule, f"{rule}      fallback: email\n")))
    ids = waiting_together(kit)
    if at_once:
        kit.cloud.play("bad_number", times=2)
        kit.work()
    else:
        kit.work()
        fail(kit, 130403)
    kit.advance(minutes=1)

    (mail,) = [call for call in kit.panel.calls if call.action == "SendEmail"]
    assert mail.params["id"] == str(ANA)
    assert "5 avisos" in mail.params["custommessage"]
    assert all(f"{id}" in mail.params["custommessage"] for id in ids)


def test_nobody_there_is_said_of_all_and_not_tried_one_by_one(talk_):
    waiting_together(talk_)
    talk_.cloud.play("bad_number", times=2)
    talk_.work()

    assert talk_.cloud.asks == 2
    assert [one["state"] for one in told(talk_)] == ["skipped"] * 5


def test_a_refused_text_of_several_lets_each_go_alone(talk_):
    waiting_together(talk_)
    talk_.cloud.play("template_missing")
    talk_.work()
    for _ in range(6):
        talk_.advance(seconds=6)

    assert len(talk_.cloud.taken) == 5
    assert {one["state"] for one in told(talk_)} == {"done"}
    assert all("together" not in one["reason"] for one in told(talk_))


def test_new_ones_do_not_swallow_a_message_that_waits_for_its_repetition(talk_):
    waiting_together(talk_)
    talk_.cloud.play("lost")
    talk_.work()
    first = job(talk_, talk_.cloud.taken[0].tag)
    talk_.clock.set(talk_.clock.at(date(2026, 11, 3), 23))
    more = [bill(talk_) for _ in range(4)]
    talk_.work()
    talk_.clock.set(talk_.clock.at(date(2026, 11, 4), 8))
    now = talk_.clock.now()
    talk_.bridge.store.write(lambda db: talk.wrote(db, talk_.number(ANA), now))
    talk_.work()
    talk_.advance(seconds=10)

    assert len(more) == 4
    assert first.together == first.key
    tags = [one.tag for one in talk_.cloud.taken]
    assert len(tags) == 3
    assert len(set(tags)) == 2


def test_killed_at_each_send_they_are_repeated_once_and_as_one(talk_):
    waiting_together(talk_)
    with killed_after_sending(talk_):
        work(talk_)
        for _ in range(20):
            talk_.clock.advance(timedelta(minutes=12))
            work(talk_)

    assert len(talk_.cloud.taken) == 2
    assert len({one.tag for one in talk_.cloud.taken}) == 1
    assert {one["state"] for one in told(talk_)} == {"parked"}
