"""A change of owner asked for under a hidden number: it is shared first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from conversing import request, write
from looking import rows, staff_lines

from bridge.demo.panel_example import ANA
from bridge.demo.whatsapp.cloud import WABA_ID
from bridge.errors import ErrorClass
from bridge.store import tables, talk
from bridge.whatsapp import Inbound, Message, WebhookRequest

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
    assert "Se comparte con el botón" in asked.text
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


def test_what_he_wrote_since_he_shared_it_keeps_his_window_open(talk_):
    wants(talk_)
    talk_.cloud.share(talk_.number(ANA))
    talk_.tell()
    talk_.clock.advance(timedelta(minutes=10))
    talk_.cloud.write(talk_.number(ANA), "Gracias")
    hears(talk_)

    with talk_.bridge.store.read() as db:
        known = talk.contact(db, talk_.number(ANA))
    assert talk_.clock.now() - known.wrote_at < timedelta(minutes=1)


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


# --- Whose identity it is was told before ---


def stopped(talk_: Any) -> bool:
    """Tell whether Ana gets no alerts any more."""
    with talk_.bridge.store.read() as db:
        return talk.contact(db, talk_.number(ANA)).opted_out_at is not None


def test_a_stop_under_a_hidden_number_counts_for_whom_it_was_told_with(talk_):
    talk_.writes(ANA, "hola")
    talk_.clock.advance(timedelta(days=1))

    talk_.cloud.write(talk_.number(ANA), "BAJA ALERTAS", hidden=True)
    hears(talk_)

    assert stopped(talk_)
    assert talk_.texts[-1] == "inbound_stopped"
    assert staff_lines(talk_) == []


def test_a_state_tells_whose_identity_it_is_as_well(talk_):
    user = f"AR.{int(talk_.number(ANA).lstrip('+')) * 7919}"
    state = {"id": "wamid.x", "status": "sent", "timestamp": "1793624400"}
    state |= {"recipient_id": talk_.number(ANA).lstrip("+"), "recipient_user_id": user}
    value = {"metadata": {"phone_number_id": talk_.bridge.bench.provider.number}}
    change = {"field": "messages", "value": value | {"statuses": [state]}}
    talk_.cloud.post({"object": "x", "entry": [{"id": "1", "changes": [change]}]})
    hears(talk_)

    talk_.cloud.write(talk_.number(ANA), "STOP", hidden=True)
    hears(talk_)

    assert stopped(talk_)


def test_after_a_month_it_may_be_anothers(talk_):
    talk_.writes(ANA, "hola")
    talk_.clock.advance(timedelta(days=31))

    talk_.cloud.write(talk_.number(ANA), "BAJA ALERTAS", hidden=True)
    hears(talk_)

    assert not stopped(talk_)


def wish(talk_: Any, value: str, at: int) -> None:
    """Ana's app tells what she wants of marketing, *at* seconds after now."""
    number = talk_.number(ANA).lstrip("+")
    stamp = str(int(talk_.clock.now().timestamp()) + at)
    told = {"wa_id": number, "category": "marketing_messages", "timestamp": stamp}
    change = {"field": "user_preferences"}
    change["value"] = {"user_preferences": [told | {"value": value}]}
    talk_.cloud.post({"object": "x", "entry": [{"id": WABA_ID, "changes": [change]}]})
    hears(talk_)


@pytest.mark.parametrize(
    ("wishes", "refused"),
    [
        ([("stop", -60), ("resume", -90)], True),
        ([("stop", -60), ("signup", -30)], True),
        ([("stop", -60), ("", -30)], True),
        ([("stop", -60), ("resume", -30)], False),
    ],
)
def test_the_later_wish_about_marketing_counts(talk_, wishes, refused):
    for value, at in wishes:
        wish(talk_, value, at)

    with talk_.bridge.store.read() as db:
        assert talk.contact(db, talk_.number(ANA)).no_marketing is refused
