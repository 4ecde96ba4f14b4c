"""Signatures: the vectors that PHP reads too, mutations, and headers nobody sends."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bridge.errors import Refused
from bridge.signing import Delivery, new_secret, read_secret, sign, verify

VECTORS = json.loads(
    (Path(__file__).parent / "fixtures/signing/vectors.json").read_text("utf-8")
)
KEY = bytes(range(32))
NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())
BODY = b'{"type":"InvoicePaid","data":{"invoiceid":10}}'


def named(name: str) -> dict[str, list[Any]]:
    return {"argvalues": VECTORS[name], "ids": [case["name"] for case in VECTORS[name]]}


def delivery_of(case: dict[str, Any]) -> Delivery:
    body = base64.b64decode(case["body_base64"])
    return Delivery(case["id"], case["timestamp"], case["signature"], body)


def outcome(delivery: Delivery, keys: list[bytes], now: datetime = NOW) -> int:
    """Return 202, or the status of the refusal; any other error is a failure."""
    try:
        verify(delivery, keys, now)
    except Refused as error:
        return error.status
    return 202


def signed(body: bytes = BODY, id: str = "msg_1", stamp: int = STAMP) -> Delivery:
    return Delivery(id, str(stamp), sign(KEY, id, stamp, body), body)


@pytest.mark.parametrize("case", **named("cases"))
def test_a_vector_is_taken_or_refused_as_it_says(case):
    keys = [read_secret(secret) for secret in case["secrets"]]
    now = datetime.fromtimestamp(case["now"], UTC)

    status = outcome(delivery_of(case), keys, now)

    assert status == (202 if case["accepted"] else 401)


@pytest.mark.parametrize("case", **named("secrets"))
def test_a_secret_is_usable_or_refused_without_being_told(case):
    if case["usable"]:
        assert read_secret(case["secret"])
        return

    with pytest.raises(ValueError, match="secret") as refused:
        read_secret(case["secret"])

    assert not case["secret"] or case["secret"] not in str(refused.value)


def test_what_we_sign_is_the_published_example():
    example = VECTORS["cases"][0]
    key = read_secret(example["secrets"][0])

    made = sign(key, example["id"], int(example["timestamp"]), b'{"test": 2432232314}')

    assert made == example["signature"]


def test_two_fresh_secrets_differ_and_are_usable():
    first, second = new_secret(), new_secret()

    assert first != second
    assert len(read_secret(first)) == len(read_secret(second)) == 32


@pytest.mark.parametrize("position", range(len(BODY)))
def test_a_changed_byte_of_the_body_is_refused(position):
    good = signed()
    bad = bytearray(BODY)
    bad[position] ^= 1

    assert outcome(good, [KEY]) == 202
    assert outcome(Delivery(good.id, good.timestamp, good.signature, bad), [KEY]) == 401


@pytest.mark.parametrize("position", range(5))
def test_a_changed_character_of_the_id_is_refused(position):
    good = signed()
    bad = good.id[:position] + "x" + good.id[position + 1 :]

    assert outcome(Delivery(bad, good.timestamp, good.signature, BODY), [KEY]) == 401


@pytest.mark.parametrize("position", range(10))
def test_a_changed_digit_of_the_timestamp_is_refused(position):
    good = signed()
    digit = (int(good.timestamp[position]) + 1) % 10
    bad = f"{good.timestamp[:position]}{digit}{good.timestamp[position + 1 :]}"

    assert outcome(Delivery(good.id, bad, good.signature, BODY), [KEY]) == 401


@pytest.mark.parametrize("position", range(32))
def test_a_changed_byte_of_the_signature_is_refused(position):
    good = signed()
    mac = bytearray(base64.b64decode(good.signature[3:]))
    mac[position] ^= 0x80
    bad = "v1," + base64.b64encode(mac).decode()

    assert outcome(Delivery(good.id, good.timestamp, bad, BODY), [KEY]) == 401


def test_without_any_key_nothing_is_taken():
    assert outcome(signed(), []) == 401


def test_half_a_second_over_the_tolerance_is_refused():
    late = NOW + timedelta(seconds=300, milliseconds=500)

    assert outcome(signed(), [KEY], late) == 401


def test_the_answer_is_the_same_whichever_check_failed_and_the_log_is_not():
    wrong = [
        Delivery("", str(STAMP), "v1,x", BODY),
        Delivery("msg_1", "soon", "v1,x", BODY),
        Delivery("msg_1", "1", "v1,x", BODY),
        Delivery("msg_1", str(STAMP), "", BODY),
        Delivery("msg_1", str(STAMP), signed(b"{}").signature, BODY),
    ]

    refusals = []
    for delivery in wrong:
        with pytest.raises(Refused) as refused:
            verify(delivery, [KEY], NOW)
        refusals.append(refused.value)

    assert len({(one.status, one.title, one.detail) for one in refusals}) == 1
    assert len({one.log for one in refusals}) == len(wrong)


def test_a_missing_header_reads_as_empty():
    assert Delivery.read({}, b"x") == Delivery("", "", "", b"x")


TEXT = st.text(max_size=80)
ENTRIES = st.lists(
    st.one_of(
        TEXT,
        st.binary(max_size=40).map(lambda raw: "v1," + base64.b64encode(raw).decode()),
        st.just(signed(b"{}").signature),
    ),
    max_size=30,
).map(" ".join)


@hypothesis_settings(max_examples=examples(300))
@given(
    id=st.one_of(TEXT, st.just("msg_1")),
    timestamp=st.one_of(TEXT, st.just(str(STAMP)), st.integers().map(str)),
    signature=st.one_of(TEXT, ENTRIES),
    body=st.binary(max_size=40),
)
def test_headers_nobody_sends_are_refused_and_never_crash(
    id, timestamp, signature, body
):
    delivery = Delivery(id, timestamp, signature, body + b"-")

    assert outcome(delivery, [KEY, KEY[::-1]]) == 401
