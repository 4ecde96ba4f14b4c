"""What is stored comes back as it was, on both stores alike."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.store.columns import Document

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def again(value: Any) -> Any:
    document = Document()
    kept = document.process_bind_param(value, None)
    return document.process_result_value(kept, None)


@given(JSON)
def test_any_json_comes_back_as_it_was(value: Any) -> None:
    if value is not None:
        assert again(value) == value


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, -(2**64), 10**40])
def test_a_long_number_stays_whole(number: int) -> None:
    found = again({"n": number})["n"]

    assert (found, type(found)) == (number, int)


def test_days_instants_and_money_become_text() -> None:
    at = datetime(2026, 11, 2, 13, 0, 0, 5, tzinfo=UTC)
    given = {"day": date(2026, 11, 2), "at": at, "money": Decimal("1E+2"), 5: "five"}

    assert again(given) == {
        "day": "2026-11-02",
        "at": "2026-11-02T13:00:00.000005+00:00",
        "money": "100",
        "5": "five",
    }


def test_it_is_written_compactly_and_readably() -> None:
    kept = Document().process_bind_param({"name": "Núñez", "id": 3}, None)

    assert kept == '{"name":"Núñez","id":3}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be stored"):
        again({"a": {1}})
