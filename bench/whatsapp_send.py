"""Send through the real path, and by a bare loop, to the bench's Cloud API.

`python -m bench.whatsapp_send path|bare|limiter JSON` prints messages a second.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from bridge import __version__, dispatch, logs, upkeep, wiring
from bridge import settings as environment
from bridge.commands.comparing import compare
from bridge.events import Subject, read_body
from bridge.samples import SamplePanel
from bridge.store import Store, inbox, reports, schema
from bridge.store.inbox import Accepted
from bridge.transport import Transport
from bridge.whatsapp import TemplateState

_WARM_UP = 1.0


class People(SamplePanel):
    """A client, with a telephone of his own, for each invoice; asks nobody."""

    def client(self, client_id: int) -> Any:
        """Return a client with his own number."""
        number = f"+54.911{client_id:08d}"
        return replace(super().client(client_id), phone=number)

    def invoice(self, invoice_id: int) -> Any:
        """Return an invoice of the client with the same number."""
        return replace(super().invoice(invoice_id), client_id=invoice_id)


def path(given: dict[str, Any]) -> dict[str, float]:
    """Claim, render, send and record messages that wait; return how many a second."""
    logs.configure("error")
    settings = environment.load()
    transport = Transport(
        pool=settings.workers, version=__version__, ca_file=given["certificate"]
    )
    provider = wiring.make_provider(settings, wiring.now, transport=transport)
    panel: Any = People(date.today())  # noqa: DTZ011  (any day will do)
    bridge = wiring.build(settings, panel=panel, provider=provider)
    _fill(bridge, int(given["messages"]))
    _approve(bridge)
    worker = threading.Thread(target=bridge.worker.run)
    worker.start()

    def recorded() -> int:
        with bridge.store.read() as db:
            return reports.totals(db)["messages"]

    time.sleep(_WARM_UP)
    rate = _rate(recorded, given["seconds"])
    bridge.worker.stop()
    worker.join()
    left = int(given["messages"]) - recorded()
    bridge.close()
    return {"rate": rate, "left": left}


def _fill(bridge: wiring.Bridge, count: int) -> None:
    """Put in one InvoiceCreated for each client, matched: the jobs wait."""
    now = bridge.bench.now()

    def put(db: Any, first: int, last: int) -> None:
        for number in range(first, last):
            body = {"type": "InvoiceCreated", "timestamp": now.isoformat()}
            raw = json.dumps(body | {"data": {"invoiceid": number}}).encode()
            about = Subject(invoice=number)
            made = Accepted(
                f"b{number}", "whmcs", str(number), read_body(raw), now, about
            )
            inbox.put(db, made, now)

    for first in range(1, count + 1, 500):
        last = min(first + 500, count + 1)
        bridge.store.write(lambda db, a=first, b=last: put(db, a, b), 60.0)
    hookmap = bridge.map.current
    while bridge.store.write(lambda db: dispatch.match(db, hookmap, now), 60.0):
        pass


def _approve(bridge: wiring.Bridge) -> None:
    """Let every template be approved: outside the 24 hours they are what is sent."""
    now = bridge.bench.now()
    states = [
        TemplateState(
            one.name,
            one.language,
            "APPROVED",
            "1",
            body=one.draft.body,
            label=one.draft.label,
            url=one.draft.url,
        )
        for one in compare(bridge.map.current, [], now.date())
        if one.draft is not None
    ]
    bridge.store.write(lambda db: upkeep.keep_templates(db, states, now))


def bare(given: dict[str, Any]) -> dict[str, float]:
    """Post the same in a loop over one shared session; return how many a second."""
    session = requests.Session()
    session.trust_env = False
    session.verify = given["certificate"]
    threads = int(given["threads"])
    session.mount("https://", HTTPAdapter(pool_connections=1, pool_maxsize=threads))
    body = Path(given["body"]).read_bytes()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer bench"}
    counts, stop = [0] * threads, threading.Event()

    def work(mine: int) -> None:
        while not stop.is_set():
            session.post(given["url"], data=body, headers=headers, timeout=30).json()
            counts[mine] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(_WARM_UP)
    rate = _rate(lambda: sum(counts), given["seconds"])
    stop.set()
    for worker in workers:
        worker.join()
    return {"rate": rate}


def limiter(given: dict[str, Any]) -> dict[str, Any]:
    """Ask the limiter from as many threads as send, from its first moment on.

    Return when it let each through, and when that began and ended, by the machine's
    clock: what several processes tell may be put together.
    """
    settings = environment.load()
    provider = wiring.make_provider(settings, wiring.now)
    schema.migrate(settings.database_url)
    store = Store(settings.database_url)
    threads = int(given["threads"])
    went: list[list[float]] = [[] for _ in range(threads)]
    stop = threading.Event()
    wait = wiring.limiter(provider, store)

    def work(mine: int) -> None:
        while not stop.is_set():
            wait()
            went[mine].append(time.monotonic())

    began = time.monotonic()
    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(given["seconds"])
    ended = time.monotonic()
    stop.set()
    for worker in workers:
        worker.join()
    store.close()
    times = sorted(at for mine in went for at in mine if at < ended)
    return {"began": began, "ended": ended, "times": times}


def _rate(count: Callable[[], int], seconds: float) -> float:
    before, began = count(), time.perf_counter()
    time.sleep(seconds)
    return (count() - before) / (time.perf_counter() - began)


def main() -> None:
    """Measure one of them and print it."""
    run = {"path": path, "bare": bare, "limiter": limiter}[sys.argv[1]]
    print(json.dumps(run(json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
