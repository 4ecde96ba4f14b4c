"""Parameters as PHP reads them, and PHP's own serialized values."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.model import Cycle
from bridge.whmcs_form import form, pairs, php_serialize

FORM = [
    ({"a": True, "b": False, "c": None}, "a=1&b=0"),
    ({"a": ["x", True, None, Decimal("1")]}, "a%5B0%5D=x&a%5B1%5D=1&a%5B3%5D=1"),
    ({"o": {4: 1, "k": ("y",)}}, "o%5B4%5D=1&o%5Bk%5D%5B0%5D=y"),
    ({"a": Decimal("1E+3"), "b": Decimal("-0.10")}, "a=1000&b=-0.10"),
    ({"a": Decimal("1E-7")}, "a=0.0000001"),
    ({"d": date(2026, 2, 3)}, "d=2026-02-03"),
    (
        {"d": datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-3)))},
        "d=2026-02-03+04%3A05%3A06",
    ),
    ({"t": "ñ&=\r\n+"}, "t=%C3%B1%26%3D%0D%0A%2B"),
    ({"t": "\ud800"}, "t=%3F"),
    ({"c": Cycle.MONTHLY}, "c=monthly"),
    ({"a": [], "b": {}, "e": ""}, "e="),
]


@pytest.mark.parametrize(("params", "text"), FORM)
def test_a_form_that_php_reads_as_meant(params, text):
    assert form(params) == text


@pytest.mark.parametrize("value", [1.5, b"x", object(), {1}])
def test_a_form_takes_no_floats_nor_strange_types(value):
    with pytest.raises(TypeError, match="amount: no way to send"):
        form({"amount": value})


@pytest.mark.parametrize(
    "value",
    [Decimal("NaN"), Decimal("Infinity"), datetime(2026, 1, 1)],  # noqa: DTZ001
)
def test_a_form_takes_nothing_without_one_meaning(value):
    with pytest.raises(ValueError, match=r"\w"):
        form({"x": value})


SERIALIZED = [
    (None, b"N;"),
    (True, b"b:1;"),
    (False, b"b:0;"),
    (-7, b"i:-7;"),
    (Decimal("1.50"), b's:4:"1.50";'),
    ("ñ€😀", 's:9:"ñ€😀";'.encode()),
    ('a"b', b's:3:"a"b";'),
    ([1, "x"], b'a:2:{i:0;i:1;i:1;s:1:"x";}'),
    ({"1": "a", "01": "b", "-5": "c", "-0": "d"},
     b'a:4:{i:1;s:1:"a";s:2:"01";s:1:"b";i:-5;s:1:"c";s:2:"-0";s:1:"d";}'),
    ({3: {"x": []}}, b'a:1:{i:3;a:1:{s:1:"x";a:0:{}}}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "raw"), SERIALIZED)
def test_values_serialized_as_php_does(value, raw):
    assert php_serialize(value) == raw


@pytest.mark.parametrize("value", [1.5, {1.5: 1}, {True: 1}, {None: 1}, object()])
def test_what_php_cannot_hold_is_not_serialized(value):
    with pytest.raises(TypeError):
        php_serialize(value)


def unserialize(raw: bytes) -> Any:
    """Read PHP's format back, for the round trip only."""

    def read(at: int) -> tuple[Any, int]:
        kind = raw[at : at + 1]
        if kind == b"N":
            return None, at + 2
        end = raw.index(b":" if kind in b"sa" else b";", at + 2)
        number = int(raw[at + 2 : end])
        if kind in b"bi":
            return (bool(number) if kind == b"b" else number), end + 1
        if kind == b"s":
            return raw[end + 2 : end + 2 + number].decode(), end + 4 + number
        out, at = {}, end + 2
        for _ in range(number):
            key, at = read(at)
            out[key], at = read(at)
        return out, at + 1

    value, end = read(0)
    assert end == len(raw)
    return value


def as_php(value: Any) -> Any:
    rows = enumerate(value) if isinstance(value, list) else None
    rows = value.items() if isinstance(value, dict) else rows
    if rows is None:
        return value
    return {
        int(k) if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", str(k)) else k: as_php(v)
        for k, v in rows
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_serialized_can_be_read_back(value):
    assert unserialize(php_serialize(value)) == as_php(value)


def test_pairs_keep_their_order():
    assert list(pairs({"b": 1, "a": [2]})) == [("b", "1"), ("a[0]", "2")]
