"""A simulated WAHA (2026.7) with one session.

By https://waha.devlike.pro/docs. Oddities on purpose: a chat is known under @lid, so
the id of a message names another chat when it is sent than in its acknowledgement,
and a number in an old form is taken and never delivered.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from bridge.demo.whatsapp.stub import JSON, Ask, Hook, Malformed, Reply, Stub, Taken

KEY, SESSION, HMAC_KEY = "demo-api-key", "default", "demo-hmac-key"
_ACKS = {"failed": -1, "sent": 1, "delivered": 2, "read": 3}


def error(http: int, **found: Any) -> Reply:
    """Return an error as WAHA writes it."""
    return Reply.of(http, found)


class WahaStub(Stub):
    """Takes texts for one session; numbers in *absent* have no WhatsApp.

    *chats* is number -> chat id, where it is not the number's own.
    """

    failures: Mapping[str, Reply] = {
        "bad_key": error(401, statusCode=401, message="Unauthorized"),
        "no_session": error(
            422, error="Session status is not as expected", session=SESSION,
            status="SCAN_QR_CODE", expected=["WORKING"],
        ),
        "no_path": error(404, statusCode=404, message="Cannot POST"),
        "trouble": error(500, statusCode=500, exception={"message": "Protocol error"}),
        "no_lid": error(500, statusCode=500, exception={"message": "no LID found"}),
        "refused": error(400, statusCode=400, message="text must be a string"),
        "rate_limited": Reply.of(429, {"statusCode": 429}, Retry_After="11"),
        "server_down": Reply(502, b"<html>down</html>", {"Content-Type": "text/html"}),
    }  # fmt: skip

    def __init__(
        self, now: Callable[[], datetime] | None = None, *, hmac_key: str = HMAC_KEY
    ) -> None:
        super().__init__(now)
        self.status = "WORKING"
        self.webhook = ""
        self.absent: set[str] = set()
        self.chats: dict[str, str] = {}
        #: How this engine gives a message's id: "id", "_serialized" or "key".
        self.engine = "id"
        self._key = hmac_key
        #: Of which events it calls back.
        self.events = ["message", "message.ack", "session.status"]

    def answer(self, ask: Ask) -> Reply:
        """Judge a request."""
        if ask.headers.get("x-api-key") != KEY:
            raise Malformed(self.failures["bad_key"], "no key, or another one")
        what = (ask.method, ask.path)
        if what == ("GET", f"/api/sessions/{SESSION}"):
            hook = {"url": self.webhook, "events": self.events}
            hooks = [hook] if self.webhook else []
            found = {"name": SESSION, "status": self.status}
            return Reply.of(200, found | {"config": {"webhooks": hooks}})
        if what == ("GET", "/api/contacts/check-exists"):
            return self._check(ask)
        if match := re.fullmatch(rf"/api/{SESSION}/lids/([0-9]+)(%40|@)lid", ask.path):
            lid = f"{match.group(1)}@lid"
            known = (n for n, chat in self.chats.items() if chat == lid)
            number = next(known, None)
            pn = f"{number}@c.us" if number else None
            return Reply.of(200, {"lid": lid, "pn": pn})
        if what == ("POST", "/api/sendText"):
            return self._message(ask.json())
        raise Malformed(self.failures["no_path"], f"no path {ask.path}")

    def _check(self, ask: Ask) -> Reply:
        number = ask.one("phone")
        if set(parse_qs(ask.query)) != {"phone", "session"}:
            raise Malformed(self.failures["refused"], "unknown parameters")
        if ask.one("session") != SESSION or not re.fullmatch(r"[0-9]{8,15}", number):
            raise Malformed(self.failures["refused"], "phone is not digits")
        if self.status != "WORKING":
            return self.failures["no_session"]
        if number in self.absent:
            return Reply.of(200, {"numberExists": False})
        chat = self.chats.get(number, f"{number}@c.us")
        return Reply.of(200, {"numberExists": True, "chatId": chat})

    def _message(self, body: Any) -> Reply:
        if not isinstance(body, dict) or set(body) != {"session", "chatId", "text"}:
            raise Malformed(self.failures["refused"], "unknown keys, or no JSON")
        asked = chat = body["chatId"]
        text = body["text"]
        if body["session"] != SESSION or not isinstance(text, str) or not text.strip():
            raise Malformed(self.failures["refused"], "session or text")
        if not isinstance(chat, str) or not re.fullmatch(
            r"[0-9]{8,16}@(c\.us|lid)", chat
        ):
            raise Malformed(self.failures["refused"], "chatId")
        if self.status != "WORKING":
            return self.failures["no_session"]
        known = (n for n, its in self.chats.items() if its == chat)
        number = next(known, chat.partition("@")[0])

        def make(id: str) -> Taken:
            return Taken(f"3EB0{id}", f"+{number}", text)

        def shape(one: Taken) -> Reply:
            chat = f"{self.elsewhere[1:]}@c.us" if self.elsewhere else asked
            full = f"true_{chat}_{one.id}"
            found: dict[str, Any] = {"id": full}
            if self.engine == "_serialized":
                found = {"id": {"fromMe": True, "_serialized": full}}
            elif self.engine == "key":
                found = {"key": {"remoteJid": chat, "fromMe": True, "id": one.id}}
            return Reply.of(201, found)

        return self.accept(make, shape)

    def tell(self, one: Taken, state: str, code: int = 0) -> None:
        """Queue a message's acknowledgement."""
        chat, ack = f"{self.named(one.to)[1:]}@c.us", _ACKS[state]
        payload = {"id": f"true_{chat}_{one.id}", "from": chat, "fromMe": True}
        self.post("message.ack", payload | {"ack": ack, "ackName": state.upper()})

    def write(
        self, sender: str, text: str, *, lid: str = "", mine: bool = False, **more: Any
    ) -> str:
        """A person writes; *lid* hides the number behind an identity."""
        self._count += 1
        chat = f"{lid}@lid" if lid else f"{sender.removeprefix('+')}@c.us"
        id = f"3A{self._count:08X}"
        payload = {
            "id": f"false_{chat}_{id}",
            "timestamp": int(self.now().timestamp()),
            "from": chat,
            "fromMe": mine,
            "body": text,
            "hasMedia": False,
        }
        self.post("message", payload | more)
        return id

    def press(self, sender: str, payload: str, label: str, reply_to: str) -> str:
        """A person presses a button."""
        reply = {"selectedButtonId": payload, "selectedDisplayText": label}
        data = {"message": {"buttonsResponseMessage": reply}}
        return self.write(sender, label, _data=data, replyTo={"id": reply_to})

    def choose(self, sender: str, id: str, title: str) -> str:
        """A person chooses a row of a list."""
        reply = {"title": title, "singleSelectReply": {"selectedRowId": id}}
        data = {"message": {"listResponseMessage": reply}}
        return self.write(sender, title, _data=data)

    def connect(self, status: str) -> None:
        """The session changes."""
        self.status = status
        self.post("session.status", {"name": SESSION, "status": status})

    def post(self, event: str, payload: Any) -> Hook:
        """Queue a callback, signed."""
        stamp = int(self.now().timestamp() * 1000)
        value = {
            "id": f"evt_{len(self.pending):020d}",
            "timestamp": stamp,
            "event": event,
            "session": SESSION,
            "me": {"id": "5491150000000@c.us", "pushName": "Demo"},
            "payload": payload,
            "engine": "NOWEB",
        }
        body = json.dumps(value, ensure_ascii=False).encode()
        mac = hmac.new(self._key.encode(), body, hashlib.sha512).hexdigest()
        signed = {"X-Webhook-Hmac": mac, "X-Webhook-Hmac-Algorithm": "sha512"}
        headers = JSON | signed | {"X-Webhook-Timestamp": str(stamp)}
        with self._lock:
            self.pending.append(Hook(headers, body))
        return self.pending[-1]
