"""How long a tick takes that finds nothing due: `python -m bench.ticks` on a store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from bench.load import quantile
from bridge import logs, wiring
from bridge import settings as environment


def main() -> None:
    """Time the worker's look and the clock's, on the store of the environment."""
    settings = environment.load()
    logs.configure("error")
    bridge = wiring.build(settings)
    schedule = bridge.schedule()
    found = {
        "outbox": _timed(bridge.bench.anything_due, 200),
        "due cancellations": _timed(schedule.due, 50),
    }
    bridge.close()
    print(json.dumps(found))


def _timed(tick: Callable[[], object], times: int) -> float:
    tick()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        tick()
        took.append(time.perf_counter() - began)
    return quantile(took, 0.5)


if __name__ == "__main__":
    main()
