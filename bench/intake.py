"""How many deliveries a door takes, and how late it answers."""

from __future__ import annotations

from functools import partial
from statistics import median

from bench.doors import Door, as_fast_as_it_can, opened, side_by_side
from bench.machine import said, speed
from bench.options import Options, Rows
from bench.processes import Place, place
from bench.table import Row, at_least, at_most

#: Deliveries a second that are asked of the bridge.
_RATE = 300.0


def intake(options: Options) -> Rows:
    """Deliveries taken a second, beside the smallest Flask app and `webhook`."""
    rows: Rows = []
    with place(slow_disk=options.slow_disk) as at:
        names = ["bridge", "flask", "flask, grouped", "webhook"]
        doors = opened(at, names, rows)
        for door in doors:
            as_fast_as_it_can(at, 0.5, door, -1)
            door.settle()
        found = side_by_side(
            doors, options.runs, partial(as_fast_as_it_can, at, options.lasting(5))
        )
    rates = {name: median(rate for rate, _ in both) for name, both in found.items()}
    costs = {name: median(cost for _, cost in both) for name, both in found.items()}
    ours, least = rates["bridge"], {"flask": 0.8, "webhook": 0.3}
    for name, rate in rates.items():
        what, beside = f"intake, beside {name}", f"({name})"
        if name in least:
            rows.append(at_least(what, ours, rate, beside, least[name]))
        elif name != "bridge":
            rows.append(Row(what, ours, "/s", rate, beside))
    what = "CPU time of a delivery"
    rows.append(Row(what, costs["bridge"], "ms", costs["flask"], "(flask)"))
    if options.slow_senders:
        rows += _with_slow_senders(options)
    return rows


def _with_slow_senders(options: Options) -> Rows:
    """Measure the same bridge without and with 200 slow senders."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    late: dict[bool, list[float]] = {False: [], True: []}
    with place(slow_disk=options.slow_disk) as at:
        door = Door(at, "bridge")
        for run in range(options.runs):
            for slow in (False, True):
                how = {"path": door.path, "prefix": f"s{run}{slow}"}
                senders = None
                if slow:
                    senders = at.python("bench.slow", door.port, 200, said=True)
                found = at.load(
                    "capacity", door.port, seconds=options.lasting(5), **how
                )
                rates[slow].append(found["rate"])
                how["prefix"] += "p"
                found = at.load(
                    "schedule", door.port, seconds=options.lasting(10), **how
                )
                late[slow].append(found["p99"] * 1000)
                if senders is not None:
                    at.end(senders)
    what = "intake with 200 slow senders"
    ours, other = median(rates[True]), median(rates[False])
    rows: Rows = [at_least(what, ours, other, "(without)", 0.9)]
    what = "p99 at 300/s with 200 slow senders"
    most = 60 if options.slow_disk else 10
    ours, other = median(late[True]), median(late[False])
    rows.append(at_most(what, ours, "ms", most, other, "(without)"))
    return rows


def schedule(options: Options) -> Rows:
    """How late answers are at 300 deliveries a second, from the planned moment."""
    rows: Rows = []
    share = speed(options)
    for slow in (False, True) if options.slow_disk else (False,):
        most, suffix = (60, ", syncs 5 ms slower") if slow else (10, "")
        ours, flask = _late(options, slow, _RATE, rows)
        what = f"p99 at {_RATE:g}/s{suffix}"
        rows.append(at_most(what, ours, "ms", most, flask, "(flask)"))
        if share < 1.0:
            ours, flask = _late(options, slow, _RATE * share, rows)
            what = f"p99 at this machine's speed ({_RATE * share:.0f}/s){suffix}"
            most = round(most / share)
            rows.append(at_most(what, ours, "ms", most, flask, "(flask)"))
    rows.append(said(options))
    return rows


def _late(options: Options, slow: bool, rate: float, rows: Rows) -> tuple[float, float]:
    """Return the p99 of our answers and of Flask's, in ms."""
    with place(slow_disk=slow) as at:
        doors = opened(at, ["bridge", "flask"], rows)
        found = side_by_side(
            doors, options.runs, partial(_lateness, at, options.lasting(10), rate)
        )
    return median(found["bridge"]), median(found["flask"])


def _lateness(at: Place, seconds: float, rate: float, door: Door, run: int) -> float:
    """Return the p99 of the answers in ms."""
    found = at.load(
        "schedule",
        door.port,
        path=door.path,
        prefix=f"p{rate:.0f}_{run}",
        seconds=seconds,
        rate=rate,
    )
    return float(found["p99"]) * 1000
