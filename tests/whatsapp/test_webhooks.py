"""What comes in: batches unpacked, odd parts kept apart, hostile ones harmless."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ErrorClass
from bridge.whatsapp import (
    ConsentNotice,
    Inbound,
    InboundKind,
    Other,
    SessionNotice,
    State,
    StateNotice,
    TemplateNotice,
    Unreadable,
)
from tests.whatsapp.providers import HELLO, NOW, hook, provider

JSON_NAMES = ("cloud", "evolution", "waha")


def reading(name: str, body: object, query: str = "") -> list[object]:
    """Return what an adapter reads out of JSON, a form (pairs) or bytes."""
    adapter = provider(name, "http://127.0.0.1:1", None)
    if name == "twilio" and isinstance(body, dict):
        body = urlencode(body).encode()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return adapter.read(hook(raw, name=name, query=query))


def change(field: str = "messages", **value: object) -> dict[str, object]:
    return {"field": field, "value": value}


def meta(*changes: object) -> dict[str, object]:
    entry = {"id": "102290129340398", "changes": list(changes)}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def status(**more: object) -> dict[str, object]:
    return {"id": "wamid.1", "status": "sent", "timestamp": "1795359600"} | more


def message(**more: object) -> dict[str, object]:
    written = {"type": "text", "text": {"body": "Hola"}}
    known = {"id": "wamid.2", "from": "5491155551234", "timestamp": "1795359600"}
    return known | written | more


# --- Cloud API ---


def test_a_batch_is_unpacked_in_its_order():
    body = meta(
        change(statuses=[status(), status(status="delivered")]),
        change(messages=[message(), message(id="wamid.3")]),
    )
    body["entry"] *= 2

    found = reading("cloud", body)

    one = ["StateNotice", "StateNotice", "Inbound", "Inbound"]
    assert [type(notice).__name__ for notice in found] == one * 2


def test_a_bad_item_does_not_lose_the_others():
    body = meta(
        change(statuses=[None, 5, {}, status(), "x", [], status(status=["sent"])]),
        None,
        change(messages=[{"id": {}}, message(), message(timestamp=[]), True]),
        {"field": ["messages"], "value": 4},
    )

    found = reading("cloud", body)

    good = [one for one in found if not isinstance(one, Other)]
    assert [type(one).__name__ for one in good] == ["StateNotice", "Inbound", "Inbound"]


def test_a_thousand_updates_come_in_one_request():
    rows = [
        status(id=f"wamid.{n}", biz_opaque_callback_data=f"j{n}") for n in range(1000)
    ]

    found = reading("cloud", meta(change(statuses=rows)))

    assert [one.tag for one in found] == [f"j{n}" for n in range(1000)]


def test_a_state_carries_what_settles_a_message():
    price = {"billable": True, "pricing_model": "PMP", "category": "utility", "new": 1}
    row = status(
        recipient_id="5215512345678", biz_opaque_callback_data="job:1", pricing=price
    )

    (found,) = reading("cloud", meta(change(statuses=[row])))

    assert found == StateNotice(
        "wamid.1",
        "job:1",
        State.SENT,
        datetime(2026, 11, 22, 15, 0, tzinfo=UTC),
        to="+525512345678",
        pricing={"billable": "true", "pricing_model": "PMP", "category": "utility"},
    )


STATES = [
    ("sent", State.SENT), ("delivered", State.DELIVERED), ("read", State.READ),
    ("played", State.READ), ("failed", State.FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("word", "state"), STATES)
def test_metas_words_for_states(word, state):
    (found,) = reading("cloud", meta(change(statuses=[status(status=word)])))

    assert found.state is state


@pytest.mark.parametrize(
    ("code", "kind"),
    [(131047, "as_template"), (131026, "never"), ("131049", "later"), (None, "fix")],
)
def test_a_failed_state_has_the_class_of_its_code(code, kind):
    row = status(status="failed", errors=[{"code": code, "title": "x"}])

    (found,) = reading("cloud", meta(change(statuses=[row])))

    assert (found.state, found.kind) == (State.FAILED, ErrorClass(kind))
    assert found.code == ("" if code is None else str(code))
    assert found.detail


def test_a_failed_state_without_any_error_is_one_too():
    for errors in ({}, {"errors": []}, {"errors": "x"}):
        row = status(status="failed") | errors
        (found,) = reading("cloud", meta(change(statuses=[row])))
        assert (found.state, found.code) == (State.FAILED, "")


def test_a_person_without_a_number_is_known_by_the_other_identity():
    row = message(from_user_id="AR.13491208655302741918")
    del row["from"]

    (found,) = reading("cloud", meta(change(messages=[row])))

    assert (found.sender, found.user) == (None, "AR.13491208655302741918")


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("5491155551234", "+5491155551234"),
        ("5215512345678", "+525512345678"),
        ("553187654321", "+5531987654321"),
        ("AR.1349", None),
        ("", None),
        ("123456789012345@lid", None),
    ],
)
def test_a_sender_is_read_by_the_rules_of_his_country(given, number):
    (found,) = reading("cloud", meta(change(messages=[message(**{"from": given})])))

    assert found.sender == number


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        ({"type": "image", "image": {"caption": "mi pago"}}, "other", "mi pago"),
        ({"type": "reaction", "reaction": {"emoji": "👍"}}, "other", ""),
        ({"type": "unsupported", "errors": [{"code": 131051}]}, "other", ""),
        ({"type": "interactive", "interactive": {"nfm_reply": {}}}, "other", ""),
        (
            {
                "type": "interactive",
                "interactive": {"button_reply": {"id": "si", "title": "Sí"}},
            },
            "button",
            "Sí",
        ),
        ({"type": "text", "text": {"body": 5}}, "text", "5"),
        ({"type": "text", "text": "x"}, "text", ""),
    ],
)
def test_what_a_client_may_send(content, kind, text):
    (found,) = reading("cloud", meta(change(messages=[message(**content)])))

    assert (found.kind, found.text) == (InboundKind(kind), text)
    assert found.what == content["type"]


@pytest.mark.parametrize("what", ["system", "request_welcome"])
def test_what_nobody_wrote_is_kept_apart(what):
    (found,) = reading("cloud", meta(change(messages=[message(type=what)])))

    assert found == Other(what)


def test_the_name_that_a_client_gave_himself_is_not_kept():
    contact = {"profile": {"name": "Ana la Secreta"}, "wa_id": "5491155551234"}
    body = meta(change(contacts=[contact], messages=[message()]))

    assert "Secreta" not in repr([vars(one) for one in reading("cloud", body)])


def test_printing_a_notice_shows_neither_number_nor_text():
    body = meta(change(messages=[message(text={"body": "clave 1234"})]))

    (found,) = reading("cloud", body)

    assert found.text == "clave 1234"
    assert "1155551234" not in repr(found)
    assert "clave" not in repr(found)


def test_consent_templates_and_the_unknown():
    wish = {"wa_id": "5491155551234", "category": "marketing_messages", "value": "stop"}
    wish["timestamp"] = "1793624400"
    names = {"message_template_name": "welcome", "message_template_language": "es"}
    found = reading(
        "cloud",
        meta(
            change("user_preferences", user_preferences=[wish]),
            change("message_template_status_update", **names, event="REJECTED",
                   reason="INVALID_FORMAT"),
            change("message_template_status_update", **names, event="APPROVED",
                   reason="NONE"),
            change("template_category_update", **names, new_category="MARKETING"),
            change("template_category_update", **names, correct_category="MARKETING"),
            change("message_template_quality_update", **names, new_quality_score="RED"),
            change("phone_number_name_update", decision="APPROVED"),
            change(errors=[{"code": 131000}]),
        ),
    )  # fmt: skip

    assert found == [
        ConsentNotice(
            "+5491155551234",
            "stop",
            "",
            "marketing_messages",
            datetime(2026, 11, 2, 13, 0, tzinfo=UTC),
        ),
        TemplateNotice("welcome", "es", "REJECTED", "INVALID_FORMAT"),
        TemplateNotice("welcome", "es", "APPROVED"),
        TemplateNotice("welcome", "es", category="MARKETING"),
        TemplateNotice("welcome", "es", reason="will be MARKETING"),
        TemplateNotice("welcome", "es", reason="quality RED"),
        Other("phone_number_name_update"),
        Other("error 131000"),
    ]


# --- Twilio ---


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("accepted", "accepted"), ("scheduled", "accepted"), ("queued", "accepted"),
        ("sending", "accepted"), ("sent", "sent"), ("delivered", "delivered"),
        ("read", "read"), ("undelivered", "failed"), ("failed", "failed"),
        ("canceled", "failed"),
    ],
)  # fmt: skip
def test_twilios_words_for_states(word, state):
    form = {"MessageSid": "SM1", "MessageStatus": word, "To": f"whatsapp:{HELLO.to}"}

    (found,) = reading("twilio", form, "tag=job%3A1")

    assert (found.provider_id, found.tag) == ("SM1", "job:1")
    assert (found.state, found.to, found.at) == (State(state), HELLO.to, NOW)


def test_twilios_failures_carry_their_code():
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "63016"}

    (found,) = reading("twilio", form)

    assert (found.code, found.kind) == ("63016", ErrorClass.AS_TEMPLATE)


def test_a_person_without_a_number_writes_through_twilio():
    form = {"MessageSid": "SM1", "SmsStatus": "received", "Body": "Hola"}

    (by_address,) = reading("twilio", form | {"From": "whatsapp:AR.1349"})
    (by_field,) = reading("twilio", form | {"From": "", "ExternalUserId": "AR.2"})

    assert (by_address.sender, by_address.user) == (None, "AR.1349")
    assert (by_field.sender, by_field.user) == (None, "AR.2")


def test_a_file_through_twilio_is_no_text():
    form = {"MessageSid": "SM1", "SmsStatus": "received", "Body": "mi pago"}

    (found,) = reading("twilio", form | {"NumMedia": "1", "From": "whatsapp:+1"})

    assert (found.kind, found.text) == (InboundKind.OTHER, "mi pago")


@pytest.mark.parametrize("body", [b"", b"&&&", b"a=1&" * 600])
def test_what_is_no_form_is_unreadable(body):
    with pytest.raises(Unreadable):
        reading("twilio", body)


def test_an_unknown_callback_is_kept_apart():
    assert reading("twilio", b"a&\xff") == [Other("?")]
    assert reading("twilio", {"MessageStatus": "teleported", "MessageSid": "S"}) == [
        Other("teleported")
    ]
    assert reading("twilio", {"MessageStatus": "sent"}) == [Other("sent")]


# --- Evolution and WAHA ---


def evolution(event: str, data: object) -> dict[str, object]:
    return {"event": event, "instance": "ventas", "data": data, "apikey": "demo-apikey"}


def upsert(message: object, jid: str = "5491155551234@s.whatsapp.net", **key: object):
    known = {"remoteJid": jid, "fromMe": False, "id": "3A1"}
    data = {"key": known | key, "message": message, "messageTimestamp": "1795359600"}
    return evolution("messages.upsert", data)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PENDING", "accepted"), ("SERVER_ACK", "sent"), ("DELIVERY_ACK", "delivered"),
        ("READ", "read"), ("PLAYED", "read"), ("ERROR", "failed"),
    ],
)  # fmt: skip
def test_evolutions_words_for_states(word, state):
    row = {"keyId": "BAE5", "fromMe": True, "status": word}
    row["remoteJid"] = "5491155551234:12@s.whatsapp.net"

    (found,) = reading("evolution", evolution("messages.update", [row]))

    assert (found.provider_id, found.state) == ("BAE5", State(state))
    assert found.to == HELLO.to
    assert (found.kind is ErrorClass.FIX) == (state == "failed")


WRITTEN = [
    ({"conversation": "Hola"}, "text", "Hola"),
    ({"extendedTextMessage": {"text": "Hola"}}, "text", "Hola"),
    ({"ephemeralMessage": {"message": {"conversation": "Hola"}}}, "text", "Hola"),
    ({"imageMessage": {"caption": "mi pago"}}, "other", "mi pago"),
    ({"stickerMessage": {}}, "other", ""),
    ({"templateButtonReplyMessage": {"selectedDisplayText": "Sí"}}, "button", "Sí"),
    ({}, "other", ""),
    (None, "other", ""),
    ([1], "other", ""),
    ("x", "other", ""),
]


@pytest.mark.parametrize(("message", "kind", "text"), WRITTEN)
def test_what_a_phone_may_have_written(message, kind, text):
    (found,) = reading("evolution", upsert(message))

    assert (found.kind, found.text) == (InboundKind(kind), text)
    assert (found.sender, found.sent_at) == (HELLO.to, NOW)


def test_a_quoted_message_is_named():
    quoted = {"text": "Sí", "contextInfo": {"stanzaId": "BAE5"}}

    (found,) = reading("evolution", upsert({"extendedTextMessage": quoted}))

    assert found.reply_to == "BAE5"


def test_a_hidden_number_is_taken_from_beside_it_or_missing():
    lid = "123456789012345@lid"
    beside = {"remoteJidAlt": "5491155551234@s.whatsapp.net"}

    (known,) = reading("evolution", upsert({"conversation": "a"}, lid, **beside))
    (hidden,) = reading("evolution", upsert({"conversation": "a"}, lid))

    assert (known.sender, known.user) == (HELLO.to, lid)
    assert (hidden.sender, hidden.user) == (None, lid)


@pytest.mark.parametrize(
    ("jid", "mine"),
    [
        ("5491155551234@s.whatsapp.net", True),
        ("120363000000000000@g.us", False),
        ("status@broadcast", False),
        ("1@newsletter", False),
    ],
)
def test_our_own_groups_and_channels_are_left_out(jid, mine):
    written = {"conversation": "x"}
    payload = {"id": "false_x_1", "from": jid, "fromMe": mine, "body": "x"}

    assert reading("evolution", upsert(written, jid, fromMe=mine)) == []
    assert reading("waha", {"event": "message", "payload": payload}) == []


def test_sessions_come_and_go():
    def connection(state: str) -> list[object]:
        return reading("evolution", evolution("CONNECTION_UPDATE", {"state": state}))

    def session(status: str) -> list[object]:
        body = {"event": "session.status", "payload": {"status": status}}
        return reading("waha", body)

    assert connection("open") == [SessionNotice("open", True)]
    assert connection("close") == [SessionNotice("close", False)]
    assert session("WORKING") == [SessionNotice("WORKING", True)]
    assert session("SCAN_QR_CODE") == [SessionNotice("SCAN_QR_CODE", False)]


@pytest.mark.parametrize(
    ("ack", "state"),
    [
        (-1, "failed"),
        (0, "accepted"),
        (1, "sent"),
        (2, "delivered"),
        (3, "read"),
        (4, "read"),
    ],
)
def test_wahas_acknowledgements(ack, state):
    payload = {"id": "true_1234567@lid_3EB0", "from": "5491155551234@c.us", "ack": ack}

    (found,) = reading("waha", {"event": "message.ack", "payload": payload})

    assert (found.provider_id, found.state) == ("3EB0", State(state))


def test_a_hidden_number_through_waha():
    payload = {"id": "false_1@lid_3A", "from": "123456789012345@lid", "body": "Hola"}
    beside = {"key": {"remoteJidAlt": "5491155551234@s.whatsapp.net"}}

    (hidden,) = reading("waha", {"event": "message", "payload": payload})
    (known,) = reading(
        "waha", {"event": "message", "payload": payload | {"_data": beside}}
    )

    assert (hidden.sender, hidden.user) == (None, "123456789012345@lid")
    assert known.sender == HELLO.to


@pytest.mark.parametrize("name", ["evolution", "waha"])
@pytest.mark.parametrize("event", ["", "presence.update", "call", 5, None])
def test_an_unknown_event_is_kept_apart(name, event):
    (found,) = reading(name, {"event": event, "data": {}, "payload": {}})

    assert isinstance(found, Other)


# --- Hostile ---


@pytest.mark.parametrize("name", JSON_NAMES)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b'{"a": Infinity}', b"9" * 9_999],
    ids=["empty", "cut", "not text", "deep", "NaN", "Infinity", "long number"],
)
def test_what_is_no_json_is_unreadable_and_nothing_worse(name, body):
    with pytest.raises(Unreadable):
        reading(name, body)


@pytest.mark.parametrize("name", JSON_NAMES)
@pytest.mark.parametrize("body", [None, 5, "x", [], {}, [{}], True])
def test_json_that_means_nothing_is_kept_apart(name, body):
    assert all(isinstance(one, Other) for one in reading(name, body))


STAMPS = [
    ("1795359600", NOW), (1795359600, NOW), (1795359600000, NOW), (1795359600.0, NOW),
    ("soon", NOW), (-1, NOW), (10**40, NOW), ("9" * 5000, NOW), (None, NOW),
    (True, NOW),
    (0, NOW), (1e300, NOW), ("１７９５", NOW),
]  # fmt: skip


@pytest.mark.parametrize(("stamp", "at"), STAMPS)
def test_a_time_that_cannot_be_is_the_present(stamp, at):
    (found,) = reading("cloud", meta(change(messages=[message(timestamp=stamp)])))

    assert found.sent_at == at
    assert found.sent_at.tzinfo is UTC


def test_what_no_store_takes_is_replaced_and_lengths_are_bounded():
    row = message(text={"body": "a\0\ud800b" + "x" * 100_000}, id="i" * 9_999)

    (found,) = reading("cloud", meta(change(messages=[row])))

    assert found.text.startswith("a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b")
    assert (len(found.text), len(found.id)) == (65_536, 512)


#: Keys that mean something to some adapter, so that odd values meet the readers.
KEYS = [
    "entry", "changes", "field", "value", "messages", "statuses", "errors", "id",
    "status", "timestamp", "type", "text", "body", "interactive", "list_reply", "from",
    "context", "pricing", "billable", "metadata", "user_preferences", "event", "data",
    "payload", "key", "remoteJid", "fromMe", "message", "conversation", "ack", "_data",
    "keyId", "extendedTextMessage", "ephemeralMessage", "replyTo", "messageTimestamp",
]  # fmt: skip
WORDS = [
    "messages", "sent", "failed", "text", "interactive", "message", "message.ack",
    "messages.upsert", "messages.update", "user_preferences", "x@lid", "1@c.us",
]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(WORDS),
)
ODD = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("name", JSON_NAMES)
@settings(max_examples=examples(150), deadline=None)
@given(body=ODD)
def test_no_json_at_all_makes_reading_raise(name, body):
    found = reading(name, body)

    for one in found:
        assert type(one) in (
            Other, Inbound, StateNotice, SessionNotice, ConsentNotice, TemplateNotice,
        )  # fmt: skip
        json.dumps(vars(one), default=str, ensure_ascii=False).encode()


@settings(max_examples=examples(150), deadline=None)
@given(value=ODD)
def test_no_value_of_metas_makes_reading_raise(value):
    fields = ("messages", "user_preferences", "message_template_status_update")
    body = {"entry": [{"changes": [{"field": f, "value": value} for f in fields]}]}

    for one in reading("cloud", body):
        json.dumps(vars(one), default=str, ensure_ascii=False).encode()


@settings(max_examples=examples(150), deadline=None)
@given(body=st.binary(max_size=200), tag=st.text(max_size=20))
def test_no_form_at_all_makes_reading_raise(body, tag):
    try:
        found = reading("twilio", body, urlencode({"tag": tag}, errors="replace"))
    except Unreadable:
        return

    assert len(found) == 1
