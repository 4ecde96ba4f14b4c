"""Money, dates and words as each language writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from bridge.billing.model import Cycle
from bridge.billing.money import Amount
from bridge.filters import bound

MONEY = [
    ("es", "1234.5", "USD", "1.234,50 US$"),
    ("en", "1234.5", "USD", "$1,234.50"),
    ("pt_BR", "1234.5", "BRL", "R$ 1.234,50"),
    ("es", "100", "ARS", "100,00 ARS"),
    ("es", "50.005", "USD", "50,01 US$"),
    ("es", "50.015", "USD", "50,02 US$"),
    ("es", "4990.5", "CLP", "4.991 CLP"),
    ("es", "4990.5", "PYG", "4.991 PYG"),
    ("en", "4990.5", "JPY", "¥4,991"),
    ("es", "-50", "USD", "-50,00 US$"),
]


@pytest.mark.parametrize(("language", "amount", "currency", "written"), MONEY)
def test_money_has_its_currency_and_that_ones_places(
    language, amount, currency, written
):
    money = bound(language)["money"]

    assert money(Amount(Decimal(amount), currency)) == written


DAY = date(2026, 12, 9)
DATES = [
    ("es", "date", "09/12/2026"),
    ("pt_BR", "date", "09/12/2026"),
    ("en", "date", "Dec 9, 2026"),
    ("es", "longdate", "9 de diciembre de 2026"),
    ("pt_BR", "longdate", "9 de dezembro de 2026"),
    ("en", "longdate", "December 9, 2026"),
]


@pytest.mark.parametrize(("language", "name", "written"), DATES)
def test_days_are_written_in_the_form_of_the_language(language, name, written):
    assert bound(language)[name](DAY) == written


def test_hours_are_written_in_the_form_of_the_language():
    at = datetime(2026, 12, 9, 20, 5, tzinfo=UTC)

    assert bound("es")["time"](time(20, 5)) == "20:05"
    assert bound("en")["time"](at) == "8:05 PM"
    assert bound("es")["datetime"](at) == "09/12/2026 20:05"


LISTS = [
    ("es", ["a", "b", "c"], "a, b y c"),
    ("es", ["nombre", "identificación fiscal"], "nombre e identificación fiscal"),
    ("es", ["agua", "hielo"], "agua y hielo"),
    ("pt_BR", ["a", "b"], "a e b"),
    ("en", ["a", "b", "c"], "a, b and c"),
    ("es", ["a"], "a"),
    ("es", [], "-"),
]


@pytest.mark.parametrize(("language", "words", "written"), LISTS)
def test_a_list_is_one_sentence(language, words, written):
    assert bound(language)["list"](words) == written


@pytest.mark.parametrize("language", ["es", "en", "pt_BR"])
@pytest.mark.parametrize("cycle", list(Cycle))
def test_every_billing_cycle_has_a_name(language, cycle):
    assert bound(language)["cycle"](cycle)
    assert language == "en" or bound(language)["cycle"](cycle) != cycle.value


def test_a_cycle_is_known_by_the_panels_own_word_too():
    assert bound("es")["cycle"]("Semi-Annually") == "semestral"
    assert bound("es")["cycle"]("Free Account") == "sin cargo"
    assert bound("es")["cycle"]("weekly") == "weekly"


def test_a_telephone_is_written_in_international_form():
    assert bound("es")["phone"]("+5491155550100") == "+54 9 11 5555-0100"
    assert bound("es")["phone"]("interno 5") == "interno 5"


def test_a_number_has_the_separators_of_the_language():
    assert bound("es")["number"](12345) == "12.345"
    assert bound("en")["number"](Decimal("12345.5")) == "12,345.5"


def test_the_default_stands_for_what_is_empty():
    default = bound("es")["default"]

    assert [default(value, "x") for value in (None, "", [], "a", 0)] == [
        "x",
        "x",
        "x",
        "a",
        0,
    ]


def test_a_text_is_cut_with_an_ellipsis():
    assert bound("es")["truncate"]("abcdef", 4) == "abc…"
    assert bound("es")["truncate"]("abc", 4) == "abc"


WRONG = [("money", 5), ("date", "hoy"), ("time", DAY), ("number", "5"), ("list", 5)]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_of_another_kind_is_refused(name, value):
    with pytest.raises(TypeError):
        bound("es")[name](value)


@pytest.mark.parametrize("name", ["money", "date", "longdate", "list", "cycle"])
def test_what_is_not_known_is_a_dash(name):
    assert bound("es")[name](None) == "-"


def test_an_amount_compares_like_the_number_that_was_written():
    amount = Amount(Decimal("0.1"), "USD")

    assert amount == 0.1
    assert amount < 0.2
    assert amount > 0
    assert amount >= Decimal("0.1")
    assert amount <= 0.1
    assert amount != 0.10001
    assert (amount.amount, amount.currency) == (Decimal("0.1"), "USD")
