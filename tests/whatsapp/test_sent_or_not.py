"""What nobody knows the fate of: how often it may go again, and whom it went to.

A process that is killed is played by an error that nothing catches.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from looking import job, staff_lines

from bridge.commands.events import describe
from bridge.demo.panel_example import ANA
from bridge.store import outbox
from tests.whatsapp.talking import Talk, killed_after_sending, work

TURN = timedelta(minutes=12)


def turns(kit: Talk, count: int = 40) -> None:
    """Let the bridge be started again and again, some minutes apart."""
    for _ in range(count):
        kit.clock.advance(TURN)
        work(kit)


@pytest.mark.parametrize("tags", [True, False])
def test_killed_at_each_send_it_goes_twice_at_most(talk_, tags):
    talk_.cloud.states = ()
    talk_.bridge.bench.provider.tags = tags
    talk_.world.change_password(ANA)
    with killed_after_sending(talk_):
        work(talk_)
        turns(talk_)

    assert len(talk_.cloud.taken) == 2
    assert job(talk_, "/user-password").state == "parked"
    assert "nobody knows whether it arrived" in job(talk_, "/user-password").reason


def test_killed_at_each_send_but_told_by_a_state_it_goes_once(talk_):
    talk_.world.change_password(ANA)
    with killed_after_sending(talk_):
        work(talk_)
        talk_.tell()
        turns(talk_)

    assert len(talk_.cloud.taken) == 1
    assert job(talk_, "/user-password").state == "done"
    assert talk_.messages()[0].state == "delivered"


def test_waiting_for_its_turn_does_not_forget_that_it_may_have_left(talk_):
    talk_.cloud.states = ()
    talk_.bridge.bench.provider.tags = False
    talk_.world.change_password(ANA)
    with killed_after_sending(talk_):
        work(talk_)
        for _ in range(6):
            talk_.clock.advance(TURN)
            # Somebody else wrote to him just now: this one has to wait for its turn.
            talk_.bridge.bench.sending.turns.to(talk_.number(ANA))
            work(talk_)
            talk_.clock.advance(timedelta(seconds=7))
            work(talk_)

    assert len(talk_.cloud.taken) == 2


def test_refused_for_sure_in_between_it_still_goes_twice_at_most(talk_):
    talk_.cloud.states = ()
    talk_.world.change_password(ANA)
    talk_.cloud.play("lost")
    talk_.work()
    talk_.cloud.play("pair")
    talk_.advance(minutes=11)
    talk_.cloud.play("lost")
    turns(talk_)

    assert len(talk_.cloud.taken) == 2
    assert job(talk_, "/user-password").state == "parked"


def test_unsure_after_it_was_refused_goes_once_more_all_the_same(talk_):
    talk_.cloud.states = ()
    talk_.world.change_password(ANA)
    talk_.cloud.play("rate_limited")
    talk_.cloud.play("trouble")
    talk_.work()
    turns(talk_, 3)

    assert len(talk_.cloud.taken) == 1
    assert job(talk_, "/user-password").state == "done"


def test_an_error_of_our_own_after_the_send_counts_as_one_that_may_have_left(talk_):
    talk_.cloud.states = ()
    sends = talk_.bridge.bench.provider.send

    def send(message):
        sends(message)
        raise KeyError("nobody foresaw this")

    talk_.bridge.bench.provider.send = send
    talk_.world.change_password(ANA)
    talk_.work()
    turns(talk_)

    assert len(talk_.cloud.taken) == 2
    assert job(talk_, "/user-password").state == "parked"


def test_who_lets_it_run_again_gets_one_more(talk_):
    talk_.cloud.states = ()
    talk_.world.change_password(ANA)
    talk_.cloud.play("lost", times=2)
    talk_.work()
    turns(talk_, 3)
    parked = job(talk_, "/user-password")
    now = talk_.clock.now()
    talk_.bridge.store.write(lambda db: outbox.again(db, now, keys=[parked.key]))
    turns(talk_, 3)

    assert parked.state == "parked"
    assert len(talk_.cloud.taken) == 3
    assert job(talk_, "/user-password").state == "done"


# --- Whom it went to ---


@pytest.mark.parametrize("recorded", [True, False])
def test_settled_later_it_shows_the_number_that_was_written_to(talk_, recorded):
    before = talk_.number(ANA)
    talk_.world.change_password(ANA)
    if recorded:
        talk_.cloud.play("lost")
        talk_.work()
    else:
        with killed_after_sending(talk_):
            work(talk_)
    talk_.tell()
    with talk_.world.muted():
        talk_.world.edit_client(ANA, phonenumber="+54.91140009999")
    turns(talk_, 3)

    (message,) = talk_.messages()
    assert message.to == before != talk_.number(ANA)
    assert message.state == "delivered"


@pytest.mark.parametrize("by", ["answer", "state"])
def test_another_number_than_was_meant_is_found_and_told_to_staff_once(talk_, by):
    if by == "answer":
        talk_.cloud.elsewhere = "+5491155550000"
    talk_.world.change_password(ANA)
    talk_.work()
    talk_.cloud.elsewhere = "+5491155550000"
    talk_.cloud.take()
    for state in ("sent", "delivered", "read"):
        talk_.cloud.tell(talk_.cloud.taken[0], state)
    talk_.tell(times=2)
    talk_.work()

    (message,) = talk_.messages()
    assert (message.to, message.reached) == (talk_.number(ANA), "+5491155550000")
    assert message.state == "read"
    lines = [one for one in staff_lines(talk_) if "another number" in one]
    assert len(lines) == 1
    shown = describe(talk_.bridge.store, message.event_id)
    assert "went to another number" in shown["reason"]
    assert {one["to"] for one in shown["messages"][0]["states"]} == {"+5491155550000"}


def test_a_late_failure_of_the_first_attempt_is_none_of_the_second(talk_):
    talk_.cloud.states = ()
    talk_.world.change_password(ANA)
    talk_.cloud.play("lost")
    talk_.work()
    talk_.advance(minutes=11)
    first, second = talk_.cloud.taken
    talk_.cloud.tell(first, "failed", 131000)
    talk_.tell()
    turns(talk_, 3)

    assert len(talk_.cloud.taken) == 2
    assert talk_.messages()[0].state == "accepted"
    assert talk_.messages()[0].provider_id == second.id
    assert "an earlier attempt" in job(talk_, "/failed").reason
