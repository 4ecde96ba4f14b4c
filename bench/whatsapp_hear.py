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
from typing import Any

from bench.load import Schedule

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


def main() -> None:
    """Post *rate* states a second for some seconds, *batch* in each request."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    batch, rate, seconds = given["batch"], given["rate"], given["seconds"]
    stamp, count = int(time.time()), int(rate * seconds / batch)
    ready = [request(n * batch, batch, stamp) for n in range(count)]
    plan = Schedule(given["port"], ready, rate / batch)
    began = time.perf_counter() + 0.05
    plan.begin(began)
    while not plan.over and time.perf_counter() < began + seconds + 30:
        plan.send(time.perf_counter())
        wait = min(plan.due() - time.perf_counter(), 0.2)
        for line in select.select(plan.waiting, [], [], max(wait, 0))[0]:
            plan.read(line)
    plan.result.seconds = time.perf_counter() - began
    print(json.dumps(plan.result.told() | {"states": count * batch}))


if __name__ == "__main__":
    main()
