"""A simulated Cloud API: one number, one account.

By https://developers.facebook.com/docs/whatsapp/cloud-api. Oddities on purpose: JSON
of webhooks is written with escapes for everything but ASCII and for slashes, an old
number comes back in another form, and a closed window shows only in a later state.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bridge.demo.whatsapp.cloud_templates import Templates, filled, wrong_value
from bridge.demo.whatsapp.cloud_wire import bad, error, question_of
from bridge.demo.whatsapp.stub import Ask, Hook, Malformed, Reply, Stub, Taken

TOKEN, APP_SECRET, VERIFY_TOKEN = "demo-token", "demo-app-secret", "demo-verify-token"
NUMBER_ID, WABA_ID = "106540352242922", "102290129340398"
_HEAD = {
    "messaging_product", "recipient_type", "to", "type", "context",
    "biz_opaque_callback_data", "text", "template", "interactive", "recipient",
}  # fmt: skip


class CloudStub(Stub):
    """Takes messages for one number id and keeps the account's templates."""

    failures: Mapping[str, Reply] = {
        "bad_key": error(401, 190, "Error validating access token"),
        "permission": error(403, 10, "no permission"),
        "trouble": error(500, 131000, "Something went wrong"),
        "rate_limited": error(429, 130429, "Rate limit hit"),
        "quota": error(400, 80007, "Rate limit hit"),
        "pair": error(400, 131056, "Pair rate limit hit"),
        "withheld": error(400, 131049, "healthy ecosystem engagement"),
        "window_closed": error(400, 131047, "Re-engagement message"),
        "bad_number": error(400, 131026, "Message undeliverable"),
        "opted_out": error(400, 131050, "User has stopped marketing messages"),
        "template_missing": error(404, 132001, "template name does not exist"),
        "template_paused": error(400, 132015, "Template is paused"),
        "payment": error(402, 131042, "Business eligibility payment issue"),
        "maintenance": error(400, 131057, "Account in maintenance mode"),
        "passing": error(400, 999999, "try again", is_transient=True),
        "server_down": Reply(503, b"<html>down</html>", {"Content-Type": "text/html"}),
    }

    def __init__(
        self,
        now: Callable[[], datetime] | None = None,
        *,
        token: str = TOKEN,
        secret: str = APP_SECRET,
    ) -> None:
        super().__init__(now)
        self.token, self.secret = token, secret
        self.templates = Templates(WABA_ID)
        #: Who wrote within a day, as digits; None: everybody did.
        self.open: set[str] | None = None
        self.webhook = ""

    def answer(self, ask: Ask) -> Reply:
        """Judge a request."""
        if ask.headers.get("authorization") != f"Bearer {self.token}":
            raise Malformed(self.failures["bad_key"], "no token, or another one")
        match = re.fullmatch(r"/v[0-9]+\.[0-9]+/([0-9]+)(?:/([a-z_]+))?", ask.path)
        if match is None:
            raise Malformed(error(400, 2500, "Unknown path"), f"no path {ask.path}")
        id, what = match.groups()
        if (ask.method, id, what) == ("POST", NUMBER_ID, "messages"):
            return self._message(ask)
        if (ask.method, id, what) == ("GET", NUMBER_ID, None):
            return Reply.of(200, self._number())
        if (ask.method, id, what) == ("GET", WABA_ID, "subscribed_apps"):
            app = {"whatsapp_business_api_data": {"id": "67", "name": "Bridge"}}
            return Reply.of(200, {"data": [app]})
        found = self.templates.handle(ask, id, what)
        if found is None:
            raise Malformed(error(400, 33, "Unsupported request"), f"no id {id}")
        return found

    def _number(self) -> dict[str, Any]:
        return {
            "id": NUMBER_ID,
            "verified_name": "Demo",
            "quality_rating": "GREEN",
            "messaging_limit_tier": "TIER_2K",
            "status": "CONNECTED",
            "throughput": {"level": "STANDARD"},
            "webhook_configuration": {"application": self.webhook},
        }

    def _message(self, ask: Ask) -> Reply:
        body = ask.json()
        if not isinstance(body, dict):
            raise bad("not application/json, or no object")
        if unknown := set(body) - _HEAD:
            raise bad(f"unknown keys {sorted(unknown)}")
        if body.get("messaging_product") != "whatsapp":
            raise bad("messaging_product is not whatsapp")
        if body.get("recipient_type", "individual") != "individual":
            raise bad("recipient_type is not individual")
        to, tag = body.get("to"), body.get("biz_opaque_callback_data", "")
        if body.get("type") == "interactive":
            return self._asked(body, str(tag))
        if not isinstance(to, str) or not re.fullmatch(r"\+?[1-9][0-9]{7,14}", to):
            raise bad("to is no number")
        if not isinstance(tag, str) or len(tag) > 512:
            raise bad("biz_opaque_callback_data is longer than 512")
        content = self._content(body)
        status = {"message_status": "accepted"} if content.get("template") else {}

        def make(id: str) -> Taken:
            return Taken(f"wamid.HBgN{id}", to, tag=tag, **content)

        def shape(one: Taken) -> Reply:
            person = {"input": to, "wa_id": _wa_id(self.named(to))}
            message = {"id": one.id} | status
            found = {"messaging_product": "whatsapp", "contacts": [person]}
            return Reply.of(200, found | {"messages": [message]})

        return self.accept(make, shape)

    def _asked(self, body: dict[str, Any], tag: str) -> Reply:
        """Take the question for a number that is hidden; it goes to an identity."""
        to, shown = question_of(body)

        def make(id: str) -> Taken:
            return Taken(f"wamid.HBgN{id}", to, tag=tag, text=shown)

        def shape(one: Taken) -> Reply:
            found = {"messaging_product": "whatsapp", "contacts": [{"user_id": to}]}
            return Reply.of(200, found | {"messages": [{"id": one.id}]})

        return self.accept(make, shape)

    def _content(self, body: dict[str, Any]) -> dict[str, Any]:
        kind = body.get("type", "text")
        if kind not in ("text", "template") or ({"text", "template"} - {kind}) & set(
            body
        ):
            raise bad("type does not fit the content")
        content = body.get(kind)
        if kind == "text":
            if not isinstance(content, dict) or set(content) - {"body", "preview_url"}:
                raise bad("text has unknown keys")
            written = content.get("body")
            if not isinstance(written, str) or not 1 <= len(written) <= 4096:
                raise bad("text.body is not 1 to 4096 characters")
            return {"text": written}
        return self._template(content)

    def _template(self, content: Any) -> dict[str, Any]:
        if not isinstance(content, dict) or set(content) - {
            "name", "language", "components",
        }:  # fmt: skip
            raise bad("template has unknown keys")
        language = content.get("language")
        if not isinstance(language, dict) or set(language) - {"code", "policy"}:
            raise bad("language has unknown keys")
        code = language.get("code")
        known = self.templates.approved(content.get("name"), code)
        if known is None:
            reply = self.failures["template_missing"]
            raise Malformed(reply, f"no approved template {content.get('name')} {code}")
        body, button = _parameters(content.get("components", []))
        if len(body) != known.places or (button is None) == known.button_place:
            why = "the number of values does not fit the template"
            raise Malformed(error(400, 132000, why), why)
        for value in (*body, *([button] if button is not None else [])):
            if why := wrong_value(value):
                raise Malformed(error(400, 132018, why), why)
        text = filled(known.body, body)
        if len(text) > 1024:
            raise Malformed(error(400, 132005, "too long"), "the text is over 1024")
        return {
            "text": text,
            "template": known.name,
            "language": known.language,
            "values": tuple(body),
            "button": button or "",
        }

    def tell(self, one: Taken, state: str, code: int = 0) -> None:
        """Queue a state; to a closed window every free text fails."""
        person = _wa_id(one.to)
        asks = "." in one.to
        closed = self.open is not None and person not in self.open and not asks
        if closed and not one.template:
            if state != self.states[0]:
                return
            state, code = "failed", 131047
        status: dict[str, Any] = {
            "id": one.id,
            "status": state,
            "timestamp": self._stamp(),
        }
        if "." in one.to:
            status["recipient_user_id"] = one.to
        else:
            status["recipient_id"] = _wa_id(self.named(one.to))
        if one.tag:
            status["biz_opaque_callback_data"] = one.tag
        if state == "failed":
            status["errors"] = [{"code": code, "title": "failed"}]
        else:
            price = {"billable": True, "pricing_model": "PMP", "type": "regular"}
            status["pricing"] = price | {"category": "utility"}
        self._queue("messages", statuses=[status])

    def write(self, sender: str, text: str, **more: Any) -> str:
        """A person writes; *hidden* leaves the number out. Return the id."""
        return self._inbound(sender, {"type": "text", "text": {"body": text}}, **more)

    def share(
        self, sender: str, number: str = "", origin: str = "contact_request"
    ) -> str:
        """A person without a number shares his own, or a card with another's."""
        phone = {"phone": number or sender, "wa_id": _wa_id(number or sender)}
        card = {"origin": origin, "phones": [phone], "name": {"first_name": "🙂"}}
        content = {"type": "contacts", "contacts": [card]}
        return self._inbound(sender, content, hidden=True)

    def press(self, sender: str, payload: str, label: str, reply_to: str) -> str:
        """A person presses a template's button."""
        button = {"payload": payload, "text": label}
        context = {"from": NUMBER_ID, "id": reply_to}
        return self._inbound(
            sender, {"type": "button", "button": button, "context": context}
        )

    def choose(self, sender: str, id: str, title: str, kind: str = "list_reply") -> str:
        """A person chooses a row of a list, or a reply button (*kind*)."""
        reply = {"type": kind, kind: {"id": id, "title": title}}
        return self._inbound(sender, {"type": "interactive", "interactive": reply})

    def prefer(self, sender: str, value: str) -> None:
        """A person stops or resumes marketing in the app."""
        wish = {
            "wa_id": _wa_id(sender),
            "detail": "User requested it",
            "category": "marketing_messages",
            "value": value,
            "timestamp": int(self.now().timestamp()),
        }
        self._queue("user_preferences", user_preferences=[wish])

    def review(
        self, name: str, language: str, event: str, reason: str = "NONE"
    ) -> None:
        """Meta approves, rejects or pauses a template."""
        id = self.templates.review(name, language, event, reason)
        value = {
            "event": event,
            "message_template_id": id,
            "message_template_name": name,
            "message_template_language": language,
            "reason": reason,
        }
        self._queue("message_template_status_update", **value)

    def _inbound(
        self, sender: str, content: dict[str, Any], *, hidden: bool = False
    ) -> str:
        self._count += 1
        person, id = _wa_id(sender), f"wamid.IN{self._count:08X}"
        user = f"AR.{int(person) * 7919}"
        message = {"id": id, "timestamp": self._stamp(), "from_user_id": user} | content
        contact: dict[str, Any] = {"profile": {"name": "🙂"}, "user_id": user}
        if not hidden:
            message["from"] = contact["wa_id"] = person
        if self.open is not None:
            self.open.add(person)
        self._queue("messages", contacts=[contact], messages=[message])
        return id

    def _stamp(self) -> str:
        return str(int(self.now().timestamp()))

    def _queue(self, field: str, **value: Any) -> None:
        if field == "messages":
            number = {
                "display_phone_number": "15550783881",
                "phone_number_id": NUMBER_ID,
            }
            value = {"messaging_product": "whatsapp", "metadata": number} | value
        change = {"field": field, "value": value}
        entry = [{"id": WABA_ID, "changes": [change]}]
        self.post({"object": "whatsapp_business_account", "entry": entry})

    def post(self, value: Any) -> Hook:
        """Queue any body, signed, and return it."""
        body = json.dumps(value, separators=(",", ":")).replace("/", r"\/").encode()
        mac = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={mac}",
        }
        with self._lock:
            self.pending.append(Hook(headers, body))
        return self.pending[-1]


def _wa_id(number: str) -> str:
    """Return a number as WhatsApp knows it: Mexico still with its old 1."""
    digits = number.removeprefix("+")
    old = digits.startswith("52") and len(digits) == 12
    return f"521{digits[2:]}" if old else digits


def _parameters(components: Any) -> tuple[list[str], str | None]:
    """Return the values of the body and of the button."""
    body: list[str] = []
    button: str | None = None
    if not isinstance(components, list):
        raise bad("components is no list")
    for part in components:
        kind = part.get("type") if isinstance(part, dict) else None
        given = part.get("parameters") if isinstance(part, dict) else None
        if not isinstance(given, list) or not given:
            raise bad("a component without parameters")
        for one in given:
            keys = set(one) if isinstance(one, dict) else set()
            if keys != {"type", "text"} or one["type"] != "text":
                raise bad("a parameter is no text")
            if not isinstance(one["text"], str):
                raise bad("a value is no text")
        values = [one["text"] for one in given]
        if kind == "body" and set(part) == {"type", "parameters"}:
            body = values
        elif kind == "button" and set(part) == {
            "type",
            "sub_type",
            "index",
            "parameters",
        }:
            if (part["sub_type"], part["index"], len(values)) != ("url", "0", 1):
                raise bad("the button is not url, index 0, one value")
            button = values[0]
        else:
            raise bad("an unknown component")
    return body, button
