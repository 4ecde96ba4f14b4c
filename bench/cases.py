"""The cases: each starts what it compares, measures side by side, returns rows."""

from __future__ import annotations

from collections.abc import Callable

from bench.addon import addon
from bench.decision import decision
from bench.endtoend import endtoend
from bench.intake import intake, schedule
from bench.options import Options, Rows
from bench.processes import Missing, slow_sync
from bench.size import size
from bench.whatsapp import measure


def whatsapp(options: Options) -> Rows:
    """Messages a second through TLS, at a rate, and 3,000 of their states a second."""
    seconds = options.lasting(10)
    heard_for = options.lasting(30)
    return measure(seconds, options.runs, options.workers, heard_for)


CASES: dict[str, Callable[[Options], Rows]] = {
    "intake": intake,
    "schedule": schedule,
    "endtoend": endtoend,
    "decision": decision,
    "size": size,
    "addon": addon,
    "whatsapp": whatsapp,
}


def check(options: Options) -> str:
    """Return why the slow disk cannot be played here, or an empty text."""
    if options.slow_disk:
        try:
            slow_sync()
        except Missing as error:
            return str(error)
    return ""
