"""Delivery states as Meta posts them: signed, a few in a request, at a rate.

`python -m bench.whatsapp_hear JSON` prints one JSON object.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.load import Schedule
from bridge.store import Store, book, schema

SECRET = b"bench-app-secret"
_STATES = ("sent", "delivered", "read")


def request(first: int, count: int, stamp: int) -> bytes:
    """Return one whole request with *count* states, the first numbered *first*."""
    statuses = [
        {
            "id": f"wamid.B{number // 3}",
            "status": _STATES[number % 3],
            "timestamp": str(stamp),
            "recipient_id": "5491155550000",
            "biz_opaque_callback_data": f"b{number // 3}/invoice-created",
        }
        for number in range(first, first + count)
    ]
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "1"}}
    change = {"field": "messages", "value": value | {"statuses": statuses}}
    whole = {"object": "whatsapp_business_account", "entry": [{"changes": [change]}]}
    body = json.dumps(whole, separators=(",", ":")).encode("ascii")
    mac = hmac.digest(SECRET, body, hashlib.sha256).hex()
    head = (
        "POST /whatsapp/cloud HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={mac}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def fill(file: Path, states: int) -> None:
    """Make a store that holds the messages which so many states are about."""
    url = f"sqlite:///{file}"
    schema.migrate(url)
    store, now = Store(url), datetime.now(UTC)
    same = {"name": "invoice_created", "language": "es", "text": "Hola.", "states": []}
    same |= {"to": "+5491155550000", "provider": "cloud", "state": "accepted"}
    for first in range(0, states // 3 + 1, 1000):
        rows = [
            same
            | {
                "key": f"b{number}/invoice-created",
                "job_key": f"b{number}/invoice-created",
                "event_id": f"b{number}",
                "client_id": number,
                "provider_id": f"wamid.B{number}",
                "created_at": now,
                "form": "template invoice_created (es)",
            }
            for number in range(first, first + 1000)
        ]
        store.write(partial(book.sent, rows=rows), 60.0)
    store.close()


def main() -> None:
    """Post *rate* states a second for some seconds, *batch* in each request.

    Each second it is noted for how many seconds' worth of them no answer came yet.
    """
    given: dict[str, Any] = json.loads(sys.argv[1])
    batch, rate, seconds = given["batch"], given["rate"], given["seconds"]
    stamp, count = int(time.time()), int(rate * seconds / batch)
    ready = [request(n * batch, batch, stamp) for n in range(count)]
    plan = Schedule(given["port"], ready, rate / batch)
    began = time.perf_counter() + 0.05
    plan.begin(began)
    queue: list[float] = []
    look = began + 1.0
    while not plan.over and time.perf_counter() < began + seconds + 30:
        now = time.perf_counter()
        plan.send(now)
        if look <= now:
            due = min(now - began, seconds)
            queue.append(max(due - plan.result.good * batch / rate, 0.0))
            look += 1.0
        wait = min(plan.due() - time.perf_counter(), 0.2)
        for line in select.select(plan.waiting, [], [], max(wait, 0))[0]:
            plan.read(line)
    plan.result.seconds = time.perf_counter() - began
    told = plan.result.told() | {"states": count * batch, "queue": queue}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
