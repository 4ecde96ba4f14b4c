"""What a question costs on top of the panel's answers, beside the smallest app's."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from bench.endtoend import start_stub
from bench.load import quantile
from bench.machine import said, speed
from bench.options import Options, Rows
from bench.processes import Place, bridge_environ, cpu_seconds, free_port, place
from bench.table import Note, at_most

#: No rule of the default map is about it.
_UNMAPPED = "InvoiceSplit"
#: What is asked of the bridge: own time in ms at the 99th of 100, and the rates.
_MOST, _HOOKS, _QUESTIONS = 15.0, 300.0, 50.0


@dataclass(frozen=True)
class Asked:
    """One measurement; times in ms. *cpu* is a second's, in cores."""

    own: float
    whole: float
    late: int
    cpu: float


def decision(options: Options) -> Rows:
    """What a price answered in time costs on top of the panel's answers."""
    rows: Rows = []
    share = speed(options)
    for latency, hookpoint in ((0.0, _UNMAPPED), (0.1, _UNMAPPED), (0.1, "")):
        how = f"panel after {latency * 1000:g} ms" if latency else "panel at once"
        how += ", hooks without a rule" if hookpoint else ", each hook an alert"
        ask = partial(_asked, options, latency, hookpoint)
        plain = [_both(ask, 1.0, run, alone=not hookpoint) for run in _runs(options)]
        rows += _told(f"{_QUESTIONS:g}/s, {how}", plain, _MOST)
        if share < 1.0:
            slower = [
                _both(ask, share, run, alone=not hookpoint) for run in _runs(options)
            ]
            what = f"this machine's speed ({_QUESTIONS * share:.0f}/s), {how}"
            rows += _told(what, slower, round(_MOST / share))
    rows.append(said(options))
    return rows


def _runs(options: Options) -> range:
    return range(options.runs)


def _both(
    ask: partial[Asked], share: float, run: int, *, alone: bool
) -> tuple[Asked, Asked | None]:
    """Ask the bridge, then the smallest app: it has no rules, so not if hooks act."""
    ours = ask(share, run, "bridge")
    return ours, None if alone else ask(share, run, "smallest")


def _told(what: str, found: list[tuple[Asked, Asked | None]], most: float) -> Rows:
    ours = [one for one, _ in found]
    bare = [other for _, other in found if other is not None]
    own = median(one.own for one in ours)
    other = median(one.own for one in bare) if bare else None
    beside = "(smallest app)" if bare else ""
    rows: Rows = [at_most(f"own time p99 at {what}", own, "ms", most, other, beside)]
    whole, cores = median(one.whole for one in ours), median(one.cpu for one in ours)
    text = f"{what}: whole p99 {whole:,.0f} ms, {cores:.2f} cores"
    if bare:
        text += f" (smallest app {median(one.cpu for one in bare):.2f})"
    if late := sum(one.late for one in ours):
        text += f"; {late} were not answered in time"
    rows.append(Note(text))
    return rows


def _asked(
    options: Options, latency: float, hookpoint: str, share: float, run: int, name: str
) -> Asked:
    """Ask at *share* of the rates while hooks come in; *name* is who is asked."""
    with place(slow_disk=options.slow_disk) as at:
        stub, port = start_stub(at, latency), free_port()
        child = _start(at, name, port, stub, options.workers)
        before = cpu_seconds(child.pid)
        found = at.load(
            "schedule",
            port,
            path="/hooks/whmcs",
            prefix=f"d{run}",
            seconds=options.lasting(10),
            rate=_HOOKS * share,
            questions={"path": "/decisions/whmcs", "rate": _QUESTIONS * share},
            hookpoint=hookpoint,
        )
        used = cpu_seconds(child.pid) - before
        held = _get_json(f"http://127.0.0.1:{stub}/held")
    spent, late = [], 0
    for seconds, answer in found["answers"]:
        number = answer["event"].rpartition("_")[2]
        spent.append(seconds - held.get(number, 0.0))
        late += "no answer within" in str(answer.get("reason"))
    own, whole = quantile(spent, 0.99), found["questions"]["p99"]
    return Asked(own * 1000, whole * 1000, late, used / found["seconds"])


def _start(at: Place, name: str, port: int, stub: int, workers: int) -> Any:
    if name == "smallest":
        file = at.directory / "smallest.db"
        return at.python("bench.flask_app", port, file, "grouped", stub, port=port)
    env = bridge_environ(at.directory, port, stub, workers=workers)
    return at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)


def _get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
