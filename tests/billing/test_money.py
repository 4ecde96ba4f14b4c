"""Rounding and writing amounts."""

from decimal import Decimal

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.money import _DECIMALS, decimal_text, decimals, round_half_up

ROUNDED = [
    ("50.005", "USD", "50.01"),
    ("50.004", "USD", "50.00"),
    ("2.675", "EUR", "2.68"),
    ("1500.5", "CLP", "1501"),
    ("1500.49", "PYG", "1500"),
    ("0.5", "JPY", "1"),
    ("1.0005", "KWD", "1.001"),
    ("-0.004", "USD", "0.00"),
    ("-8.675", "USD", "-8.68"),
    ("1E+3", "usd ", "1000.00"),
    ("12345678901234567890123456789.125", "USD", "12345678901234567890123456789.13"),
]


@pytest.mark.parametrize(("amount", "currency", "text"), ROUNDED)
def test_a_half_is_rounded_up_to_the_decimals_of_the_currency(amount, currency, text):
    assert decimal_text(Decimal(amount), currency) == text


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1E+999999"])
def test_what_is_no_amount_is_a_value_error(amount):
    with pytest.raises(ValueError, match="not an amount"):
        round_half_up(Decimal(amount), "USD")


@pytest.mark.parametrize("currency", [*_DECIMALS, "ARS", "BRL", "COP", "MXN", "USD"])
def test_decimals_are_those_with_which_amounts_are_shown(currency):
    assert decimals(currency) == get_currency_precision(currency)


@given(st.decimals(-(10**9), 10**9, places=5), st.sampled_from(["USD", "CLP", "KWD"]))
def test_rounding_moves_an_amount_by_half_a_unit_at_most_and_only_once(
    amount, currency
):
    rounded = round_half_up(amount, currency)

    assert abs(rounded - amount) * 2 <= Decimal(1).scaleb(-decimals(currency))
    assert round_half_up(rounded, currency) == rounded
