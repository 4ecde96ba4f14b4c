"""Lists in every wrapping, and money, times and names that mean one thing only."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.whmcs_fields import moment, money, nested, unwrap

ZONE = ZoneInfo("America/Argentina/Buenos_Aires")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_unwrapping_anything_gives_rows_or_a_value_error(value):
    try:
        rows = unwrap({"outer": value}, "outer", "inner")
    except ValueError:
        return

    assert all(isinstance(row, dict) for row in rows)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "name"]), st.integers())))
def test_every_wrapping_of_the_same_rows_gives_the_same_rows(rows):
    array = {str(number): row for number, row in enumerate(rows)}

    assert unwrap({"x": {"y": rows}}, "x", "y") == rows
    assert unwrap({"x": rows}, "x", "y") == rows
    assert unwrap({"x": rows}, "x") == rows
    assert unwrap({"x": {"y": array}}, "x", "y") == rows


@pytest.mark.parametrize(
    "empty", [{}, {"x": None}, {"x": ""}, {"x": []}, {"x": {}}, {"x": {"y": []}}]
)
def test_no_rows_in_all_their_spellings(empty):
    assert unwrap(empty, "x", "y") == []


def test_a_lone_map_is_one_row():
    assert unwrap({"x": {"y": {"id": 1}}}, "x", "y") == [{"id": 1}]
    assert unwrap({"x": {"id": 1}}, "x") == [{"id": 1}]


def test_keys_with_brackets_become_maps_in_maps():
    assert nested({"a": 1, "b[c][0][id]": 2, "b[c][0][x]": 3}) == {
        "a": 1,
        "b": {"c": {"0": {"id": 2, "x": 3}}},
    }


MONEY = [
    ("$-8.67 USD", "-8.67"),
    ("-$8.67", "-8.67"),
    ("$0.00", "0.00"),
    ("R$1234.50 BRL", "1234.50"),
    ("Rs.10.00", "10.00"),
    ("12.5", "12.5"),
    ("€ 7", "7"),
    (" 10.00 ARS ", "10.00"),
]


@pytest.mark.parametrize(("text", "amount"), MONEY)
def test_money_with_one_meaning_is_read_with_its_sign(text, amount):
    assert str(money(text)) == amount


@pytest.mark.parametrize(
    "text",
    ["$1.234,56", "1,234.56", "1,234", "$1.2.3", "", "free", "($8.67)", "--1", "5-",
     "$.50", "1 234.00", "1e3"],
)  # fmt: skip
def test_money_that_could_mean_two_things_is_not_guessed(text):
    with pytest.raises(ValueError, match="one way only"):
        money(text)


MOMENTS: list[tuple[str, str | None]] = [
    ("2026-11-09 23:30:00", "2026-11-10T02:30:00+00:00"),
    ("2026-11-09", "2026-11-09T03:00:00+00:00"),
    ("0000-00-00 00:00:00", None),
    ("-0001-11-30 00:00:00", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "instant"), MOMENTS)
def test_the_panels_local_time_is_an_instant(text, instant):
    told = moment(text, ZONE)

    assert (told and told.astimezone(UTC).isoformat()) == instant


@pytest.mark.parametrize("text", ["2026-13-01 00:00:00", "now", "2026-11-09 25:00:00"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        moment(text, ZONE)
