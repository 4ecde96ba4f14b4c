"""`python -m bench [case]`: measure, and print ours beside the others."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from bench.cases import CASES, check
from bench.options import Options
from bench.table import Note, show, told


def main(argv: list[str] | None = None) -> None:
    """Run the cases that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="?", default="all", choices=[*CASES, "all"])
    parser.add_argument("--seconds", type=float, default=0.0, help="of a measurement")
    parser.add_argument("--runs", type=int, default=3, help="the median counts")
    parser.add_argument("--workers", type=int, default=128, help="threads, end to end")
    parser.add_argument("--slow-disk", action="store_true", help="syncs 5 ms slower")
    parser.add_argument("--slow-senders", action="store_true", help="200, at intake")
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="in the big store"
    )
    parser.add_argument("--cancellations", type=int, default=100_000, help="likewise")
    parser.add_argument("--pages", type=int, default=200, help="of a panel, a median")
    parser.add_argument("--rows", type=int, default=5000, help="that the add-on drains")
    parser.add_argument("--json", action="store_true", help="a line of JSON a case")
    given = vars(parser.parse_args(argv))
    case, as_json = given.pop("case"), given.pop("json")
    options = Options(**given)
    notes = []
    if why := check(options):
        notes.append(Note(f"the slow disk was left out: {why}"))
        options = replace(options, slow_disk=False)
    load = os.getloadavg()[0]
    if not as_json:
        print(f"{os.cpu_count()} cores, load {load:.1f}, medians of {options.runs}\n")
    for name in CASES if case == "all" else [case]:
        rows = [*notes, *CASES[name](options)]
        title = f"{name}: {(CASES[name].__doc__ or '').splitlines()[0]}"
        print(told(name, rows) if as_json else show(title, rows), flush=True)


if __name__ == "__main__":
    main()
