"""The add-on's own endpoint, which moves a service to another client once."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Mapping

from bridge.demo.faults import Reply
from bridge.demo.hooks import sign
from bridge.demo.world import World

TRANSFER_PATH = "/modules/addons/hookbridge/transfer.php"
FIVE_MINUTES = 300


class Transfers:
    """``transfer.php``: signed like a delivery; the same id moves nothing twice."""

    def __init__(self, world: World, secret: str) -> None:
        self.secret = secret
        self.done: dict[str, dict[str, object]] = {}
        self._world = world
        self._lock = threading.Lock()

    def handle(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Move the service the body names, or say why not."""
        id = headers.get("webhook-id", "")
        if not id or not self._signed(id, headers, body):
            return _reply(401, {"reason": "the signature is wrong"})
        try:
            asked = json.loads(body)["data"]
            names = ("service_id", "from_client_id", "to_client_id")
            service, old, new = (int(asked[name]) for name in names)
        except (ValueError, KeyError, TypeError):
            return _reply(400, {"reason": "not a transfer"})
        with self._lock, self._world.lock:
            if id in self.done:
                told = {"transfer": id, "status": "already"}
                return _reply(200, {**told, "changed": self.done[id]})
            if refused := self._against(service, old, new):
                told = {"transfer": id, "status": "refused"}
                code, reason = refused
                return _reply(409, {**told, "reason": reason, "code": code})
            self._world.move_service(service, new)
            self.done[id] = {"service": service, "from": old, "to": new}
            told = {"transfer": id, "status": "moved"}
            return _reply(200, {**told, "changed": self.done[id]})

    def _signed(self, id: str, headers: Mapping[str, str], body: bytes) -> bool:
        stamp = headers.get("webhook-timestamp", "")
        now = self._world.clock.now().timestamp()
        if not stamp.isdigit() or abs(now - int(stamp)) > FIVE_MINUTES:
            return False
        right = sign(self.secret, id, int(stamp), body).encode()
        given = headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(one.encode(), right) for one in given)

    def _against(self, service_id: int, old: int, new: int) -> tuple[str, str] | None:
        world = self._world
        service = world.services.get(service_id)
        if service is None or old not in world.clients or new not in world.clients:
            return "no_service", "there is no such service or client"
        giver, taker = world.clients[old], world.clients[new]
        pending = [u for u in world.upgrades.values() if u.relid == service_id]
        mails = [client.email for client in world.clients.values()]
        verified = giver.email_verified and taker.email_verified
        reasons = {
            "other_owner": service.clientid != old,
            "same_client": old == new,
            "same_email": giver.email == taker.email,
            "shared_email": mails.count(giver.email) + mails.count(taker.email) > 2,
            "not_verified": not verified,
            "not_active": service.status != "Active",
            "invoice_open": bool(world.open_invoices_of(service_id)),
            "cancellation_pending": world.cancellation_of(service_id) is not None,
            "upgrade_pending": any(u.status == "Pending" for u in pending),
            "currencies_differ": giver.currency != taker.currency,
        }
        code = next((code for code, holds in reasons.items() if holds), "")
        return (code, code.replace("_", " ")) if code else None


def _reply(status: int, body: dict[str, object]) -> Reply:
    return Reply(status, json.dumps(body).encode())
