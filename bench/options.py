"""What the command line chose, and what a case returns."""

from __future__ import annotations

from dataclasses import dataclass

from bench.table import Note, Row

Rows = list[Row | Note]


@dataclass(frozen=True)
class Options:
    """What the command line chose. *seconds* is of each measurement."""

    seconds: float = 0.0
    runs: int = 3
    slow_disk: bool = False
    slow_senders: bool = False
    workers: int = 128
    events: int = 1_000_000
    cancellations: int = 100_000
    pages: int = 200
    rows: int = 5000

    def lasting(self, usual: float) -> float:
        """Return the chosen seconds, else what is usual for a case."""
        return self.seconds or usual
