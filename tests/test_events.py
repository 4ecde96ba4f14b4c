"""Reading a body: only known, harmless fields are kept, and an id is an id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from effort import examples
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bridge.errors import Refused
from bridge.events import (
    SECRET_NAME,
    TEXT_LIMIT,
    Event,
    Subject,
    catalogue,
    clean,
    read_body,
    read_id,
    redact,
    subject,
)

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)


def body(hookpoint: str = "InvoicePaid", **more: object) -> bytes:
    return json.dumps({"type": hookpoint, **more}).encode()


def taken(raw: bytes) -> Any:
    """Return the body read, or the status of the refusal (400, or it is a failure)."""
    try:
        return read_body(raw)
    except Refused as error:
        return 400 if error.status == 400 else 0


def event(hookpoint: str, data: dict, context: dict | None = None) -> Event:
    read = read_body(body(hookpoint, data=data, context=context or {}))
    return Event("m", "whmcs", hookpoint, read.data, read.context, NOW, NOW)


# --- Ids ---


@pytest.mark.parametrize(
    ("value", "id"),
    [
        (1, 1),
        ("1", 1),
        ("007", 7),
        (2**63 - 1, 2**63 - 1),
        (str(2**63 - 1), 2**63 - 1),
        (0, None),
        ("0", None),
        (-1, None),
        ("-1", None),
        ("+1", None),
        (2**63, None),
        (str(2**63), None),
        (10**30, None),
        (1.0, None),
        ("1.0", None),
        ("1e3", None),
        (True, None),
        (False, None),
        (None, None),
        ("", None),
        (" 1", None),
        ("1 ", None),
        ("1\n", None),
        ("1_0", None),
        ("0x10", None),
        ("１", None),
        ("²", None),
        ("١", None),
        ("1,2", None),
        ([1], None),
        ({"id": 1}, None),
        ("1; DROP TABLE events", None),
        (float("nan"), None),
    ],
    ids=repr,
)
def test_an_id_is_a_positive_number_of_64_bits_and_nothing_else(value, id):
    assert read_id(value) == id


# --- Bodies ---

REFUSED = {
    "empty": (b"", "Not JSON"),
    "a word": (b"hello", "Not JSON"),
    "half of it": (b'{"type":"InvoicePaid"', "Not JSON"),
    "two of it": (b'{"type":"InvoicePaid"}{}', "Not JSON"),
    "not UTF-8": (b'{"type":"InvoicePaid","data":{"a":"\xff"}}', "Not JSON"),
    "UTF-16": ('{"type":"InvoicePaid"}'.encode("utf-16"), "Not JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"type":"InvoicePaid"}', "Not JSON"),
    "an encoded surrogate": (b'{"type":"\xed\xa0\x80"}', "Not JSON"),
    "NaN": (b'{"type":"InvoicePaid","data":{"invoiceid":NaN}}', "Not JSON"),
    "Infinity": (b'{"type":"InvoicePaid","data":{"a":-Infinity}}', "Not JSON"),
    "100,000 brackets": (b"[" * 100_000, "Not JSON"),
    "100,000 brackets, closed": (
        b'{"type":"InvoicePaid","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "Not JSON",
    ),
    "100,000 maps": (b'{"a":' * 50_000, "Not JSON"),
    "5,000 digits": (
        b'{"type":"InvoicePaid","data":{"a":' + b"9" * 5000 + b"}}",
        "Not",
    ),
    "a raw NUL": (b'{"type":"InvoicePaid\x00"}', "Not JSON"),
    "single quotes": (b"{'type':'InvoicePaid'}", "Not JSON"),
    "a form": (b"type=InvoicePaid", "Not JSON"),
    "null": (b"null", "Not an object"),
    "a list": (b'[{"type":"InvoicePaid"}]', "Not an object"),
    "a text": (b'"InvoicePaid"', "Not an object"),
    "a number": (b"1", "Not an object"),
    "no type": (b'{"data":{}}', '"type"'),
    "an empty type": (body(""), '"type"'),
    "a null type": (b'{"type":null}', '"type"'),
    "a numeric type": (b'{"type":1}', '"type"'),
    "a list as type": (b'{"type":["InvoicePaid"]}', '"type"'),
    "a map as type": (b'{"type":{"a":1}}', '"type"'),
    "a type with markup": (body("<script>"), '"type"'),
    "a type with a path": (body("../InvoicePaid"), '"type"'),
    "a type with a line end": (body("InvoicePaid\n"), '"type"'),
    "a type with NUL": (body("InvoicePaid\0"), '"type"'),
    "a type with a surrogate": (b'{"type":"\\ud800"}', '"type"'),
    "a type in Cyrillic letters": (body("InvоicePaid"), '"type"'),
    "a type of 65 letters": (body("I" * 65), '"type"'),
    "data as null": (body(data=None), '"data"'),
    "data as text": (body(data="x"), '"data"'),
    "data as a list": (body(data=[{"invoiceid": 1}]), '"data"'),
    "data as a number": (body(data=0), '"data"'),
    "data as false": (body(data=False), '"data"'),
}


@pytest.mark.parametrize(("raw", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_body_that_is_no_delivery_is_refused_and_the_field_is_named(raw, told):
    with pytest.raises(Refused) as refused:
        read_body(raw)

    error = refused.value
    assert error.status == 400
    assert told in f"{error.title} {error.detail}"


KEPT = {
    "no data": (body(), {}),
    "PHP's empty map": (body(data=[]), {}),
    "an id as a number": (body(data={"invoiceid": 7}), {"invoiceid": 7}),
    "an id as text": (body(data={"invoiceid": "7"}), {"invoiceid": "7"}),
    "a float": (
        b'{"type":"InvoicePaid","data":{"invoiceid":1.50}}',
        {"invoiceid": "1.50"},
    ),
    "a huge float": (
        b'{"type":"InvoicePaid","data":{"invoiceid":1e999}}',
        {"invoiceid": "1e999"},
    ),
    "a huge number": (body(data={"invoiceid": 10**300}), {"invoiceid": "1" + "0" * 39}),
    "true": (body(data={"invoiceid": True}), {"invoiceid": True}),
    "null": (body(data={"invoiceid": None}), {}),
    "a list": (body(data={"invoiceid": [7]}), {}),
    "a map": (body(data={"invoiceid": {"id": 7}}), {}),
    "a key written twice": (
        b'{"type":"InvoicePaid","data":{"invoiceid":7,"invoiceid":8}}',
        {"invoiceid": 8},
    ),
    "a field nobody knows": (
        body(data={"invoiceid": 7, "extra": "x"}),
        {"invoiceid": 7},
    ),
    "a lone surrogate": (
        b'{"type":"InvoicePaid","data":{"invoiceid":"\\ud800"}}',
        {"invoiceid": "?"},
    ),
    "a pair of surrogates": (
        b'{"type":"InvoicePaid","data":{"invoiceid":"\\ud83c\\udf89"}}',
        {"invoiceid": "\U0001f389"},
    ),
    "NUL and other controls": (
        body(data={"invoiceid": "a\0b\x1b[31m\x7fc\r\n\td"}),
        {"invoiceid": "a\ufffdb\ufffd[31m\ufffdc\n\td"},
    ),
    "a long text": (
        body(data={"invoiceid": "x" * 5000}),
        {"invoiceid": "x" * TEXT_LIMIT},
    ),
    "a nested field by its dotted name": (
        body("AfterModuleCreate", data={"params.serviceid": 5}),
        {},
    ),
    "params that are a list": (body("AfterModuleCreate", data={"params": [5]}), {}),
    "params that are text": (body("AfterModuleCreate", data={"params": "5"}), {}),
    "nested params": (
        body("AfterModuleCreate", data={"params": {"serviceid": 5, "password": "x"}}),
        {"params": {"serviceid": 5}},
    ),
}


@pytest.mark.parametrize(("raw", "data"), KEPT.values(), ids=KEPT.keys())
def test_odd_values_are_data_or_dropped(raw, data):
    assert read_body(raw).data == data


def test_an_unknown_hookpoint_keeps_its_ids_only():
    data = {
        "serviceid": 5,
        "user_id": "7",
        "Id": 3,
        "name": "Ana",
        "note": 5,
        "paid": "yes",
        "badid": -1,
        "token_id": 9,
        "passwordid": 9,
        "serviceid\n": 4,
        "id; --": 4,
        "x" * 41 + "id": 4,
        "nested": {"id": 5},
    }

    kept = read_body(body("SomethingNew", data=data)).data

    assert kept == {"serviceid": 5, "user_id": "7", "Id": 3}


TIMES = [
    ("2026-11-02T10:00:00-03:00", NOW),
    ("2026-11-02T13:00:00Z", NOW),
    ("2026-11-02 13:00:00+00:00", NOW),
    ("2026-11-02T13:00:00", None),
    ("yesterday", None),
    ("", None),
    (1793624400, None),
    (None, None),
    ([], None),
    ("0001-01-01T00:00:00+14:00", None),
    ("1970-01-01T00:00:00Z", None),
    ("9999-12-31T23:59:59-12:00", None),
    ("2026-13-40T99:99:99Z", None),
]


@pytest.mark.parametrize(("text", "instant"), TIMES)
def test_a_time_is_believed_with_a_zone_and_in_our_time_only(text, instant):
    assert read_body(body(timestamp=text)).occurred_at == instant


# --- Context ---

CONTEXT = [
    ({"actor": "client"}, {"actor": "client"}),
    ({"actor": "root"}, {}),
    ({"actor": ["client"]}, {}),
    (
        {"changed": ["email", 5, "loginpassword", "x" * 99]},
        {"changed": ["email", "x" * 64]},
    ),
    ({"changed": "email"}, {}),
    (
        {"old_phonenumber": "+54.1", "domain": "a.example"},
        {"old_phonenumber": "+54.1", "domain": "a.example"},
    ),
    ({"old_phonenumber": 54, "domain": ["a"]}, {}),
    ({"domain": "x" * 999}, {"domain": "x" * 255}),
    ({"service_id": "5"}, {"service_id": 5}),
    ({"service_id": True}, {}),
    ({"service_id": [5]}, {}),
    ({"upgrade_targets": [1, "2", None, -3, [4], True]}, {"upgrade_targets": [1, 2]}),
    ({"upgrade_targets": {"a": 1}}, {}),
    (
        {
            "upgrade": {
                "relid": 5,
                "newvalue": "22,annually",
                "password": "x",
                "amount": [1],
            }
        },
        {"upgrade": {"relid": 5, "newvalue": "22,annually"}},
    ),
    ({"upgrade": [5]}, {}),
    (
        {"invoice_lines": [{"relid": 5, "secret": "x"}, "text", None]},
        {"invoice_lines": [{"relid": 5}]},
    ),
    ({"invoice_lines": {"relid": 5}}, {}),
    ({"phone": "+54.1", "password": "x"}, {}),
]


@pytest.mark.parametrize(("context", "kept"), CONTEXT)
def test_a_context_holds_what_it_may_and_nothing_else(context, kept):
    assert read_body(body(context=context)).context == kept


@pytest.mark.parametrize("context", [None, [], "text", 5, True])
def test_a_context_that_is_no_map_is_left_out(context):
    assert read_body(body(context=context)).context == {}


def test_long_lists_in_a_context_are_cut():
    many = read_body(
        body(
            context={
                "changed": ["a"] * 1000,
                "upgrade_targets": list(range(1, 1000)),
                "invoice_lines": [{"relid": 1}] * 1000,
            }
        )
    ).context

    assert {name: len(found) for name, found in many.items()} == {
        "changed": 100,
        "upgrade_targets": 500,
        "invoice_lines": 500,
    }


# --- Who it is about ---

SUBJECTS = [
    ("ClientAdd", {"client_id": 1, "user_id": 2}, {}, Subject(client=1, user=2)),
    ("ClientChangePassword", {"userid": 1}, {}, Subject(client=1)),
    ("UserChangePassword", {"userid": 2}, {}, Subject(user=2)),
    ("UserEdit", {"user_id": 2}, {}, Subject(user=2)),
    ("InvoicePaid", {"invoiceid": 3}, {}, Subject(invoice=3)),
    (
        "AfterModuleSuspend",
        {"params": {"serviceid": 4, "userid": 1}},
        {},
        Subject(service=4, claims=1),
    ),
    (
        "CancellationRequest",
        {"userid": 1, "relid": 4},
        {},
        Subject(service=4, claims=1),
    ),
    ("CancellationRequest", {"userid": 1, "relid": "4 OR 1=1"}, {}, Subject(client=1)),
    ("DomainDelete", {"userid": 1, "domainid": 5}, {}, Subject(domain=5, claims=1)),
    ("QuoteStatusChange", {"quoteid": 6, "status": "Delivered"}, {}, Subject(quote=6)),
    ("ShoppingCartValidateUpgrade", {"id": 4, "pid": 22}, {}, Subject(service=4)),
    (
        "OrderProductUpgradeOverride",
        {"newproductid": 22},
        {"service_id": 4},
        Subject(service=4),
    ),
    (
        "PreUpgradeCheckout",
        {"clientId": 1, "serviceId": 4},
        {},
        Subject(service=4, claims=1),
    ),
    (
        "AfterProductUpgrade",
        {"upgradeid": 9},
        {"upgrade": {"relid": "4"}},
        Subject(service=4),
    ),
]


@pytest.mark.parametrize(("hookpoint", "data", "context", "about"), SUBJECTS)
def test_an_event_is_about_what_its_own_ids_name(hookpoint, data, context, about):
    assert subject(event(hookpoint, data, context)) == about


def test_a_value_is_found_by_its_dotted_name_or_not_at_all():
    found = event("AfterModuleCreate", {"params": {"serviceid": 5}})

    assert found.value("params.serviceid") == found.identifier("params.serviceid") == 5
    assert found.value("params.serviceid.more") is None
    assert found.value("nothing.there") is None


# --- The catalogue ---


def test_every_documented_hookpoint_is_in_the_catalogue():
    known = catalogue()

    assert len(known) == 339
    assert known["ShoppingCartValidateUpgrade"].answers
    assert not known["InvoicePaid"].answers


@pytest.mark.parametrize("hookpoint", catalogue().values(), ids=lambda one: one.name)
def test_no_field_that_sounds_like_a_secret_is_ever_kept(hookpoint):
    sounding = ["password", "newpassword", "authdata", "eppcode", "configoption1"]
    data = dict.fromkeys((*hookpoint.fields, *sounding), "marked")
    data["params"] = dict.fromkeys((*data, "serverpassword", "serveraccesshash"), "m")

    kept = redact(hookpoint.name, data)

    nested = kept.get("params")
    names = set(kept) | set(nested if isinstance(nested, dict) else {})
    assert not [name for name in names if SECRET_NAME.search(name)]


def test_a_cleaned_text_is_one_that_any_database_takes():
    assert (
        clean("a\0\ud800\x1b\x7f\x9b\u00e9\n\t\r\n\r")
        == "a\ufffd?\ufffd\ufffd\ufffdé\n\t\n\n"
    )


# --- Fuzzing ---

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["invoiceid", "serviceid", "\x00", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["params", "relid", "userid", "upgrade", "password", "id"])
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@hypothesis_settings(max_examples=examples(200))
@given(
    hookpoint=st.sampled_from(["CancellationRequest", "AfterModuleCreate", "New"]),
    data=JSON,
    context=JSON,
    timestamp=JSON,
)
def test_whatever_json_comes_it_is_400_or_plain_data(
    hookpoint, data, context, timestamp
):
    raw = json.dumps(
        {"type": hookpoint, "data": data, "context": context, "timestamp": timestamp}
    ).encode()

    read = taken(raw)

    if read == 400:
        return
    about = subject(Event("m", "p", read.hookpoint, read.data, read.context, NOW, NOW))
    stored = json.dumps([read.data, read.context], ensure_ascii=False)
    assert "\x00" not in stored.encode("utf-8").decode("utf-8")
    assert about.service is None or 0 < about.service < 2**63


@hypothesis_settings(max_examples=examples(200))
@given(raw=st.binary(max_size=200))
def test_whatever_bytes_come_they_are_400_or_an_event(raw):
    assert taken(raw)
