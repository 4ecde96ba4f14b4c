"""A halt that is told only in a later state stops the provider as one at once does."""

from __future__ import annotations

import pytest
from looking import job, rows, staff_lines

from bridge.commands.events import describe
from bridge.demo.panel_example import ANA, BRUNO, FRANK
from bridge.store import tables
from tests.whatsapp.talking import welcome
from tests.whatsapp.test_one_message import everybody, waiting_together

PAYMENT, TOKEN = 131042, 190


def change_passwords(kit, *clients):
    for client in clients:
        kit.world.change_password(client)
    kit.work()


def tells(kit, message, state, code=0):
    kit.cloud.tell(kit.cloud.taken[message], state, code)
    assert kit.tell() == [200]
    kit.work()


def minutes(kit, count):
    for _ in range(count):
        kit.advance(minutes=1)


def to(kit):
    """Return whom messages went to, in order."""
    names = {kit.number(client): client for client in (ANA, BRUNO)}
    return [names[one.to] for one in kit.cloud.taken]


def told(kit):
    return [one for one in staff_lines(kit) if "takes no messages" in one]


@pytest.fixture
def halted(talk_):
    """Ana's message was taken, and failed later as any other would have."""
    talk_.cloud.states = ()
    welcome(talk_)
    tells(talk_, -1, "failed", PAYMENT)
    return talk_


@pytest.mark.parametrize("code", [PAYMENT, TOKEN, 131031])
def test_everything_waits_and_staff_are_told_once(talk_, code):
    talk_.cloud.states = ()
    welcome(talk_)
    tells(talk_, -1, "failed", code)
    change_passwords(talk_, BRUNO)

    waiting = [row for row in rows(talk_.bridge.store, tables.jobs)
               if row.action == "send_alert"]  # fmt: skip
    assert {row.state for row in waiting} == {"waiting"}
    assert all(row.reason.startswith("held back: ") for row in waiting)
    assert {row.attempts for row in waiting} == {0}
    assert to(talk_) == [ANA]
    assert len(told(talk_)) == 1


def test_it_goes_on_by_itself_once_one_was_really_sent(halted):
    change_passwords(halted, BRUNO)
    halted.cloud.states = ("sent",)
    for _ in range(3):
        halted.advance(seconds=20)
        halted.tell()

    assert sorted(to(halted)) == [ANA, ANA, BRUNO]
    messages = halted.messages()
    assert [row.state for row in messages] == ["sent", "sent"]
    assert len({row.key for row in messages}) == 2
    for event in halted.events():
        shown = describe(halted.bridge.store, event.id)
        assert shown["state"] == "done"
        assert len(shown["messages"]) == 1
    assert len(told(halted)) == 1


def test_what_is_taken_proves_nothing_until_its_states_come(halted):
    change_passwords(halted, BRUNO)
    halted.advance(seconds=20)
    minutes(halted, 9)
    before = len(halted.cloud.taken)
    tells(halted, -1, "sent")
    minutes(halted, 6)

    assert before == 2
    assert len(halted.cloud.taken) == 3


def test_where_no_states_come_at_all_it_goes_on_after_a_while(halted):
    change_passwords(halted, BRUNO)
    minutes(halted, 9)
    before = len(halted.cloud.taken)
    minutes(halted, 10)

    assert (before, len(halted.cloud.taken)) == (2, 3)


def test_one_at_a_time_is_tried_while_it_lasts_and_shown_as_one_message(halted):
    change_passwords(halted, BRUNO)
    for _ in range(60):
        halted.advance(minutes=1)
        if len(halted.cloud.taken) % 2 == 0:
            tells(halted, -1, "failed", PAYMENT)
        else:
            tells(halted, -1, "failed", TOKEN)

    assert 10 < len(halted.cloud.taken) < 20
    assert len(told(halted)) == 1
    for event in halted.events():
        shown = describe(halted.bridge.store, event.id)
        assert shown["state"] == "waiting"
        assert [one["state"] for one in shown["messages"]] == ["failed"]
        assert all(len(one["tries"]) <= 1 for one in shown["jobs"])
    alerts = [row for row in rows(halted.bridge.store, tables.jobs)
              if row.action == "send_alert"]  # fmt: skip
    assert {row.attempts for row in alerts} == {0}
    assert len(alerts) == 2


def test_many_that_failed_alike_are_one_halt_and_all_wait(talk_):
    talk_.cloud.states = ()
    change_passwords(talk_, ANA, BRUNO)
    for message in (0, 1):
        talk_.cloud.tell(talk_.cloud.taken[message], "failed", PAYMENT)
    talk_.tell()
    talk_.work()
    circuit = talk_.bridge.bench.provider_circuit
    rest = circuit.until - talk_.clock.now()
    talk_.cloud.states = ("sent",)
    for _ in range(3):
        talk_.advance(seconds=20)
        talk_.tell()

    assert rest.total_seconds() == 15
    assert sorted(to(talk_)) == [ANA, ANA, BRUNO, BRUNO]
    assert not circuit.open


def test_what_was_taken_before_it_was_well_again_halts_nothing(talk_):
    talk_.cloud.states = ()
    change_passwords(talk_, ANA, BRUNO)
    bruno = to(talk_).index(BRUNO)
    tells(talk_, 1 - bruno, "failed", PAYMENT)
    talk_.advance(seconds=20)
    tells(talk_, -1, "sent")
    talk_.advance(seconds=40)
    change_passwords(talk_, ANA)
    tells(talk_, bruno, "failed", PAYMENT)

    assert not talk_.bridge.bench.provider_circuit.open
    assert to(talk_)[-1] == BRUNO
    assert len(to(talk_)) == 5


def test_one_that_fails_for_a_reason_of_its_own_proves_that_it_is_well(halted):
    change_passwords(halted, BRUNO)
    halted.advance(seconds=20)
    tells(halted, -1, "failed", 130403)
    halted.advance(seconds=40)

    assert len(halted.cloud.taken) == 3
    assert not halted.bridge.bench.provider_circuit.open


def test_what_arrived_after_all_is_not_sent_again(halted):
    tells(halted, -1, "delivered")
    shown = describe(halted.bridge.store, halted.events()[0].id)
    halted.advance(minutes=30)

    assert (shown["state"], len(shown["messages"])) == ("done", 1)
    assert shown["messages"][0]["state"] == "delivered"
    assert to(halted) == [ANA]


def test_an_answer_waits_as_well(talk_):
    talk_.cloud.states = ()
    talk_.writes(ANA, "STOP")
    tells(talk_, -1, "failed", PAYMENT)
    waits = job(talk_, "/answer")
    talk_.advance(minutes=1)

    assert (waits.state, waits.reason[:9]) == ("waiting", "held back")
    assert [one.tag for one in talk_.cloud.taken] == [waits.key] * 2
    assert talk_.texts == ["inbound_stopped"]


def test_alerts_that_went_as_one_wait_as_one(talk_):
    ids = waiting_together(talk_)
    talk_.work()
    tells(talk_, -1, "failed", PAYMENT)
    talk_.cloud.states = ("sent",)
    talk_.advance(seconds=20)
    talk_.tell()

    assert len(talk_.cloud.taken) == 2
    assert all(f"{id}" in talk_.cloud.taken[1].text for id in ids)
    everybody(talk_, "done", "sent")


def test_one_that_is_refused_at_once_for_itself_proves_nothing(halted):
    change_passwords(halted, BRUNO, FRANK)
    halted.cloud.play("template_missing")
    halted.advance(seconds=20)
    halted.work()

    assert len(halted.cloud.taken) == 1
    assert halted.bridge.bench.provider_circuit.open
    halted.cloud.states = ("sent",)
    for _ in range(3):
        halted.advance(minutes=1)
        halted.tell()
    assert len(halted.cloud.taken) == 3


def test_the_sending_can_be_shown_before_any_halt(talk_):
    assert "Sending(" in repr(talk_.bridge.bench.sending)
