"""The period in the text of an invoice line."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.period_text import read_period

from .builders import period

FORMATS = {
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "YYYY/MM/DD": "%Y/%m/%d",
    "YYYY-MM-DD": "%Y-%m-%d",
}
NOVEMBER = period("2026-11-10", "2026-12-09")


@pytest.mark.parametrize("date_format", FORMATS)
@pytest.mark.parametrize("dash", [" - ", "-", " – ", "\u00a0-\u00a0"])
def test_every_date_format_of_the_panel_is_read(date_format, dash):
    first, last = (
        f"{day:{FORMATS[date_format]}}"
        for day in (NOVEMBER.first_day, NOVEMBER.last_day)
    )

    text = f"Radio 128 kbps - 24-7.com ({first}{dash}{last})\nDisco: 20 GB"

    assert read_period(text, date_format) == NOVEMBER


def test_a_lone_date_beside_the_period_does_no_harm():
    text = "Renueva el 01/01/2026, plan 2026 (10/11/2026 - 09/12/2026)."

    assert read_period(text, "dd/mm/yyyy") == NOVEMBER


def test_a_period_of_one_day_is_a_period():
    assert read_period("(10/11/2026 - 10/11/2026)", "DD/MM/YYYY") is not None


NOT_TOLD = {
    "no period": ("Plan 100 - example.com", "DD/MM/YYYY"),
    "two periods": (
        "(10/11/2026 - 09/12/2026) (10/12/2026 - 09/01/2027)",
        "DD/MM/YYYY",
    ),
    "the same twice": ("(10/11/2026 - 09/12/2026) " * 2, "DD/MM/YYYY"),
    "three dates in a row": ("10/11/2026 - 09/12/2026 - 09/01/2027", "DD/MM/YYYY"),
    "end before beginning": ("(10/12/2026 - 09/12/2026)", "DD/MM/YYYY"),
    "day that does not exist": ("(29/02/2026 - 28/03/2026)", "DD/MM/YYYY"),
    "year zero": ("(01/01/0000 - 31/12/0000)", "DD/MM/YYYY"),
    "another format": ("(2026-11-10 - 2026-12-09)", "DD/MM/YYYY"),
    "month and day exchanged": ("(11/10/2026 - 12/25/2026)", "DD/MM/YYYY"),
    "other digits": ("(١٠/١١/٢٠٢٦ - ٠٩/١٢/٢٠٢٦)", "DD/MM/YYYY"),
    "part of a longer number": ("110/11/2026 - 09/12/2026", "DD/MM/YYYY"),
    "a longer year": ("10/11/2026 - 09/12/20261", "DD/MM/YYYY"),
    "unknown format": ("(10/11/2026 - 09/12/2026)", "D/M/Y"),
    "format with a part twice": ("(10/11/2026 - 09/12/2026)", "DD/DD/YYYY"),
    "format with two separators": ("(10/11/2026 - 09/12/2026)", "DD/MM-YYYY"),
    "no format": ("(10/11/2026 - 09/12/2026)", ""),
}


@pytest.mark.parametrize(("text", "date_format"), NOT_TOLD.values(), ids=NOT_TOLD)
def test_what_is_not_certain_is_no_period(text, date_format):
    assert read_period(text, date_format) is None


HOSTILE = {
    "spaces": "10/11/2026" + " " * 65_536,
    "dates": "10/11/2026 " * 6_000,
    "dashes": "10/11/2026" + "-" * 65_536,
    "digits": "1" * 65_536,
    "pairs": "10/11/2026 - " * 5_000,
    "longer than is read": "(10/11/2026 - 09/12/2026)" + " " * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_of_64_kib_is_refused_quickly(text):
    began = time.process_time()

    assert read_period(text, "DD/MM/YYYY") is None
    assert time.process_time() - began < 0.5


def test_a_period_at_the_end_of_64_kib_is_read():
    assert (
        read_period("x " * 32_700 + "10/11/2026 - 09/12/2026", "DD/MM/YYYY") == NOVEMBER
    )


def test_a_period_behind_what_is_read_is_not_overlooked():
    one = "(10/11/2026 - 09/12/2026)"

    assert read_period(one + " " * 100_000 + one, "DD/MM/YYYY") is None


@given(
    st.text(alphabet="0123456789/.- ()DMY\u0662\n", max_size=200), st.text(max_size=12)
)
def test_no_text_and_no_format_makes_it_raise(text, date_format):
    assert read_period(text, date_format) is None
    read_period(text, "DD/MM/YYYY")


@given(st.dates(), st.dates(), st.sampled_from(sorted(FORMATS)))
def test_what_the_panel_writes_is_read_back_unless_it_ends_early(
    first, last, date_format
):
    written = [_written(day, date_format) for day in (first, last)]

    found = read_period(f"Plan ({written[0]} - {written[1]})", date_format)

    told = None if found is None else (found.first_day, found.last_day)
    assert told == (None if last < first else (first, last))


def _written(day: date, date_format: str) -> str:
    # Not strftime: it does not pad a year under 1000.
    parts = {"YYYY": f"{day.year:04}", "MM": f"{day.month:02}", "DD": f"{day.day:02}"}
    for part, digits in parts.items():
        date_format = date_format.replace(part, digits)
    return date_format
