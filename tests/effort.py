"""How thorough a run is: in a few minutes, as CI is, or every point (SWEEP=full)."""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

T = TypeVar("T")

FULL = os.environ.get("SWEEP") == "full"
THOROUGH = FULL or bool(os.environ.get("BRIDGE_TEST_NOTHING_SKIPPED"))

#: For what takes a while and has a quicker sister: run where nothing may be skipped.
in_ci = pytest.mark.skipif(
    not THOROUGH,
    reason="takes a while and is run in CI: BRIDGE_TEST_NOTHING_SKIPPED=1",
)


def pick(*, full: T, ci: T, quick: T) -> T:
    """Return what fits this run."""
    return full if FULL else ci if THOROUGH else quick


def examples(ci: int) -> int:
    """Return how many examples Hypothesis tries: a fifth of CI's in a quick run."""
    return ci if THOROUGH else max(ci // 5, 10)
