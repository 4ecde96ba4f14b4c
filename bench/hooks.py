"""Signed 2 KB hooks, written out as whole HTTP requests before anything is timed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

#: 32 visible characters, since Debian's `webhook` takes a secret as text.
KEY = b"bench-key-of-thirty-two-letters!"
SECRET = "whsec_" + base64.b64encode(KEY).decode("ascii")
SIZE = 2048
_LINE = {"type": "Hosting", "amount": "1210.00", "duedate": "2026-12-10"}


def invoice_created(number: int) -> bytes:
    """Return the body of an InvoiceCreated: lines until it is 2 KB long."""
    data = {
        "source": "autogen",
        "user": "system",
        "invoiceid": number,
        "status": "Unpaid",
    }
    lines: list[dict[str, Any]] = []
    while len(found := _body("InvoiceCreated", data, invoice_lines=lines)) < SIZE - 90:
        lines.append({"relid": 10_000_000 + len(lines), **_LINE})
    padding = SIZE - len(found)
    lines[-1]["type"] += "x" * padding
    return _body("InvoiceCreated", data, invoice_lines=lines)


def price_question(number: int) -> bytes:
    """Return the body of an OrderProductUpgradeOverride about service *number*."""
    data = {
        "oldproductid": number,
        "oldproductname": "Hosting Plan Basic",
        "newproductid": number + NEW_PLAN,
        "newproductname": "Hosting Plan Plus",
        "days": 30,
        "totaldays": 30,
        "newproductbillingcycle": "monthly",
        "price": "1500.00",
        "discount": "0.00",
        "promoqualifies": True,
    }
    return _body("OrderProductUpgradeOverride", data, service_id=number)


#: The plan that service n asks for is n + this: so each call tells whose it is.
NEW_PLAN = 10_000_000


def _body(hookpoint: str, data: dict[str, Any], **context: Any) -> bytes:
    body = {
        "type": hookpoint,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": data,
        "context": {"actor": "system", **context},
    }
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def request(path: str, id: str, body: bytes) -> bytes:
    """Return a whole request, signed for the bridge and for `webhook` alike."""
    stamp = str(int(time.time()))
    mac = hmac.digest(KEY, f"{id}.{stamp}.".encode("ascii") + body, hashlib.sha256)
    plain = hmac.digest(KEY, body, hashlib.sha256).hex()
    head = (
        f"POST {path} HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "Content-Type: application/json\r\n"
        f"webhook-id: {id}\r\n"
        f"webhook-timestamp: {stamp}\r\n"
        f"webhook-signature: v1,{base64.b64encode(mac).decode('ascii')}\r\n"
        f"x-hub-signature-256: sha256={plain}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def requests(
    path: str, prefix: str, count: int, first: int = 1, hookpoint: str = ""
) -> list[bytes]:
    """Return *count* requests with an id and an invoice of their own each.

    *hookpoint* replaces InvoiceCreated, for one that no rule is about.
    """
    template = invoice_created(1_000_000)
    if hookpoint:
        template = template.replace(b"InvoiceCreated", hookpoint.encode("ascii"))
    found = []
    for number in range(first, first + count):
        text = str(1_000_000 + number % 8_000_000).encode("ascii")
        body = template.replace(b"1000000", text, 1)
        found.append(request(path, f"{prefix}_{number}", body))
    return found


def questions(path: str, prefix: str, count: int, first: int = 1) -> list[bytes]:
    """Return *count* questions for a price, each about a service of its own."""
    return [
        request(path, f"{prefix}_{number}", price_question(number))
        for number in range(first, first + count)
    ]
