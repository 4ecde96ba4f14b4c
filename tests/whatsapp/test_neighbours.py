"""One webhook for many: what was written to our number is taken, a neighbour's is not.

The sender may be set in another form than the provider names it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from looking import rows

from bridge import wiring
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.settings import Secret, Settings
from bridge.store import tables
from bridge.whatsapp import Other
from tests.whatsapp.providers import GIVEN, HELLO, PUBLIC, hook, provider
from tests.whatsapp.talking import welcome

SERVICE, ANOTHER = "MG" + "a" * 32, "MG" + "b" * 32


def wired_to(kit: Any, bridge_for: Any, name: str, **changed: str) -> Any:
    """Return a bridge with an adapter whose settings are *changed*, by last words."""
    given = {
        key: text.format(url="http://127.0.0.1:9") for key, text in GIVEN[name].items()
    }
    given |= {f"WHATSAPP_{name.upper()}_{key}": text for key, text in changed.items()}
    others = {key: Secret(text) for key, text in given.items()}
    settings = Settings(whatsapp_provider=name, public_url=PUBLIC, others=others)
    return bridge_for(
        provider=wiring.make_provider(settings, kit.clock.now, transport=None)
    )


def post(bridge: Any, name: str, stub: Any) -> None:
    """Post what a simulated provider has to say; it is answered 200 in any case."""
    for told in stub.take():
        answer = (
            bridge.app()
            .test_client()
            .post(f"/whatsapp/{name}", data=told.body, headers=dict(told.headers))
        )
        assert answer.status_code == 200


def stopped(bridge: Any) -> list[str]:
    """Return the numbers that want no alerts."""
    found = rows(bridge.store, tables.contacts)
    return [row.number for row in found if row.opted_out_at]


@pytest.mark.parametrize(
    ("sender", "named", "service"),
    [
        (SERVICE, "+14155550100", SERVICE),
        (SERVICE, "+14155550100", ""),
        ("+14155550100", "+14155550100", SERVICE),
        ("+14155550100", "+14155550100", ""),
        ("+5215512345678", "+525512345678", ""),
        ("+525512345678", "+5215512345678", ""),
        ("+541155551234", "+5491155551234", ""),
        ("+5491155551234", "+541155551234", ""),
        ("+5531987654321", "+553187654321", ""),
    ],
)
def test_who_writes_stop_to_our_sender_is_heard(
    kit, bridge_for, sender, named, service
):
    bridge = wired_to(kit, bridge_for, "twilio", FROM=sender)
    stub = TwilioStub(kit.clock.now)
    stub.service = service
    stub.write(HELLO.to, "STOP", To=f"whatsapp:{named}")

    post(bridge, "twilio", stub)

    assert stopped(bridge) == [HELLO.to]


@pytest.mark.parametrize(
    ("sender", "service"),
    [(SERVICE, ANOTHER), ("+14155550199", ""), ("+14155550199", SERVICE), ("x", "")],
)
def test_what_was_written_to_another_sender_is_not_ours(
    kit, bridge_for, sender, service
):
    bridge = wired_to(kit, bridge_for, "twilio", FROM=sender)
    stub = TwilioStub(kit.clock.now)
    stub.service = service
    stub.write(HELLO.to, "STOP")

    post(bridge, "twilio", stub)

    assert stopped(bridge) == []
    assert rows(bridge.store, tables.events) == []


WHO = {"remoteJid": "5491155551234@s.whatsapp.net"}
GATEWAYS = [
    ("evolution", "instance", "ventas", {"event": "messages.upsert", "data": {
        "key": WHO | {"id": "A", "fromMe": False}, "message": {"conversation": "STOP"},
    }}),
    ("evolution", "instance", "ventas", {"event": "messages.update", "data": {
        "keyId": "A", "status": "READ", "fromMe": True, **WHO,
    }}),
    ("evolution", "instance", "ventas", {"event": "connection.update", "data": {
        "state": "close",
    }}),
    ("waha", "session", "default", {"event": "message", "payload": {
        "id": "false_5491155551234@c.us_A", "from": "5491155551234@c.us",
        "body": "STOP",
    }}),
    ("waha", "session", "default", {"event": "message.ack", "payload": {
        "id": "true_5491155551234@c.us_A", "from": "5491155551234@c.us", "ack": 3,
    }}),
    ("waha", "session", "default", {"event": "session.status", "payload": {
        "status": "STOPPED",
    }}),
]  # fmt: skip


def read(name: str, body: Any) -> list[Any]:
    adapter = provider(name, "http://127.0.0.1:9", None)
    return adapter.read(hook(json.dumps(body).encode(), name=name))


@pytest.mark.parametrize(("name", "field", "ours", "body"), GATEWAYS)
def test_a_gateways_callbacks_are_of_one_session(name, field, ours, body):
    (taken,) = read(name, body)

    assert not isinstance(taken, Other)
    assert read(name, body | {field: ours}) == [taken]
    assert read(name, body | {field: "otra"}) == [Other(f"of another {field}")]


NUMBER_ID, WABA_ID = "106540352242922", "102290129340398"
STATUS = {"id": "wamid.1", "status": "read", "timestamp": "1795359600"}
NAMED = {"message_template_name": "welcome", "message_template_language": "es"}
CLOUD = [
    ("messages", {"statuses": [STATUS]}),
    ("messages", {"messages": [{"id": "wamid.2", "type": "text", "from": "549115"}]}),
    ("user_preferences", {"user_preferences": [{"wa_id": "1", "value": "stop"}]}),
    ("message_template_status_update", NAMED | {"event": "DISABLED"}),
    ("template_category_update", NAMED | {"new_category": "MARKETING"}),
]


def cloud(field: str, value: Any, account: str, number: str) -> list[Any]:
    told = value | ({"metadata": {"phone_number_id": number}} if number else {})
    entry = {"changes": [{"field": field, "value": told}]}
    return read("cloud", {"entry": [entry | ({"id": account} if account else {})]})


@pytest.mark.parametrize(("field", "value"), CLOUD)
def test_metas_updates_are_of_one_number_and_account(field, value):
    for account, number in [(WABA_ID, ""), ("", ""), (WABA_ID, NUMBER_ID)]:
        (taken,) = cloud(field, value, account, number)
        assert not isinstance(taken, Other)

    assert cloud(field, value, "9", "") == [Other("of another account")]
    assert cloud(field, value, WABA_ID, "7") == [Other("of another number")]


def test_a_neighbours_state_with_our_tag_marks_no_message(talk_):
    talk_.cloud.states = ()
    sent = welcome(talk_)
    status = STATUS | {"biz_opaque_callback_data": sent.key, "recipient_id": "1"}
    value = {"metadata": {"phone_number_id": "777"}, "statuses": [status]}
    change = {"field": "messages", "value": value}
    talk_.cloud.post({"object": "x", "entry": [{"id": "9", "changes": [change]}]})

    assert talk_.tell() == [200]

    assert talk_.messages()[-1].state == "accepted"
    assert rows(talk_.bridge.store, tables.receipts) == []
