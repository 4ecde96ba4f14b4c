"""What a state says long after a message was taken is shown and obeyed as it is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from looking import job, rows

from bridge import upkeep
from bridge.commands.events import describe
from bridge.demo.panel_example import ANA, BRUNO
from bridge.demo.whatsapp.cloud import NUMBER_ID, WABA_ID
from bridge.store import claims, tables
from bridge.store.outbox import FINAL
from tests.whatsapp.talking import fail, welcome


def shown(kit):
    """Return what `events show` tells of the newest event."""
    found = describe(kit.bridge.store, kit.events()[0].id)
    assert found is not None
    return found


def arrives(kit, message=-1):
    kit.cloud.tell(kit.cloud.taken[message], "delivered")
    assert kit.tell() == [200]


def nothing_waits(kit):
    return {one.state for one in rows(kit.bridge.store, tables.jobs)} <= set(FINAL)


# --- It failed, and arrived after all ---


def one_delivered(kit):
    found = shown(kit)
    (message,) = found["messages"]
    assert (found["state"], message["state"]) == ("done", "delivered")
    assert found["reason"] == "password_changed to client 1: delivered"
    return message


@pytest.mark.parametrize("code", [131000, 131049])
def test_what_arrived_after_it_failed_is_one_message(talk_, code):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, code)
    arrives(talk_)

    follows = one_delivered(talk_)["follow_up"]
    assert follows["reason"] == "it arrived after all: nothing was sent anew"
    assert nothing_waits(talk_)
    talk_.advance(hours=25)
    one_delivered(talk_)
    assert len(talk_.cloud.taken) == 1


def test_it_is_found_too_by_what_had_begun_to_be_sent_anew(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, 131000)
    again, now = job(talk_, "/again:1"), talk_.clock.now()
    lease = again.run_at - now
    talk_.bridge.store.write(lambda db: claims.claim_one(db, again.key, now, lease))
    arrives(talk_)
    talk_.advance(minutes=11)

    one_delivered(talk_)
    assert job(talk_, "/again:1").state == "skipped"
    assert len(talk_.cloud.taken) == 1


def test_nobody_has_to_look_at_what_arrived(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, 132012)
    waited = shown(talk_)["state"]
    arrives(talk_)

    assert waited == "parked"
    one_delivered(talk_)
    assert nothing_waits(talk_)


def test_what_was_sent_anew_already_is_shown_beside_it(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    fail(talk_, 131000)
    talk_.advance(minutes=11)
    arrives(talk_, 0)

    first, second = shown(talk_)["messages"]
    assert (first["state"], second["state"]) == ("delivered", "accepted")
    assert first["follow_up"]["reason"].startswith("sent anew at")
    assert len(talk_.cloud.taken) == 2


def test_of_what_was_sent_three_times_the_last_one_speaks(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    for _ in range(2):
        fail(talk_, 131000)
        talk_.advance(minutes=11)
    arrives(talk_)

    found = shown(talk_)
    states = [one["state"] for one in found["messages"]]
    assert states == ["failed", "failed", "delivered"]
    assert found["reason"] == "password_changed to client 1: delivered"


# --- A state without the provider's id ---


def without_id(kit, *told):
    """Post states that carry our tag alone: (message, state, code)."""
    statuses = []
    for message, state, code in told:
        status = {"status": state, "timestamp": "1793624400"}
        status |= {"biz_opaque_callback_data": message.tag}
        status |= {"recipient_id": message.to.lstrip("+")}
        status |= {"errors": [{"code": code}]} if code else {}
        statuses.append(status)
    value = {"metadata": {"phone_number_id": NUMBER_ID}, "statuses": statuses}
    change = {"field": "messages", "value": value}
    kit.cloud.post({"object": "x", "entry": [{"id": WABA_ID, "changes": [change]}]})
    assert kit.tell() == [200]


def two_messages(kit):
    kit.cloud.states = ()
    for client in (ANA, BRUNO):
        kit.world.change_password(client)
    kit.work()
    return kit.cloud.taken


def test_states_without_an_id_are_each_of_their_own_message(talk_):
    one, other = two_messages(talk_)
    without_id(talk_, (one, "sent", 0), (other, "sent", 0), (one, "delivered", 0))
    without_id(talk_, (other, "read", 0), (one, "delivered", 0))

    states = {row.key: row.state for row in talk_.messages()}
    assert states == {one.tag: "delivered", other.tag: "read"}
    ids = {row.key: row.provider_id for row in talk_.messages()}
    assert ids == {one.tag: one.id, other.tag: other.id}
    assert len(rows(talk_.bridge.store, tables.receipts)) == 4
    for event in talk_.events():
        (message,) = describe(talk_.bridge.store, event.id)["messages"]
        assert len(message["states"]) == 2


def test_failures_without_an_id_are_each_looked_after(talk_):
    one, other = two_messages(talk_)
    without_id(talk_, (one, "failed", 131000), (other, "failed", 132012))
    talk_.work()

    found = [describe(talk_.bridge.store, event.id) for event in talk_.events()]
    assert {event["state"] for event in found} == {"waiting", "parked"}
    follows = [event["messages"][0]["follow_up"]["reason"] for event in found]
    assert {why.split(" at ")[0].split(" was")[0] for why in follows} == {
        "sent anew",
        'the text "password_changed"',
    }


def test_a_state_without_an_id_settles_a_lost_answer(talk_):
    talk_.cloud.states = ()
    talk_.cloud.play("lost")
    talk_.world.change_password(ANA)
    talk_.work()
    without_id(talk_, (talk_.cloud.taken[0], "delivered", 0))
    talk_.advance(minutes=11)

    (message,) = talk_.messages()
    assert (message.state, message.provider_id) == ("delivered", "")
    assert len(talk_.cloud.taken) == 1


def test_one_that_comes_before_our_own_answer_waits_for_it(talk_):
    sends = talk_.bridge.bench.provider.send

    def send(message):
        receipt = sends(message)
        without_id(talk_, (talk_.cloud.taken[-1], "delivered", 0))
        return receipt

    talk_.cloud.states = ()
    talk_.bridge.bench.provider.send = send
    sent = welcome(talk_)

    assert (sent.state, sent.provider_id) == ("delivered", talk_.cloud.taken[0].id)


# --- It was written in the same moment as our own answer ---


def test_a_state_that_passed_a_message_by_is_caught_up_with(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    arrives(talk_)
    change = sa.update(tables.messages).values(state="accepted")
    talk_.bridge.store.write(lambda db: db.execute(change))
    caught_up = [upkeep.catch_up(talk_.bridge.bench) for _ in range(2)]

    assert caught_up == [1, 0]
    one_delivered(talk_)
