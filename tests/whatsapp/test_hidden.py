"""A change of owner asked for under a hidden number: it is shared first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from conversing import request, write
from looking import rows, staff_lines

from bridge.demo.panel_example import ANA
from bridge.store import tables
from bridge.whatsapp import ErrorClass, Inbound, Message, WebhookRequest

BRUNO = 2


def hears(talk_: Any) -> None:
    """Post what the stub has to say, and run what is due."""
    assert set(talk_.tell()) == {200}
    talk_.work()


def proposals(talk_: Any) -> list[Any]:
    return rows(talk_.bridge.store, tables.transfers)


def asks(talk_: Any) -> list[Any]:
    """Return the questions for a number that the provider took."""
    return [one for one in talk_.cloud.taken if "." in one.to]


def wants(talk_: Any) -> None:
    """Ana, whose number is hidden, sends the text of a request."""
    talk_.cloud.write(talk_.number(ANA), request(talk_), hidden=True)
    hears(talk_)


def test_he_is_asked_for_it_and_nothing_counts(talk_):
    wants(talk_)

    (asked,) = asks(talk_)
    assert asked.to.startswith("AR.")
    assert "Compártalo con el botón" in asked.text
    assert proposals(talk_) == []
    assert staff_lines(talk_) == []


def test_he_is_asked_three_times_a_day_at_most(talk_):
    for _ in range(5):
        wants(talk_)
        talk_.clock.advance(timedelta(minutes=1))

    assert len(asks(talk_)) == 3


def test_once_shared_his_word_counts_from_his_telephone(talk_):
    wants(talk_)
    talk_.cloud.share(talk_.number(ANA))
    hears(talk_)
    assert talk_.texts[-1] == "inbound_number_known"
    talk_.clock.advance(timedelta(minutes=1))

    wants(talk_)

    (row,) = proposals(talk_)
    assert (row.from_number, row.state) == (talk_.number(ANA), "proposed")
    assert talk_.messages()[-1].name == "transfer_proposed"
    assert talk_.messages()[-1].to == talk_.number(ANA)


@pytest.mark.parametrize("origin", ["other", ""])
def test_a_card_that_he_was_not_asked_for_may_be_anybodys(talk_, origin):
    wants(talk_)
    talk_.cloud.share(talk_.number(BRUNO), talk_.number(ANA), origin)
    hears(talk_)
    talk_.clock.advance(timedelta(minutes=1))
    talk_.cloud.write(talk_.number(BRUNO), request(talk_), hidden=True)
    hears(talk_)

    assert proposals(talk_) == []
    assert "inbound_number_known" not in talk_.texts


def test_what_was_shared_is_one_identitys_alone_and_for_a_month(talk_):
    wants(talk_)
    talk_.cloud.share(talk_.number(ANA))
    hears(talk_)
    talk_.cloud.write(talk_.number(BRUNO), request(talk_), hidden=True)
    hears(talk_)
    assert proposals(talk_) == []

    talk_.clock.advance(timedelta(days=31))
    wants(talk_)
    assert proposals(talk_) == []


def test_where_the_provider_cannot_ask_staff_have_a_line(kit):
    write(kit, "hidden", request(kit))
    kit.work()

    assert "withholds asked for a change of owner" in staff_lines(kit)[0]


def test_a_question_that_is_refused_waits_for_a_person(talk_):
    provider = talk_.bridge.bench.provider
    body = Message("AR.1", "?", "es", "inbound_share_number", "t", asks=True)
    assert provider.send(body).id.startswith("wamid.")
    with pytest.raises(Exception, match="fix") as caught:
        provider.send(Message("x y", "?", "es", "n", "t", asks=True))
    assert caught.value.kind is ErrorClass.FIX


def test_two_cards_share_nothing(talk_):
    card = {
        "origin": "contact_request",
        "phones": [{"wa_id": talk_.number(ANA).lstrip("+")}],
    }
    found = [
        one
        for cards in ([card], [card, card], [{**card, "phones": []}])
        for one in talk_.bridge.bench.provider.read(
            WebhookRequest("POST", body=talk_.cloud.post(_hook(cards)).body)
        )
    ]

    assert [one.shared for one in found if isinstance(one, Inbound)] == [
        talk_.number(ANA), "", "",
    ]  # fmt: skip


def _hook(cards: list[dict[str, Any]]) -> dict[str, Any]:
    message = {"id": "wamid.1", "type": "contacts", "from_user_id": "AR.1"}
    value = {"metadata": {"phone_number_id": "106540352242922"}}
    value |= {"messages": [message | {"timestamp": "1793624400", "contacts": cards}]}
    change = {"field": "messages", "value": value}
    return {"object": "x", "entry": [{"id": "1", "changes": [change]}]}
