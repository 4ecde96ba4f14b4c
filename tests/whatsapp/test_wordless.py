"""Reactions, changes and what cannot be read: heard, and that is all."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from looking import job, rows, staff_lines

from bridge import upkeep
from bridge.demo.panel_example import ANA
from bridge.store import tables, talk
from bridge.whatsapp import Inbound
from tests.whatsapp.providers import hook, provider

WHO = "5491155551234@s.whatsapp.net"
STOP = {"conversation": "STOP"}


def evolution(message: Any) -> dict[str, Any]:
    key = {"remoteJid": WHO, "fromMe": False, "id": "3A1"}
    data = {"key": key, "message": message, "messageTimestamp": "1795359600"}
    return {"event": "messages.upsert", "instance": "ventas", "data": data}


def waha(body: str = "", **more: Any) -> dict[str, Any]:
    payload = {"id": "false_5491155551234@c.us_3A1", "from": "5491155551234@c.us"}
    payload |= {"fromMe": False, "body": body, "hasMedia": False}
    return {"event": "message", "session": "default", "payload": payload | more}


def cloud(type: str, **more: Any) -> dict[str, Any]:
    message = {"id": "wamid.2", "from": "5491155551234", "timestamp": "1795359600"}
    value = {"metadata": {"phone_number_id": "106540352242922"}}
    value |= {"messages": [message | {"type": type} | more]}
    entry = {
        "id": "102290129340398",
        "changes": [{"field": "messages", "value": value}],
    }
    return {"object": "whatsapp_business_account", "entry": [entry]}


def twilio(type: str, **more: str) -> dict[str, str]:
    form = {"MessageSid": "SM1", "SmsStatus": "received", "MessageType": type}
    form |= {"From": "whatsapp:+5491155551234", "To": "whatsapp:+14155550100"}
    return form | more


def protocol(type: Any, **more: Any) -> dict[str, Any]:
    return {"protocolMessage": {"type": type, "key": {"id": "3A0"}} | more}


WORDLESS = {
    "cloud: reaction": ("cloud", cloud("reaction", reaction={"emoji": "👍"})),
    "cloud: edit": ("cloud", cloud("edit", edit={"message": {"text": STOP}})),
    "cloud: revoke": ("cloud", cloud("revoke", revoke={"original_message_id": "1"})),
    "cloud: unsupported": ("cloud", cloud("unsupported")),
    "cloud: new": ("cloud", cloud("hologram", errors=[{"code": 131051}])),
    "twilio: reaction": ("twilio", twilio("reaction", Body="STOP")),
    "twilio: unsupported": ("twilio", twilio("unsupported")),
    "evolution: reaction": ("evolution", evolution({"reactionMessage": {"text": "x"}})),
    "evolution: edit": ("evolution", evolution(protocol(14, editedMessage=STOP))),
    "evolution: edit, wrapped": (
        "evolution",
        evolution({"editedMessage": {"message": protocol(14, editedMessage=STOP)}}),
    ),
    "evolution: revoke": ("evolution", evolution(protocol("REVOKE"))),
    "evolution: in a chat that forgets": (
        "evolution",
        evolution({"ephemeralMessage": {"message": {"reactionMessage": {}}}}),
    ),
    "evolution: undeciphered": ("evolution", evolution(None)),
    "waha: reaction": (
        "waha",
        waha("STOP", _data={"message": {"reactionMessage": {}}}),
    ),
    "waha: reaction of another engine": (
        "waha",
        waha("👍", _data={"Message": {"reactionMessage": {"text": "👍"}}}),
    ),
    "waha: edit": (
        "waha",
        waha("STOP", _data={"message": protocol(14, editedMessage=STOP)}),
    ),
    "waha: revoked": ("waha", waha("STOP", _data={"type": "revoked"})),
    "waha: undeciphered": ("waha", waha(_data={"type": "ciphertext"})),
    "waha: nothing": ("waha", waha()),
}
SAID = {
    "cloud: text": ("cloud", cloud("text", text={"body": "Hola"})),
    "cloud: sticker": ("cloud", cloud("sticker", sticker={"id": "1"})),
    "cloud: order": ("cloud", cloud("order", order={})),
    "twilio: text": ("twilio", twilio("text", Body="Hola")),
    "twilio: place": ("twilio", twilio("location", Latitude="1")),
    "evolution: sticker": ("evolution", evolution({"stickerMessage": {}})),
    "evolution: text": ("evolution", evolution({"conversation": "Hola"})),
    "waha: text": ("waha", waha("Hola")),
    "waha: file": ("waha", waha(hasMedia=True)),
    "waha: place": ("waha", waha(location={"latitude": 1})),
    "waha: chat": ("waha", waha("Hola", _data={"type": "chat"})),
}


def reading(name: str, body: Any) -> Inbound:
    raw = urlencode(body) if name == "twilio" else json.dumps(body)
    adapter = provider(name, "http://127.0.0.1:1", None)
    (found,) = adapter.read(hook(raw.encode(), name=name))
    assert isinstance(found, Inbound)
    return found


@pytest.mark.parametrize(("name", "body"), WORDLESS.values(), ids=WORDLESS.keys())
def test_nothing_is_said_with_it(name, body):
    found = reading(name, body)

    assert found.wordless
    assert found.sender == "+5491155551234"


@pytest.mark.parametrize(("name", "body"), SAID.values(), ids=SAID.keys())
def test_something_is_said_with_it(name, body):
    assert not reading(name, body).wordless


# --- Through the door ---

SIGNS = [
    ("reaction", {"reaction": {"message_id": "wamid.1", "emoji": "👍"}}, True),
    ("unsupported", {"errors": [{"code": 131051}]}, True),
    ("edit", {"edit": {"message": {"type": "text", "text": {"body": "STOP"}}}}, False),
    ("revoke", {"revoke": {"original_message_id": "wamid.1"}}, False),
]


@pytest.mark.parametrize("other", ["reply", "open_ticket"])
@pytest.mark.parametrize(("what", "content", "opens"), SIGNS)
def test_it_is_kept_and_neither_answered_nor_a_word(
    wired, config_with, what, content, opens, other
):
    kit = wired(config_dir=config_with(("other: reply", f"other: {other}")))
    while upkeep.index_phones(kit.bridge.bench):
        pass
    kit.cloud._inbound(kit.number(ANA), {"type": what} | content)
    assert kit.tell() == [200]
    kit.work()

    (event,) = kit.events()
    assert (event.hookpoint, event.data["wordless"]) == ("WhatsAppMessage", what)
    answer = job(kit, "/answer")
    assert (answer.state, answer.attempts) == ("skipped", 1)
    assert answer.reason.startswith(f"{what}: nothing is said")
    assert (kit.cloud.asks, kit.world.tickets, staff_lines(kit)) == (0, {}, [])
    with kit.bridge.store.read() as db:
        found = talk.contact(db, kit.number(ANA), ANA)
    assert found.window_open(kit.clock.now()) is opens
    assert found.opted_at is None


def test_what_he_writes_afterwards_is_answered(talk_):
    talk_.cloud._inbound(talk_.number(ANA), {"type": "reaction", "reaction": {}})
    talk_.tell()
    talk_.work()
    talk_.writes(ANA, "hola")

    assert talk_.texts == ["inbound_reply"]
    assert len(rows(talk_.bridge.store, tables.events)) == 2
