"""Meta's Cloud API: what is sent, and what its errors mean.

https://developers.facebook.com/docs/whatsapp/cloud-api
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bridge import provideroptions
from bridge.errors import ErrorClass, SendError
from bridge.settings import Secret, Settings
from bridge.transport import Answer, Call
from bridge.whatsapp import (
    Health,
    Message,
    Notice,
    Provider,
    Receipt,
    TemplateDraft,
    TemplateState,
    Unreadable,
    WebhookRequest,
)
from bridge.whatsapp.cloud_account import Account
from bridge.whatsapp.cloud_errors import ERRORS, PAUSES
from bridge.whatsapp.cloud_hooks import notices
from bridge.whatsapp.line import Line, Rule, Sends, by_status, tail_of
from bridge.whatsapp.phones import elsewhere, other_form
from bridge.whatsapp.reading import TEXT_LIMIT, decode, fitted, pick, text, whole, word

#: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages
_LONGEST = 4096
_TAG = 512


@dataclass(frozen=True)
class CloudSettings:
    """What the Cloud API needs to be told; *app_secrets* are the newest first."""

    url: str
    version: str
    token: Secret
    number_id: str
    waba_id: str
    app_secrets: tuple[Secret, ...]
    verify_token: Secret
    per_second: float
    public_url: str = ""
    people: int | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> CloudSettings:
        """Return them out of the environment, which was checked before."""
        given = {name: value.reveal() for name, value in settings.others.items()}
        found = provideroptions.values("cloud", given)
        words = found["WHATSAPP_CLOUD_APP_SECRET"].replace(",", " ").split()
        return cls(
            url=found["WHATSAPP_CLOUD_URL"].rstrip("/"),
            version=found["WHATSAPP_CLOUD_VERSION"],
            token=Secret(found["WHATSAPP_CLOUD_TOKEN"]),
            number_id=found["WHATSAPP_CLOUD_NUMBER_ID"],
            waba_id=found["WHATSAPP_CLOUD_WABA_ID"],
            app_secrets=tuple(Secret(word) for word in words),
            verify_token=Secret(found["WHATSAPP_CLOUD_VERIFY_TOKEN"]),
            per_second=float(found["WHATSAPP_CLOUD_PER_SECOND"]),
            public_url=settings.public_url,
            people=provideroptions.people("cloud", found),
            hidden=settings.secrets,
        )


class CloudProvider(Provider):
    """Sends through one number of a WhatsApp Business account."""

    name = "cloud"
    windowed = True
    tags = True
    asks = True

    def __init__(
        self, settings: CloudSettings, transport: Sends, now: Callable[[], datetime]
    ) -> None:
        self.number = settings.number_id
        self.per_second = settings.per_second
        self._settings = settings
        token = settings.token.reveal()
        hidden = [one.reveal() for one in settings.app_secrets]
        secrets = [token, settings.verify_token.reveal(), *hidden, *settings.hidden]
        self._line = Line(self.name, transport, now, secrets)
        self._base = f"{settings.url}/{settings.version}"
        self._auth = {"Authorization": f"Bearer {token}"}

    def send(self, message: Message) -> Receipt:
        """Send free text inside the window, an approved template outside."""
        self._line.check(message, _LONGEST)
        other = other_form(message.to) if message.other_form else None
        to = other or message.to
        url = f"{self._base}/{self.number}/messages"
        # https://developers.facebook.com/docs/whatsapp/business-scoped-user-ids: who
        # has no number to be written to is named as the recipient instead.
        body = self._body(message) | {"recipient" if message.asks else "to": to}
        answer = self._line.post(Call.post(url, json=body, headers=self._auth))
        if not 200 <= answer.status < 300:
            raise self.refusal(answer, message.category)
        receipt = _receipt(answer, message)
        if other is None:
            return receipt
        return replace(receipt, detail=receipt.detail | {"number": "its other form"})

    def _body(self, message: Message) -> dict[str, Any]:
        head = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
        }
        body: dict[str, Any] = head | self._content(message)
        if message.tag:
            if len(message.tag) > _TAG:
                raise self._line.fix(f"the tag is longer than {_TAG} characters")
            body["biz_opaque_callback_data"] = message.tag
        return body

    def _content(self, message: Message) -> dict[str, Any]:
        if message.asks:
            action = {"name": "request_contact_info"}
            asked = {"type": action["name"], "body": {"text": message.text}}
            return {"type": "interactive", "interactive": asked | {"action": action}}
        if message.free:
            shown = {"preview_url": False, "body": message.whole}
            return {"type": "text", "text": shown}
        chosen = message.template
        if chosen is None:
            what = "the 24-hour window is closed and no approved template was chosen"
            raise self._line.fix(what)
        components: list[dict[str, Any]] = []
        if message.values:
            values = fitted(message.values, chosen.room)
            components.append({"type": "body", "parameters": _parameters(values)})
        if chosen.url:
            tail = tail_of(message, chosen.url, self._line)
            button = {"type": "button", "sub_type": "url", "index": "0"}
            components.append(button | {"parameters": _parameters([tail])})
        language = {"code": chosen.language}
        template: dict[str, Any] = {"name": chosen.name, "language": language}
        if components:
            template["components"] = components
        return {"type": "template", "template": template}

    def refusal(self, answer: Answer, category: str = "utility") -> SendError:
        """Return what a refusal means: its code decides, never its words."""
        try:
            error = pick(decode(answer.body), "error")
        except Unreadable:
            error = None
        code = whole(error, "code")
        rule = rule_for(code, answer.status, category)
        passing = pick(error, "is_transient") is True and answer.status < 500
        if code not in ERRORS and passing:
            rule = Rule(ErrorClass.RETRY, "a passing trouble, says Meta")
        data = pick(error, "error_data")
        said = (
            text(data, "details", limit=TEXT_LIMIT)
            or text({"": data}, "", limit=TEXT_LIMIT)
            or text(error, "message", limit=TEXT_LIMIT)
        )
        if trace := word(error, "fbtrace_id"):
            said = f"{said} [trace {trace}]"
        if rule.kind is ErrorClass.RETRY and rule.wait in PAUSES:
            rule = Rule(rule.kind, rule.what, _told(answer) or rule.wait)
        shown = "" if code is None else code
        return self._line.refusal(answer, rule, code=shown, said=said)

    def verify(self, hook: WebhookRequest) -> bool:
        """Tell whether the raw body is signed with one of the app's secrets."""
        given = hook.header("X-Hub-Signature-256").encode("utf-8", "replace")
        good = False
        for secret in self._settings.app_secrets:
            key = secret.reveal().encode()
            mac = hmac.new(key, hook.body, hashlib.sha256).hexdigest()
            good |= hmac.compare_digest(given, b"sha256=" + mac.encode())
        return good

    def handshake(self, query: Mapping[str, str]) -> str | None:
        """Return the challenge where mode and token fit; answer it as plain text."""
        given = query.get("hub.verify_token", "").encode("utf-8", "replace")
        known = self._settings.verify_token.reveal().encode()
        fits = bool(known) and hmac.compare_digest(given, known)
        if not fits or query.get("hub.mode") != "subscribe":
            return None
        return query.get("hub.challenge", "")

    def question(self, challenge: str) -> dict[str, str]:
        """Return what Meta would ask our address to set it up."""
        token = self._settings.verify_token.reveal()
        asked = {"mode": "subscribe", "verify_token": token, "challenge": challenge}
        return {f"hub.{name}": value for name, value in asked.items()}

    def read(self, hook: WebhookRequest) -> list[Notice]:
        """Return all that a webhook tells; batches are unpacked."""
        ours = (self.number, self._settings.waba_id)
        return notices(decode(hook.body), self._line.now(), rule_for, ours)

    def health(self) -> list[Health]:
        """Ask for the number, its quality and limit, and where webhooks go."""
        return self._account().health()

    def people_a_day(self) -> int | None:
        """Return Meta's messaging limit, or what was set where it tells none."""
        told = self._account().people_a_day()
        return self._settings.people if told is None else told

    def templates(self) -> list[TemplateState]:
        """Return every template of the account."""
        return self._account().templates()

    def push(self, draft: TemplateDraft, id: str = "") -> TemplateState:
        """Submit a template, or replace the components of the one with this id."""
        return self._account().push(draft, id)

    def _account(self) -> Account:
        settings = self._settings
        webhook = f"{settings.public_url}/whatsapp/cloud" if settings.public_url else ""
        ids = (settings.number_id, settings.waba_id)
        return Account(self._line, self._base, self._auth, ids, webhook, self.refusal)


def rule_for(code: int | None, status: int = 400, category: str = "utility") -> Rule:
    """Return what a code means, for a message of this category."""
    if code == 131048 and category == "marketing":
        return Rule(ErrorClass.LATER, ERRORS[code].what)
    if code is not None and code in ERRORS:
        return ERRORS[code]
    what = "Meta refused it" if code is None else "a code that is not known here"
    return Rule(by_status(status), what)


def _parameters(values: list[str]) -> list[dict[str, str]]:
    return [{"type": "text", "text": value} for value in values]


def _receipt(answer: Answer, message: Message) -> Receipt:
    """Read a 2xx: whatever it holds, the message was taken."""
    try:
        found = decode(answer.body)
    except Unreadable:
        found = None
    id = text(found, "messages", 0, "id")
    detail = {} if id else {"unreadable": f"HTTP {answer.status} without an id"}
    if status := word(found, "messages", 0, "message_status"):
        detail["message_status"] = status
    wa_id = text(found, "contacts", 0, "wa_id")
    if wa_id and f"+{wa_id}" != message.to:
        detail["wa_id"] = wa_id
    if user := text(found, "contacts", 0, "user_id"):
        detail["user_id"] = user
    if message.asks:  # written to an identity: there is no number to compare
        return Receipt(id, detail=detail)
    return Receipt(id, detail=detail | elsewhere(message.to, wa_id))


def _told(answer: Answer) -> float | None:
    """Return the seconds until an exhausted quota is regained, if the header says.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    """
    try:
        usage = decode(answer.header("X-Business-Use-Case-Usage").encode())
    except Unreadable:
        return None
    minutes = [0]
    for accounts in usage.values() if isinstance(usage, dict) else ():
        for entry in accounts if isinstance(accounts, list) else ():
            minutes.append(whole(entry, "estimated_time_to_regain_access") or 0)
    return min(max(minutes) * 60.0, 3600.0) or None
