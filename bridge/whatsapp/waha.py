"""WAHA (2026.7): a gateway of one's own that drives a phone account.

https://waha.devlike.pro/docs/how-to/send-messages/ and .../events/
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from bridge import provideroptions
from bridge.errors import ErrorClass, Reason, RemoteError, SendError
from bridge.settings import Secret, Settings
from bridge.transport import Answer, Call
from bridge.whatsapp import (
    Health,
    Inbound,
    InboundKind,
    Message,
    Notice,
    Other,
    Provider,
    Receipt,
    SessionNotice,
    State,
    StateNotice,
    Unreadable,
    WebhookRequest,
)
from bridge.whatsapp.baileys import (
    Addresses,
    callbacks,
    content,
    digits,
    identity,
    wordless,
)
from bridge.whatsapp.line import Line, Rule, Sends, by_status
from bridge.whatsapp.phones import elsewhere, incoming, nobody
from bridge.whatsapp.reading import (
    TEXT_LIMIT,
    decode,
    each,
    instant,
    pick,
    text,
    whole,
    word,
)

_LONGEST = 4096
#: An address of one person whose number WhatsApp hides.
_HIDDEN = re.compile(r"[0-9]{1,32}@lid")
#: https://waha.devlike.pro/docs/how-to/events/#messageack
_STATES = {
    -1: State.FAILED,
    0: State.ACCEPTED,
    1: State.SENT,
    2: State.DELIVERED,
    3: State.READ,
    4: State.READ,
}
#: https://docs.wwebjs.dev/global.html#MessageTypes: what is no message, or unreadable.
_WORDLESS = (
    *("revoked", "ciphertext", "reaction", "protocol", "call_log", "unknown"),
    *("e2e_notification", "notification", "notification_template", "gp2"),
)
_EVENTS = ("message", "message.ack", "session.status")
#: By HTTP status: https://waha.devlike.pro/docs/how-to/sessions/
ERRORS = {
    401: Rule(ErrorClass.HALT, "the key is not accepted"),
    403: Rule(ErrorClass.HALT, "the key may not use this session"),
    404: Rule(ErrorClass.FIX, "the gateway has no such address"),
    422: Rule(ErrorClass.HALT, "the phone session is missing or not working"),
}
NO_LID = Rule(ErrorClass.UNSURE, "the gateway found no identity for the number")
ABSENT = Rule(ErrorClass.NEVER, "not a number that WhatsApp reaches")
#: A state of failure carries no reason at all; a repetition could be a second one.
FAILED = Rule(ErrorClass.FIX, "WhatsApp refused the message, without a reason")


@dataclass(frozen=True)
class WahaSettings:
    """What WAHA needs to be told; *hmac_key* signs its callbacks."""

    url: str
    key: Secret
    session: str
    hmac_key: Secret
    per_second: float
    public_url: str = ""
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> WahaSettings:
        """Return them out of the environment, which was checked before."""
        given = {name: value.reveal() for name, value in settings.others.items()}
        found = provideroptions.values("waha", given)
        return cls(
            url=found["WHATSAPP_WAHA_URL"].rstrip("/"),
            key=Secret(found["WHATSAPP_WAHA_KEY"]),
            session=found["WHATSAPP_WAHA_SESSION"],
            hmac_key=Secret(found["WHATSAPP_WAHA_HMAC_KEY"]),
            per_second=float(found["WHATSAPP_WAHA_PER_SECOND"]),
            public_url=settings.public_url,
            hidden=settings.secrets,
        )


class WahaProvider(Provider):
    """Sends through one session: no window, no templates, no tag that returns."""

    name = "waha"

    def __init__(
        self, settings: WahaSettings, transport: Sends, now: Callable[[], datetime]
    ) -> None:
        self.number = settings.session
        self.per_second = settings.per_second
        self._settings = settings
        key = settings.key.reveal()
        secrets = [key, settings.hmac_key.reveal(), *settings.hidden]
        self._line = Line(self.name, transport, now, secrets)
        self._auth = {"X-Api-Key": key}
        self._known = Addresses(now)

    def send(self, message: Message) -> Receipt:
        """Send the finished text to the address that the gateway finds first.

        A number in an old form is accepted and never delivered, so every number
        is looked up once a day.
        """
        self._line.check(message, _LONGEST)
        body = {
            "session": self.number,
            "chatId": self._address(message.to),
            "text": message.whole,
        }
        url = f"{self._settings.url}/api/sendText"
        answer = self._line.post(Call.post(url, json=body, headers=self._auth))
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        try:
            found = decode(answer.body)
        except Unreadable:
            found = None
        id = _id(found)
        detail = {} if id else {"unreadable": f"HTTP {answer.status} without an id"}
        return Receipt(id, detail=detail | elsewhere(message.to, *_chats(found)[:-1]))

    def _address(self, number: str) -> str:
        """Return where to send to. Raises SendError; nothing was sent then."""
        try:
            address = self.check_number(number)
        except RemoteError as error:
            kind = ErrorClass.RETRY
            if error.reason is Reason.REFUSED:
                kind = ErrorClass.FIX if error.sent else ErrorClass.HALT
            elif error.reason is Reason.DENIED_CREDENTIALS:
                kind = ErrorClass.HALT
            what = f"looking the number up: {error.detail}"
            raise SendError(
                self.name, kind, what, retry_after=error.retry_after
            ) from None
        if address is None:
            raise SendError(self.name, ABSENT.kind, ABSENT.what)
        return address

    def refusal(self, answer: Answer) -> SendError:
        """Return what a refusal means: by status alone, but for its sentence."""
        try:
            found = decode(answer.body)
        except Unreadable:
            found = None
        paths = (("exception", "message"), ("message",), ("error",), ("status",))
        words = (text(found, *path, limit=TEXT_LIMIT) for path in paths)
        said = "; ".join(filter(None, words))
        status = answer.status
        rule = ERRORS.get(status) or Rule(by_status(status), "the gateway refused it")
        if status >= 500 and "no lid found" in said.casefold():
            rule = NO_LID
        return self._line.refusal(answer, rule, said=said)

    def verify(self, hook: WebhookRequest) -> bool:
        """Tell whether the raw body is signed with our key."""
        key = self._settings.hmac_key.reveal().encode()
        algorithm = hook.header("X-Webhook-Hmac-Algorithm").casefold() or "sha512"
        given = hook.header("X-Webhook-Hmac").encode("utf-8", "replace")
        mac = hmac.new(key, hook.body, hashlib.sha512).hexdigest().encode()
        good = hmac.compare_digest(given, mac)
        return good and bool(key) and algorithm == "sha512"

    def read(self, hook: WebhookRequest) -> list[Notice]:
        """Return the message, state or change of the session that came in."""
        body = decode(hook.body)
        if text(body, "session") not in ("", self.number):
            return [Other("of another session")]
        event, payload = text(body, "event"), pick(body, "payload")
        now = instant(pick(body, "timestamp"), self._line.now())
        if event in ("message", "message.any"):
            return self._message(payload, now)
        if event == "message.ack":
            return _state(payload, text(body, "me", "id"), now)
        if event == "session.status":
            state = word(payload, "status")
            return [SessionNotice(state, state == "WORKING")]
        return [Other(event or "?")]

    def _message(self, payload: Any, now: datetime) -> list[Notice]:
        address = text(payload, "from")
        if pick(payload, "fromMe") is True or nobody(address):
            return []
        id = _tail(text(payload, "id"))
        if not id:
            return [Other("message without an id")]
        inner = pick(payload, "_data")
        other = text(inner, "key", "remoteJidAlt") or text(inner, "Info", "SenderAlt")
        sender, user = identity(address, other)
        raw = pick(inner, "message") or pick(inner, "Message")
        kind, _, chosen, quoted, what = content(raw)
        written = text(payload, "body", limit=TEXT_LIMIT)
        silent = _silent(payload, what, written)
        if silent:
            what, written = text(inner, "type") or what, ""
        elif kind is InboundKind.OTHER and written and not pick(payload, "hasMedia"):
            kind, what = InboundKind.TEXT, "text"
        quoted = quoted or _tail(text(payload, "replyTo", "id"))
        at = instant(pick(payload, "timestamp"), now)
        said = (kind, written, chosen, quoted, self.number, what)
        return [Inbound(id, sender, user, at, *said, wordless=silent)]

    def health(self) -> list[Health]:
        """Ask for the session's state and where callbacks go."""
        try:
            found = self._get(f"api/sessions/{quote(self.number, safe='')}")
        except RemoteError as error:
            return [Health("error", error.detail)]
        state = word(found, "status") or "unknown"
        level = "ok" if state == "WORKING" else "error"
        here = [Health(level, f"the phone session is {state}")]
        public = self._settings.public_url
        wanted = f"{public}/whatsapp/waha"
        if not public:
            what = "BRIDGE_PUBLIC_URL is not set: states and replies cannot come in"
            return [*here, Health("warning", what)]
        for one in each(found, "config", "webhooks"):
            if text(one, "url") == wanted:
                return [*here, callbacks(pick(one, "events"), *_EVENTS)]
        return [*here, Health("warning", f"callbacks should go to {wanted}")]

    def _get(self, path: str, **query: str) -> Any:
        tail = f"?{urlencode(query)}" if query else ""
        url = f"{self._settings.url}/{path}{tail}"
        return self._line.ask(Call.get(url, headers=self._auth), self.refusal)

    def check_number(self, number: str) -> str | None:
        """Return the chat of a number, which may end in @lid, or None.

        What is neither that number's own nor hides it (a group, a channel, another
        number) is refused, and asked for anew the next time.
        """
        known = self._known.get(number)
        if known is not None:
            return known
        asked = {"phone": digits(number), "session": self.number}
        found = self._get("api/contacts/check-exists", **asked)
        there, address = pick(found, "numberExists"), text(found, "chatId").strip()
        if there is False:
            return None
        if there is not True or not address:
            what = "the gateway does not say whether it knows the number"
            raise RemoteError(self.name, Reason.UNREADABLE, what)
        if incoming(address) != number and not _HIDDEN.fullmatch(address):
            what = "the gateway finds another recipient than it was asked for"
            raise RemoteError(self.name, Reason.REFUSED, what)
        self._known.put(number, address)
        return address

    def find_number(self, user: str) -> str | None:
        """Return the number behind an @lid, where the phone knows it."""
        session = quote(self.number, safe="")
        found = self._get(f"api/{session}/lids/{quote(user, safe='')}")
        if text(found, "lid") not in ("", user):
            return None
        return incoming(text(found, "pn"))


def _silent(payload: Any, what: str, written: str) -> bool:
    """Tell whether a message says nothing, by its inner form or its engine's word."""
    if text(payload, "_data", "type") in _WORDLESS:
        return True
    there = ("hasMedia", "location", "vCards")
    if what == "?" and (written or any(pick(payload, name) for name in there)):
        return False
    return wordless(what)


def _state(payload: Any, me: str, now: datetime) -> list[Notice]:
    address = text(payload, "from")
    if pick(payload, "fromMe") is False or nobody(address):
        return []
    ack, id = whole(payload, "ack"), _tail(text(payload, "id"))
    state = None if ack is None else _STATES.get(ack)
    if state is None or not id:
        return [Other(f"ack {'?' if ack is None else ack}")]
    ours = incoming(me)
    numbers = (incoming(chat) for chat in _chats(payload))
    to = next((number for number in numbers if number and number != ours), None)
    if state is State.FAILED:
        return [StateNotice(id, "", state, now, "", FAILED.kind, FAILED.what, to=to)]
    return [StateNotice(id, "", state, now, to=to)]


def _chats(found: Any) -> tuple[str, ...]:
    """Return the addresses that may be the chat of a message of ours, surest first.

    Engines put it in different places; *from* may be ourselves.
    """
    paths: tuple[tuple[str, ...], ...] = (("id",), ("id", "_serialized"))
    whole_ids = (text(found, *path) for path in paths)
    inner = next((id.split("_")[1] for id in whole_ids if id.count("_") > 1), "")
    others = (("key", "remoteJid"), ("_data", "key", "remoteJid"), ("to",), ("from",))
    return (inner, *(text(found, *path) for path in others))


def _id(found: Any) -> str:
    """Return a message's id: engines put it in different places."""
    paths: tuple[tuple[str, ...], ...] = (("id",), ("id", "_serialized"), ("key", "id"))
    return next((_tail(id) for path in paths if (id := text(found, *path))), "")


def _tail(id: str) -> str:
    """Return `3EB0...` of `true_5491155551234@c.us_3EB0...`.

    The chat in the middle is written in one form when sending and in another one
    in a state; the tail is the message's own.
    """
    return id.rpartition("_")[2]
