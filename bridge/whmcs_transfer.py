"""The add-on's `transfer.php`, which moves a service: what the panel's API cannot do.

Signed like a delivery, with the newest secret. The same id and body move nothing
twice: the add-on keeps the id in the transaction of the move.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bridge.billing.transfer_case import Move, Moved
from bridge.errors import MoveRefused, Reason, RemoteError
from bridge.signing import sign
from bridge.transport import Answer, Call
from bridge.whmcs_calls import SERVICE, Sender, unreadable

PATH = "modules/addons/hookbridge/transfer.php"


def ask(
    transport: Sender,
    url: str,
    keys: Sequence[bytes],
    move: Move,
    *,
    timeout: float,
    now: datetime,
) -> Moved:
    """Have a service moved. Raises MoveRefused with the add-on's code.

    Reason.NOT_FOUND means that there is no add-on. An answer that does not say what
    happened raises with `sent` true: look at the service's owner then.
    """
    data: dict[str, Any] = {
        "service_id": move.service_id,
        "from_client_id": move.from_client_id,
        "to_client_id": move.to_client_id,
    }
    if move.verified_field is not None:
        data["verified_field"] = move.verified_field
    stamp = move.agreed_at.isoformat()  # not the present time: the same body each time
    body = json.dumps({"type": "transfer", "timestamp": stamp, "data": data}).encode()
    if not keys:
        detail = "there is no secret to sign the transfer with"
        raise RemoteError(SERVICE, Reason.MISSING_PERMISSION, detail, sent=False)
    signed_at = int(now.timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": move.key,
        "webhook-timestamp": str(signed_at),
        "webhook-signature": sign(keys[0], move.key, signed_at, body),
    }
    call = Call("POST", f"{url.rstrip('/')}/{PATH}", headers, body)
    answer = transport.send(call, deadline=timeout, service=SERVICE)
    return _read(answer, move, now)


def _read(answer: Answer, move: Move, now: datetime) -> Moved:
    told = _told(answer, move.key)
    if answer.status == 404 and not told:
        detail = "the panel has no transfer.php: the add-on is not installed"
        raise RemoteError(SERVICE, Reason.NOT_FOUND, detail, sent=False)
    if answer.status == 401:
        detail = (
            "the add-on does not take our signature: it needs the newest of "
            "BRIDGE_SIGNING_SECRETS, and both clocks must be right"
        )
        raise RemoteError(SERVICE, Reason.MISSING_PERMISSION, detail, sent=False)
    status = told.get("status")
    if answer.status == 409 and status == "refused":
        reason, code = told.get("reason"), told.get("code")
        raise MoveRefused(SERVICE, str(code or "other")[:40], str(reason)[:200])
    if answer.status == 503 and status in ("busy", "error"):
        wait = answer.retry_after(now)
        detail = "the panel is busy; nothing was changed"
        raise RemoteError(
            SERVICE, Reason.RATE_LIMITED, detail, sent=False, retry_after=wait
        )
    if answer.status == 200 and status in ("moved", "already"):
        changed = told.get("changed")
        kept = changed if isinstance(changed, dict) else {}
        return Moved(status == "already", kept)
    raise unreadable(f"HTTP {answer.status} to a transfer, and no answer of the add-on")


def _told(answer: Answer, key: str) -> dict[str, Any]:
    """Return the add-on's answer about this very transfer; empty if it is none."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    return told if told.get("transfer", key) == key else {}
