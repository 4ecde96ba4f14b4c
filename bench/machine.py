"""How fast this machine is, beside the one that the absolute targets were set on.

There the smallest Flask app (`bench.flask_app`, grouped commits) kept 2,600 signed
hooks a second on two cores, and so many a second, in so many milliseconds, were asked
of the bridge. Where that app keeps fewer, what is asked a second is less in
proportion, and a millisecond of it takes longer: such rows say "at this machine's
speed" and stand beside those with the plain figures.
"""

from __future__ import annotations

from functools import cache
from statistics import median

from bench.doors import Door, as_fast_as_it_can
from bench.options import Options
from bench.processes import place
from bench.table import Note

#: What the smallest app kept a second on the machine of the targets.
REFERENCE = 2600.0


@cache
def speed(options: Options) -> float:
    """Return the share of the targets' machine that this one is, at most 1."""
    with place() as at:
        door = Door(at, "flask, grouped")
        as_fast_as_it_can(at, 0.5, door, -1)
        seconds = options.lasting(5)
        found = [
            as_fast_as_it_can(at, seconds, door, run)[0] for run in range(options.runs)
        ]
    return min(median(found) / REFERENCE, 1.0)


def said(options: Options) -> Note:
    """Return what was found as a line under a table."""
    share = speed(options)
    return Note(
        f"this machine's speed: {share:.2f} of the one the targets were set on "
        f"(smallest app, grouped: {share * REFERENCE:,.0f} of {REFERENCE:,.0f} /s)"
    )
