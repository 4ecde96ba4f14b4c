"""The panel's words for cycles and states."""

import pytest

from bridge.billing.model import Cycle

from .builders import billed, service

WORDS = [
    ("Monthly", Cycle.MONTHLY),
    ("Semi-Annually", Cycle.SEMIANNUALLY),
    ("semiannually", Cycle.SEMIANNUALLY),
    ("Triennially", Cycle.TRIENNIALLY),
    ("One Time", Cycle.ONE_TIME),
    ("Free Account", Cycle.FREE),
    ("free", Cycle.FREE),
]


@pytest.mark.parametrize(("word", "cycle"), WORDS)
def test_both_of_the_panels_spellings_of_a_cycle_are_read(word, cycle):
    assert Cycle.read(word) is cycle


def test_an_unknown_cycle_is_a_value_error():
    with pytest.raises(ValueError, match="weekly"):
        Cycle.read("Weekly")


STATES = [
    ("Paid", True, False, True),
    ("Unpaid", False, True, True),
    ("Payment Pending", False, True, True),
    ("Collections", False, True, True),
    ("Cancelled", False, False, False),
    ("Refunded", False, False, False),
    ("Draft", False, False, False),
]


@pytest.mark.parametrize(("status", "paid", "is_open", "counts"), STATES)
def test_the_status_of_an_invoice_says_what_it_counts_for(
    status, paid, is_open, counts
):
    one = billed(1, "2026-01-01", "2026-12-31", status)

    assert (one.paid, one.open, one.counts) == (paid, is_open, counts)


@pytest.mark.parametrize(
    ("status", "active", "ended"),
    [("Active", True, False), ("Suspended", False, False), ("Terminated", False, True)],
)
def test_the_status_of_a_service_says_whether_it_runs(status, active, ended):
    one = service(status=status)

    assert (one.active, one.ended) == (active, ended)
