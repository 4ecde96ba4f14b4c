"""A simulated Evolution API (2.3) with one Baileys instance.

By https://doc.evolution-api.com/v2. Oddities on purpose: it always answers 400 when a
send fails, events may be written MESSAGES_UPSERT, and a callback carries its own key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bridge.demo.whatsapp.stub import JSON, Ask, Hook, Malformed, Reply, Stub, Taken

KEY, INSTANCE, WEBHOOK_TOKEN = "demo-apikey", "ventas", "demo-webhook-token"
_ACKS = {"sent": "SERVER_ACK", "delivered": "DELIVERY_ACK", "read": "READ"}


def error(status: int, what: str, message: Any) -> Reply:
    """Return an error as Evolution writes it."""
    found = {"status": status, "error": what, "response": {"message": message}}
    return Reply.of(status, found)


class EvolutionStub(Stub):
    """Takes texts for one instance; numbers in *absent* have no WhatsApp."""

    failures: Mapping[str, Reply] = {
        "bad_key": error(401, "Unauthorized", "Unauthorized"),
        "no_instance": error(404, "Not Found", ["The instance does not exist"]),
        "bad_number": error(
            400, "Bad Request", [{"exists": False, "number": "549"}]
        ),
        "broken": error(400, "Bad Request", ["Error: Connection Closed"]),
        "timed_out": error(400, "Bad Request", [["Timed Out"]]),
        "refused": error(400, "Bad Request", [['instance requires property "text"']]),
        "trouble": error(500, "Internal Server Error", "x"),
        "rate_limited": Reply.of(429, {"message": "slow down"}, Retry_After="9"),
        "server_down": Reply(502, b"<html>down</html>", {"Content-Type": "text/html"}),
    }  # fmt: skip

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(now)
        self.state = "open"
        self.webhook = ""
        self.absent: set[str] = set()
        #: Whether each event is posted to an address of its own, and which are at all.
        self.by_events = False
        self.headers: dict[str, str] | None = {"X-Bridge-Token": WEBHOOK_TOKEN}
        self.events = ["MESSAGES_UPSERT", "MESSAGES_UPDATE", "CONNECTION_UPDATE"]

    def answer(self, ask: Ask) -> Reply:
        """Judge a request."""
        if ask.headers.get("apikey") != KEY:
            raise Malformed(self.failures["bad_key"], "no key, or another one")
        match = re.fullmatch(r"/([a-z]+/[A-Za-z]+)/([^/]+)", ask.path)
        if match is None or match.group(2) != INSTANCE:
            raise Malformed(self.failures["no_instance"], f"no path {ask.path}")
        what = (ask.method, match.group(1))
        if what == ("GET", "instance/connectionState"):
            instance = {"instanceName": INSTANCE, "state": self.state}
            return Reply.of(200, {"instance": instance})
        if what == ("GET", "webhook/find"):
            return Reply.of(200, self._hook())
        body = ask.json()
        if what == ("POST", "chat/whatsappNumbers"):
            return Reply.of(200, [self._found(one) for one in _numbers(body)])
        if what == ("POST", "message/sendText"):
            return self._message(body)
        raise Malformed(error(404, "Not Found", ["Cannot"]), f"no path {ask.path}")

    def _hook(self) -> dict[str, Any]:
        found = {"enabled": bool(self.webhook), "url": self.webhook}
        found |= {"webhookByEvents": self.by_events, "events": self.events}
        return found | {"headers": self.headers}

    def _found(self, number: str) -> dict[str, Any]:
        jid = f"{number}@s.whatsapp.net"
        return {"jid": jid, "exists": number not in self.absent, "number": number}

    def _message(self, body: Any) -> Reply:
        known = {"number", "text", "linkPreview", "delay"}
        if not isinstance(body, dict) or set(body) - known:
            raise _bad(f"unknown keys, or no JSON: {body!r:.80}")
        number, text = body.get("number"), body.get("text")
        if not isinstance(number, str) or not re.fullmatch(r"[1-9][0-9]{7,14}", number):
            raise _bad("number is not digits")
        if not isinstance(text, str) or not text.strip():
            raise _bad('instance requires property "text"')
        if not isinstance(body.get("linkPreview", False), bool):
            raise _bad("linkPreview")
        if self.state != "open":
            return self.failures["broken"]
        if number in self.absent:
            return error(400, "Bad Request", [self._found(number)])

        def make(id: str) -> Taken:
            return Taken(f"BAE5{id}", f"+{number}", text)

        def shape(one: Taken) -> Reply:
            key = {
                "remoteJid": f"{self.named(one.to)[1:]}@s.whatsapp.net",
                "fromMe": True,
                "id": one.id,
            }
            found = {"key": key, "status": "PENDING", "message": {}}
            return Reply.of(201, found | {"messageTimestamp": self._stamp()})

        return self.accept(make, shape)

    def tell(self, one: Taken, state: str, code: int = 0) -> None:
        """Queue a message's update."""
        status = "ERROR" if state == "failed" else _ACKS[state]
        jid = f"{self.named(one.to)[1:]}@s.whatsapp.net"
        data = {"keyId": one.id, "remoteJid": jid, "fromMe": True, "status": status}
        self.post("messages.update", data)

    def write(self, sender: str, text: str, **more: Any) -> str:
        """A person writes; *lid* hides the number behind an identity."""
        return self._inbound(sender, {"conversation": text}, **more)

    def press(self, sender: str, payload: str, label: str, reply_to: str) -> str:
        """A person presses a button."""
        quoted = {"contextInfo": {"stanzaId": reply_to}}
        chosen = {"selectedButtonId": payload, "selectedDisplayText": label}
        reply: dict[str, Any] = chosen | quoted
        return self._inbound(sender, {"buttonsResponseMessage": reply})

    def choose(self, sender: str, id: str, title: str) -> str:
        """A person chooses a row of a list."""
        reply = {"title": title, "singleSelectReply": {"selectedRowId": id}}
        return self._inbound(sender, {"listResponseMessage": reply})

    def _inbound(
        self,
        sender: str,
        message: dict[str, Any],
        *,
        lid: str = "",
        mine: bool = False,
        group: bool = False,
    ) -> str:
        self._count += 1
        id, jid = f"3A{self._count:08X}", f"{sender.removeprefix('+')}@s.whatsapp.net"
        key: dict[str, Any] = {"remoteJid": jid, "fromMe": mine, "id": id}
        if lid:
            key |= {"remoteJid": f"{lid}@lid", "addressingMode": "lid"}
            key |= {"remoteJidAlt": jid} if sender else {}
        if group:
            key["remoteJid"] = "120363000000000000@g.us"
        data: dict[str, Any] = {"key": key, "pushName": "🙂", "message": message}
        data |= {"messageType": next(iter(message)), "messageTimestamp": self._stamp()}
        self.post("messages.upsert" if self._count % 2 else "MESSAGES_UPSERT", data)
        return id

    def connect(self, state: str, reason: int = 200) -> None:
        """The phone's session changes."""
        self.state = state
        data = {"instance": INSTANCE, "state": state, "statusReason": reason}
        self.post("connection.update", data)

    def _stamp(self) -> int:
        return int(self.now().timestamp())

    def post(self, event: str, data: Any) -> Hook:
        """Queue a callback; nothing but a header says whose it is."""
        value = {"event": event, "instance": INSTANCE, "data": data, "apikey": KEY}
        value |= {"date_time": self.now().isoformat(), "sender": "x@s.whatsapp.net"}
        headers = JSON | {"X-Bridge-Token": WEBHOOK_TOKEN}
        body = json.dumps(value, ensure_ascii=False).encode()
        with self._lock:
            self.pending.append(Hook(headers, body))
        return self.pending[-1]


def _numbers(body: Any) -> list[str]:
    found = body.get("numbers") if isinstance(body, dict) else None
    if not isinstance(found, list) or set(body) != {"numbers"}:
        raise _bad("numbers is no list")
    if not all(re.fullmatch(r"[1-9][0-9]{7,14}", str(one)) for one in found):
        raise _bad("a number is not digits")
    return [str(one) for one in found]


def _bad(why: str) -> Malformed:
    return Malformed(error(400, "Bad Request", [[why]]), why)
