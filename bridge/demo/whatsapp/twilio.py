"""A simulated Twilio account with one WhatsApp sender.

By https://www.twilio.com/docs/whatsapp/api, .../docs/content and
.../docs/usage/security. Oddity on purpose: whether the port is part of the signed
address changes from one callback to the next.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from bridge.demo.whatsapp.stub import Ask, Hook, Malformed, Reply, Stub, Taken

SID, AUTH_TOKEN, SENDER = "AC" + "0a" * 16, "demo-auth-token", "+14155550100"
_KEYS = {
    "To", "From", "MessagingServiceSid", "Body", "ContentSid", "ContentVariables",
    "StatusCallback", "ValidityPeriod", "MediaUrl",
}  # fmt: skip
_PLACE = re.compile(r"\{\{([0-9]+)\}\}")


def error(status: int, code: int, message: str = "refused", **headers: str) -> Reply:
    """Return an error as Twilio writes it."""
    info = f"https://www.twilio.com/docs/errors/{code}"
    found = {"code": code, "message": message, "more_info": info, "status": status}
    return Reply.of(status, found, **headers)


class TwilioStub(Stub):
    """Takes messages of one sender and keeps the account's Content templates."""

    failures: Mapping[str, Reply] = {
        "bad_key": error(401, 20003, "Authenticate"),
        "rate_limited": error(429, 20429, "Too Many Requests", Retry_After="7"),
        "queue": error(429, 30001, "Queue overflow"),
        "pair": error(400, 63018, "Rate limit exceeded for Channel"),
        "withheld": error(400, 63049, "Meta chose not to deliver"),
        "trouble": error(500, 63012, "Channel provider internal error"),
        "window_closed": error(400, 63016, "outside the allowed window"),
        "bad_number": error(400, 21211, "Invalid 'To' Phone Number"),
        "opted_out": error(400, 21610, "Attempt to send to unsubscribed recipient"),
        "template_missing": error(400, 63027, "Template does not exist"),
        "variables": error(400, 21656, "ContentVariables is invalid"),
        "billing": error(400, 63020, "Business Manager account error"),
        "server_down": Reply(503, b"<html>down</html>", {"Content-Type": "text/html"}),
    }

    def __init__(
        self,
        now: Callable[[], datetime] | None = None,
        *,
        token: str = AUTH_TOKEN,
        webhook: str = "https://bridge.example/whatsapp/twilio",
    ) -> None:
        super().__init__(now)
        self.token, self.webhook = token, webhook
        self.contents: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count()
        self.open: set[str] | None = None
        #: The messaging service that takes what comes in, empty where none does.
        self.service = ""
        self._callbacks: dict[str, str] = {}
        self._became: dict[str, tuple[str, int]] = {}

    def answer(self, ask: Ask) -> Reply:
        """Judge a request."""
        login = base64.b64encode(f"{SID}:{self.token}".encode()).decode()
        if ask.headers.get("authorization") != f"Basic {login}":
            raise Malformed(self.failures["bad_key"], "no login, or another one")
        account = f"/2010-04-01/Accounts/{SID}"
        if (ask.method, ask.path) == ("POST", f"{account}/Messages.json"):
            return self._message(ask)
        if ask.method == "GET" and ask.path.startswith(f"{account}/Messages/"):
            return self._one(ask.path.rpartition("/")[2].removesuffix(".json"))
        if (ask.method, ask.path) == ("GET", f"{account}.json"):
            return Reply.of(200, {"sid": SID, "status": "active", "type": "Full"})
        if ask.path.startswith("/v1/Content"):
            return self._content(ask)
        raise Malformed(error(404, 20404, "not found"), f"no path {ask.path}")

    def _message(self, ask: Ask) -> Reply:
        if ask.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise _bad(20001, "not a form")
        pairs = parse_qsl(ask.body.decode(), keep_blank_values=True)
        form = dict(pairs)
        if len(form) != len(pairs) or set(form) - _KEYS:
            raise _bad(20001, f"unknown or doubled parameters {sorted(form)}")
        to = form.get("To", "")
        if not re.fullmatch(r"whatsapp:\+[1-9][0-9]{7,14}", to):
            raise _bad(21211, "To is no WhatsApp address")
        service = re.fullmatch(r"MG[0-9a-f]{32}", form.get("MessagingServiceSid", ""))
        if not service and form.get("From") != f"whatsapp:{SENDER}":
            raise _bad(63007, "From is not the sender")
        if not form.get("ValidityPeriod", "1").isdigit():
            raise _bad(20001, "ValidityPeriod")
        callback = form.get("StatusCallback", "")
        if callback and "_" in urlsplit(callback).netloc:
            raise _bad(21609, "StatusCallback has an underscore in its host")
        content = self._what(form)

        def make(id: str) -> Taken:
            one = Taken(f"SM{id:0>32}".lower().replace("sm", "SM"), to[9:], **content)
            self._callbacks[one.id] = callback
            return one

        def shape(one: Taken) -> Reply:
            said = f"whatsapp:{self.named(one.to)}"
            found = {"sid": one.id, "status": "queued", "to": said}
            return Reply.of(201, {**found, "error_code": None})

        return self.accept(make, shape)

    def _one(self, id: str) -> Reply:
        """Return what became of a message; in time, its resource says."""
        one = next((one for one in self.taken if one.id == id), None)
        if one is None:
            raise Malformed(error(404, 20404, "not found"), "no such message")
        state, code = self._became.get(id, ("queued", 0))
        at = self.now().strftime("%a, %d %b %Y %H:%M:%S +0000")
        found = {"sid": id, "status": state, "error_code": code or None}
        to = f"whatsapp:{self.named(one.to)}"
        return Reply.of(200, found | {"to": to, "date_updated": at})

    def _what(self, form: dict[str, str]) -> dict[str, Any]:
        if "ContentSid" not in form:
            if not 1 <= len(form.get("Body", "")) <= 1600:
                raise _bad(21617, "Body is not 1 to 1600 characters")
            if "ContentVariables" in form:
                raise _bad(21656, "ContentVariables without ContentSid")
            return {"text": form["Body"]}
        if "Body" in form or "MediaUrl" in form:
            raise _bad(21654, "Body beside ContentSid")
        known = self.contents.get(form["ContentSid"])
        if known is None or known["approval"]["status"] != "approved":
            reply = self.failures["template_missing"]
            raise Malformed(reply, "no approved template of this ContentSid")
        try:
            values = json.loads(form.get("ContentVariables", "{}"))
        except ValueError:
            raise _bad(21656, "ContentVariables is no JSON") from None
        if not isinstance(values, dict) or not all(
            isinstance(v, str) and v.strip() for v in values.values()
        ):
            raise _bad(21656, "a value that is no text, or empty")
        written = json.dumps(known["types"], ensure_ascii=False)
        if set(values) != set(_PLACE.findall(written)):
            raise Malformed(error(400, 63028, "parameters"), "other places than values")
        if any(re.search(r"[\n\t]| {5}", value) for value in values.values()):
            raise Malformed(error(400, 63013, "policy"), "a value with new lines")
        shape = next(iter(known["types"].values()))
        text = _PLACE.sub(lambda match: values[match.group(1)], shape["body"])
        return {
            "text": text,
            "template": known["friendly_name"],
            "language": known["language"],
            "values": tuple(values[n] for n in sorted(values, key=int)),
        }

    def add(self, name: str, language: str, body: str, url: str = "") -> str:
        """Put a template in, approved, and return its SID."""
        types: dict[str, Any] = {"twilio/text": {"body": body}}
        if url:
            action = {"type": "URL", "title": "Ver", "url": url}
            types = {"twilio/call-to-action": {"body": body, "actions": [action]}}
        return self._keep(name, language, types, "approved")

    def _keep(self, name: str, language: str, types: Any, status: str) -> str:
        number = next(self._numbers)
        sid = f"HX{number:032x}"
        approval = {"name": name, "status": status, "category": "UTILITY"}
        self.contents[sid] = {
            "sid": sid,
            "friendly_name": name,
            "language": language,
            "date_created": f"2026-01-01T{number:08}Z",
            "types": types,
            "approval": approval | {"rejection_reason": ""},
        }
        return sid

    def _content(self, ask: Ask) -> Reply:
        if (ask.method, ask.path) == ("GET", "/v1/ContentAndApprovals"):
            return self._list(ask)
        parts = ask.path.strip("/").split("/")[2:]
        if parts and parts[0] not in self.contents:
            raise Malformed(error(404, 20404, "not found"), "no such content")
        if ask.method == "DELETE" and len(parts) == 1:
            del self.contents[parts[0]]
            return Reply(204)
        body = ask.json()
        if ask.method != "POST" or not isinstance(body, dict):
            raise _bad(20001, "not JSON")
        if not parts:
            wanted = {"friendly_name", "language", "variables", "types"}
            if set(body) != wanted or not isinstance(body["variables"], dict):
                raise _bad(20001, f"content has {sorted(body)}")
            places = set(_PLACE.findall(json.dumps(body["types"])))
            if places != set(body["variables"]):
                raise _bad(20001, "a sample for every variable")
            name, language = body["friendly_name"], body["language"]
            sid = self._keep(name, language, body["types"], "unsubmitted")
            return Reply.of(201, {"sid": sid, "friendly_name": name})
        if parts[1:] != ["ApprovalRequests", "whatsapp"]:
            raise _bad(20404, f"no path {ask.path}")
        if set(body) != {"name", "category"} or body["category"] != "UTILITY":
            raise _bad(20001, "an approval has name and category")
        approval = self.contents[parts[0]]["approval"]
        approval["status"] = "received"
        return Reply.of(201, approval)

    def _list(self, ask: Ask) -> Reply:
        """Give two at a time, whatever size was asked for."""
        page = int(ask.one("Page") or 0)
        rows = [
            {n: v for n, v in one.items() if n != "approval"}
            | {"approval_requests": one["approval"]}
            for one in self.contents.values()
        ]
        more = len(rows) > 2 * page + 2
        host = "https://content.twilio.com/v1/ContentAndApprovals"
        following = f"{host}?PageSize=2&Page={page + 1}" if more else None
        found = {"contents": rows[2 * page : 2 * page + 2]}
        return Reply.of(200, found | {"meta": {"next_page_url": following}})

    def tell(self, one: Taken, state: str, code: int = 0) -> None:
        """Queue a state's callback; to a closed window every free text fails."""
        if self.open is not None and one.to not in self.open and not one.template:
            if state != self.states[0]:
                return
            state, code = "undelivered", 63016
        self._became[one.id] = state, code
        address = self._callbacks.get(one.id, "")
        if not address:
            return
        form = {
            "ChannelPrefix": "whatsapp",
            "MessageSid": one.id,
            "MessageStatus": state,
            "From": f"whatsapp:{SENDER}",
            "To": f"whatsapp:{self.named(one.to)}",
            "AccountSid": SID,
        }
        if code:
            form["ErrorCode"] = str(code)
        self.post(form, address)

    def write(self, sender: str, text: str, **more: Any) -> str:
        """A person writes (*more*: further parameters). Return the id."""
        self._count += 1
        id = f"SM{self._count:032x}"
        if self.open is not None:
            self.open.add(sender)
        form = {
            "MessageSid": id,
            "SmsStatus": "received",
            "From": f"whatsapp:{sender}",
            "To": f"whatsapp:{SENDER}",
            "Body": text,
            "WaId": sender.removeprefix("+"),
            "ProfileName": "🙂",
            "NumMedia": "0",
            "MessageType": "text",
        }
        if self.service:
            form["MessagingServiceSid"] = self.service
        self.post(form | more, self.webhook)
        return id

    def press(self, sender: str, payload: str, label: str, reply_to: str) -> str:
        """A person presses a template's button."""
        return self.write(
            sender, label, MessageType="button", ButtonText=label,
            ButtonPayload=payload, OriginalRepliedMessageSid=reply_to,
        )  # fmt: skip

    def choose(self, sender: str, id: str, title: str) -> str:
        """A person chooses a row of a list."""
        return self.write(
            sender, title, MessageType="interactive", ListId=id, ListTitle=title
        )

    def post(self, form: dict[str, str], address: str) -> Hook:
        """Queue a callback, signed for the address with or without its port."""
        parts = urlsplit(address)
        signed = address
        if self._count % 2 and parts.port is None:
            signed = parts._replace(netloc=f"{parts.netloc}:443").geturl()
        text = signed + "".join(name + form[name] for name in sorted(form))
        mac = hmac.new(self.token.encode(), text.encode(), hashlib.sha1).digest()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": base64.b64encode(mac).decode(),
        }
        body = urlencode(form).encode()
        with self._lock:
            self.pending.append(Hook(headers, body, parts.query, address))
        return self.pending[-1]


def _bad(code: int, why: str) -> Malformed:
    return Malformed(error(400, code, why), why)
