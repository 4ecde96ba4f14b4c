"""A number that a state names is learnt and shown only where that is proven.

Meta names number and identity together in a state where it may tell both; what was
written to an identity went to that, whatever number is named beside it
(https://developers.facebook.com/docs/whatsapp/business-scoped-user-ids).
"""

from __future__ import annotations

import pytest
from conversing import request
from looking import job, rows, staff_lines

from bridge.commands.events import describe
from bridge.demo.panel_example import ANA, BRUNO
from bridge.demo.whatsapp.cloud import NUMBER_ID, WABA_ID
from bridge.store import people, tables
from tests.whatsapp.talking import killed_after_sending, welcome, work

ANOTHER = "AR.777"


def state(kit, message, word="delivered", number="", user="", **more):
    """Post a state of a message that names a number, an identity or both."""
    status = {"id": message.id, "status": word, "timestamp": "1793624400"}
    status |= {"biz_opaque_callback_data": message.tag}
    status |= {"recipient_id": number.lstrip("+")} if number else {}
    status |= {"recipient_user_id": user} if user else {}
    value = {"metadata": {"phone_number_id": NUMBER_ID}, "statuses": [status | more]}
    change = {"field": "messages", "value": value}
    kit.cloud.post({"object": "x", "entry": [{"id": WABA_ID, "changes": [change]}]})
    assert kit.tell() == [200]
    kit.work()


def known(kit, user):
    with kit.bridge.store.read() as db:
        return people.number_of(db, user, kit.clock.now())


def asked(kit):
    """Ana, whose number is hidden, is asked for it; return what went to her."""
    kit.cloud.states = ()
    kit.cloud.write(kit.number(ANA), request(kit), hidden=True)
    assert kit.tell() == [200]
    kit.work()
    return kit.cloud.taken[-1]


def test_what_was_written_to_an_identity_did_not_go_to_a_wrong_number(talk_):
    question = asked(talk_)
    state(talk_, question, number=talk_.number(BRUNO), user=question.to)

    (message,) = talk_.messages()
    assert (message.to, message.reached) == (question.to, None)
    assert message.state == "delivered"
    assert staff_lines(talk_) == []
    (shown,) = describe(talk_.bridge.store, message.event_id)["messages"]
    assert shown["to"] == question.to
    assert "to" not in shown["states"][0]


def test_it_is_not_shown_as_written_to_a_number_when_our_own_record_is_lost(talk_):
    talk_.cloud.states = ()
    talk_.cloud.write(talk_.number(ANA), request(talk_), hidden=True)
    talk_.tell()
    with killed_after_sending(talk_):
        work(talk_)
    question = talk_.cloud.taken[-1]
    state(talk_, question, number=talk_.number(BRUNO), user=question.to)
    talk_.advance(minutes=11)

    (message,) = talk_.messages()
    assert (message.to, message.reached) == (question.to, None)
    assert len(talk_.cloud.taken) == 1


def test_a_pair_is_learnt_from_a_state_of_the_identity_that_was_written_to(talk_):
    question = asked(talk_)
    state(talk_, question, number=talk_.number(BRUNO), user=ANOTHER)
    state(talk_, question, "read", number=talk_.number(BRUNO))
    assert (known(talk_, ANOTHER), known(talk_, question.to)) == ("", "")

    state(talk_, question, "read", number=talk_.number(ANA), user=question.to)
    assert known(talk_, question.to) == talk_.number(ANA)


def test_a_state_of_another_number_than_was_written_to_proves_no_pair(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    sent = talk_.cloud.taken[-1]
    state(talk_, sent, "sent", number=talk_.number(BRUNO), user=ANOTHER)
    assert known(talk_, ANOTHER) == ""

    state(talk_, sent, number=sent.to, user=ANOTHER)
    assert known(talk_, ANOTHER) == talk_.number(ANA)


def test_a_failure_proves_no_pair(talk_):
    talk_.cloud.states = ()
    welcome(talk_)
    sent, errors = talk_.cloud.taken[-1], [{"code": 131026}]
    state(talk_, sent, "failed", number=sent.to, user=ANOTHER, errors=errors)

    assert known(talk_, ANOTHER) == ""


@pytest.mark.parametrize("code", [130403, 131047])
def test_of_a_failed_question_nothing_is_noted_under_an_identity(talk_, code):
    question = asked(talk_)
    errors = [{"code": code}]
    state(talk_, question, "failed", user=question.to, errors=errors)

    assert job(talk_, "/failed").state in ("done", "skipped", "parked")
    numbers = {row.number for row in rows(talk_.bridge.store, tables.contacts)}
    assert question.to not in numbers


def test_a_message_that_is_told_twice_with_another_sender_proves_no_pair(talk_):
    talk_.writes(ANA, "hola")
    first = talk_.events()[0].id.removeprefix("cloud:")
    message = {"id": first, "from": talk_.number(BRUNO).lstrip("+")}
    message |= {"from_user_id": ANOTHER, "timestamp": "1793624400", "type": "text"}
    value = {"metadata": {"phone_number_id": NUMBER_ID}}
    value |= {"messages": [message | {"text": {"body": "STOP"}}]}
    change = {"field": "messages", "value": value}
    talk_.cloud.post({"object": "x", "entry": [{"id": WABA_ID, "changes": [change]}]})
    assert set(talk_.tell()) == {200}

    assert known(talk_, ANOTHER) == ""
    assert not talk_.bridge.bench.consents.stopped(talk_.number(BRUNO), BRUNO)
