"""Twilio's WhatsApp channel.

https://www.twilio.com/docs/whatsapp/api and
https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from bridge import provideroptions
from bridge.errors import Reason, RemoteError, SendError
from bridge.settings import Secret, Settings
from bridge.transport import Answer, Call
from bridge.whatsapp import (
    Health,
    Message,
    Notice,
    Provider,
    Receipt,
    StateNotice,
    TemplateDraft,
    TemplateState,
    Unreadable,
    WebhookRequest,
)
from bridge.whatsapp.line import Line, Rule, Sends, by_status, tail_of
from bridge.whatsapp.phones import elsewhere, region
from bridge.whatsapp.reading import TEXT_LIMIT, decode, fitted, text, whole, word
from bridge.whatsapp.twilio_content import Content
from bridge.whatsapp.twilio_errors import ERRORS, US_NEVER
from bridge.whatsapp.twilio_hooks import notices, told

#: https://www.twilio.com/docs/messaging/api/message-resource
_LONGEST = 1600
#: Seconds after which Twilio gives up what waits in its queue: four hours.
_VALID = "14400"
_MOST_FIELDS = 500


@dataclass(frozen=True)
class TwilioSettings:
    """What Twilio needs to be told; *sender* is a number or a messaging service."""

    url: str
    content_url: str
    account_sid: str
    auth_token: Secret
    sender: str
    per_second: float
    public_url: str = ""
    people: int | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> TwilioSettings:
        """Return them out of the environment, which was checked before."""
        given = {name: value.reveal() for name, value in settings.others.items()}
        found = provideroptions.values("twilio", given)
        return cls(
            url=found["WHATSAPP_TWILIO_URL"].rstrip("/"),
            content_url=found["WHATSAPP_TWILIO_CONTENT_URL"].rstrip("/"),
            account_sid=found["WHATSAPP_TWILIO_ACCOUNT_SID"],
            auth_token=Secret(found["WHATSAPP_TWILIO_AUTH_TOKEN"]),
            sender=found["WHATSAPP_TWILIO_FROM"].removeprefix("whatsapp:"),
            per_second=float(found["WHATSAPP_TWILIO_PER_SECOND"]),
            public_url=settings.public_url,
            people=provideroptions.people("twilio", found),
            hidden=settings.secrets,
        )

    @property
    def webhook(self) -> str:
        """Our address as Twilio calls it, or nothing where it cannot."""
        return f"{self.public_url}/whatsapp/twilio" if self.public_url else ""


class TwilioProvider(Provider):
    """Sends through one WhatsApp sender of a Twilio account.

    A tag travels in the address of the status callback: without a public
    address no state comes back.
    """

    name = "twilio"
    windowed = True
    answers = True
    longest = _LONGEST

    def __init__(
        self, settings: TwilioSettings, transport: Sends, now: Callable[[], datetime]
    ) -> None:
        self.number = settings.sender
        self.per_second = settings.per_second
        self.tags = bool(settings.webhook)
        self._settings = settings
        token = settings.auth_token.reveal()
        self._line = Line(self.name, transport, now, [token, *settings.hidden])
        login = base64.b64encode(f"{settings.account_sid}:{token}".encode()).decode()
        self._auth = {"Authorization": f"Basic {login}"}
        self._account = f"{settings.url}/2010-04-01/Accounts/{settings.account_sid}"

    def send(self, message: Message) -> Receipt:
        """Send free text inside the window, a Content template outside."""
        self._line.check(message, _LONGEST)
        url = f"{self._account}/Messages.json"
        answer = self._line.post(
            Call.post(url, form=self._form(message), headers=self._auth)
        )
        if not 200 <= answer.status < 300:
            raise self.refusal(answer, message.to)
        return _receipt(answer, message.to)

    def _form(self, message: Message) -> dict[str, str]:
        form = {"To": f"whatsapp:{message.to}", "ValidityPeriod": _VALID}
        if self.number.startswith("MG"):
            form["MessagingServiceSid"] = self.number
        else:
            form["From"] = f"whatsapp:{self.number}"
        if self._settings.webhook:
            tail = f"?tag={quote(message.tag, safe='')}" if message.tag else ""
            form["StatusCallback"] = f"{self._settings.webhook}{tail}"
        return form | self._content(message)

    def _content(self, message: Message) -> dict[str, str]:
        if message.free:
            return {"Body": message.whole}
        chosen = message.template
        if chosen is None or not chosen.id:
            what = "the 24-hour window is closed and no approved template was chosen"
            raise self._line.fix(what)
        values = fitted(message.values, chosen.room)
        if chosen.url:
            values.append(tail_of(message, chosen.url, self._line))
        form = {"ContentSid": chosen.id}
        if values:
            numbered = {str(place): value for place, value in enumerate(values, 1)}
            form["ContentVariables"] = json.dumps(numbered, ensure_ascii=False)
        return form

    def refusal(self, answer: Answer, to: str = "") -> SendError:
        """Return what a refusal means: its code decides, never its words."""
        try:
            found = decode(answer.body)
        except Unreadable:
            found = None
        code = whole(found, "code")
        rule = rule_for(code, answer.status, to)
        said = text(found, "message", limit=TEXT_LIMIT)
        shown = "" if code is None else code
        return self._line.refusal(answer, rule, code=shown, said=said)

    def verify(self, hook: WebhookRequest) -> bool:
        """Tell whether address and form are signed with the account's token.

        The address is the public one of the settings, with and without its port:
        Twilio signs either.
        """
        given = hook.header("X-Twilio-Signature").encode("utf-8", "replace")
        base = self._settings.webhook or hook.url.partition("?")[0]
        query = hook.url.partition("?")[2]
        try:
            signed = _signed(hook, query)
            addresses = _with_and_without_port(base)
        except ValueError:
            return False
        key, good = self._settings.auth_token.reveal().encode(), False
        for address in addresses:
            whole_address = f"{address}?{query}" if query else address
            content = (whole_address + signed).encode("utf-8", "replace")
            mac = base64.b64encode(hmac.new(key, content, hashlib.sha1).digest())
            good |= hmac.compare_digest(given, mac)
        return good and bool(key)

    def read(self, hook: WebhookRequest) -> list[Notice]:
        """Return the message that came in, or what became of one of ours."""
        return notices(hook, self._line.now(), rule_for, self.number)

    def state_of(self, provider_id: str) -> StateNotice | None:
        """Ask for one message: a callback that fails is repeated for seconds only."""
        path = f"Messages/{quote(provider_id, safe='')}.json"
        call = Call.get(f"{self._account}/{path}", headers=self._auth)
        try:
            found = self._line.ask(call, self.refusal)
        except RemoteError as error:
            if error.reason is Reason.REFUSED:  # deleted, or another account's
                return None
            raise
        state = told(found, self._line.now(), rule_for)
        return state if state and state.provider_id == provider_id else None

    def health(self) -> list[Health]:
        """Ask whether the login is taken and the account is active."""
        call = Call.get(f"{self._account}.json", headers=self._auth)
        try:
            status = word(self._line.ask(call, self.refusal), "status") or "unknown"
        except RemoteError as error:
            return [Health("error", error.detail)]
        level = "ok" if status == "active" else "error"
        found = [Health(level, f"the login is accepted, the account is {status}")]
        webhook = self._settings.webhook
        if webhook:
            what = f"Twilio does not tell where replies go; it should be {webhook}"
            return [*found, Health("ok", what)]
        what = "BRIDGE_PUBLIC_URL is not set: states and replies cannot come in"
        return [*found, Health("warning", what)]

    def people_a_day(self) -> int | None:
        """Return what was set: Twilio does not tell the sender's messaging limit."""
        return self._settings.people

    def templates(self) -> list[TemplateState]:
        """Return every Content template that was submitted for WhatsApp."""
        return self._contents().templates()

    def push(self, draft: TemplateDraft, id: str = "") -> TemplateState:
        """Create a Content template and submit it; one with an *id* is replaced."""
        return self._contents().push(draft, id)

    def _contents(self) -> Content:
        base = self._settings.content_url
        return Content(self._line, base, self._auth, self.refusal)


def rule_for(code: int | None, status: int = 400, to: str = "") -> Rule:
    """Return what a code means for a message to this number."""
    if code in US_NEVER and region(to) == "US":
        return US_NEVER[code]
    if code is not None and code in ERRORS:
        return ERRORS[code]
    what = "Twilio refused it" if code is None else "a code that is not known here"
    return Rule(by_status(status), what)


def _receipt(answer: Answer, to: str) -> Receipt:
    """Read a 2xx: whatever it holds, the message was taken."""
    try:
        found = decode(answer.body)
    except Unreadable:
        found = None
    id, status = text(found, "sid"), word(found, "status")
    detail = {"status": status} if status else {}
    if not id:
        detail["unreadable"] = f"HTTP {answer.status} without an id"
    return Receipt(id, detail=detail | elsewhere(to, text(found, "to")))


def _signed(hook: WebhookRequest, query: str) -> str:
    """Return what is signed besides the address. Raises ValueError.

    A JSON body is signed by its digest in the query; a form by its parameters
    sorted by name, repeated values once each and sorted.
    """
    wanted = dict(parse_qsl(query)).get("bodySHA256")
    if wanted is not None:
        digest = hashlib.sha256(hook.body).hexdigest().encode()
        if not hmac.compare_digest(wanted.encode("utf-8", "replace"), digest):
            raise ValueError("the body is another one")
        return ""
    form = parse_qsl(
        hook.body.decode("utf-8"),
        keep_blank_values=True,
        max_num_fields=_MOST_FIELDS,
    )
    return "".join(name + value for name, value in sorted(set(form)))


def _with_and_without_port(address: str) -> list[str]:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    if not host:
        return [address]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    bare = host.removesuffix(f":{parts.port}") if parts.port else host
    return [
        parts._replace(netloc=bare).geturl(),
        parts._replace(netloc=f"{bare}:{port}").geturl(),
    ]
