"""Evolution API (2.3): a gateway of one's own that drives a phone account.

https://doc.evolution-api.com/v2 and https://github.com/EvolutionAPI/evolution-api
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from bridge import provideroptions
from bridge.errors import ErrorClass, Reason, RemoteError, SendError
from bridge.settings import Secret, Settings
from bridge.transport import Answer, Call
from bridge.whatsapp import (
    Health,
    Inbound,
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
from bridge.whatsapp.phones import elsewhere, nobody
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
_STATES = {
    "PENDING": State.ACCEPTED,
    "SERVER_ACK": State.SENT,
    "DELIVERY_ACK": State.DELIVERED,
    "READ": State.READ,
    "PLAYED": State.READ,
    "ERROR": State.FAILED,
}
#: Headers of its callbacks that prove whose they are, one way or the other.
_PROOFS = ("x-bridge-token", "jwt_key")
#: Evolution answers 400 whatever went wrong; its words are all there is.
#: https://github.com/EvolutionAPI/evolution-api/blob/main/src/api/integrations/channel/whatsapp/whatsapp.baileys.service.ts
_BROKEN = ("connection", "timeout", "timed out", "closed")
#: By HTTP status, where the body says nothing more.
ERRORS = {
    400: Rule(ErrorClass.FIX, "the request is refused"),
    401: Rule(ErrorClass.HALT, "the key is not accepted"),
    403: Rule(ErrorClass.HALT, "the key may not use this instance"),
    404: Rule(ErrorClass.HALT, "there is no such instance"),
}
ABSENT = Rule(ErrorClass.NEVER, "not a number that WhatsApp reaches")
BROKEN = Rule(ErrorClass.UNSURE, "the phone session broke off")
#: A state of failure carries no reason at all; a repetition could be a second one.
FAILED = Rule(ErrorClass.FIX, "WhatsApp refused the message, without a reason")


@dataclass(frozen=True)
class EvolutionSettings:
    """What Evolution needs to be told; *webhook_token* proves its callbacks."""

    url: str
    key: Secret
    instance: str
    webhook_token: Secret
    per_second: float
    public_url: str = ""
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: Settings) -> EvolutionSettings:
        """Return them out of the environment, which was checked before."""
        given = {name: value.reveal() for name, value in settings.others.items()}
        found = provideroptions.values("evolution", given)
        key = found["WHATSAPP_EVOLUTION_KEY"]
        return cls(
            url=found["WHATSAPP_EVOLUTION_URL"].rstrip("/"),
            key=Secret(key),
            instance=found["WHATSAPP_EVOLUTION_INSTANCE"],
            webhook_token=Secret(found["WHATSAPP_EVOLUTION_WEBHOOK_TOKEN"] or key),
            per_second=float(found["WHATSAPP_EVOLUTION_PER_SECOND"]),
            public_url=settings.public_url,
            hidden=settings.secrets,
        )


class EvolutionProvider(Provider):
    """Sends through one instance: no window, no templates, no tag that returns."""

    name = "evolution"

    def __init__(
        self, settings: EvolutionSettings, transport: Sends, now: Callable[[], datetime]
    ) -> None:
        self.number = settings.instance
        self.per_second = settings.per_second
        self._settings = settings
        key = settings.key.reveal()
        secrets = [key, settings.webhook_token.reveal(), *settings.hidden]
        self._line = Line(self.name, transport, now, secrets)
        self._auth = {"apikey": key}
        self._path = quote(settings.instance, safe="")
        self._known = Addresses(now)

    def send(self, message: Message) -> Receipt:
        """Send the finished text; the gateway itself finds the number's id."""
        self._line.check(message, _LONGEST)
        body = {
            "number": digits(message.to),
            "text": message.whole,
            "linkPreview": False,
        }
        answer = self._line.post(self._call("message/sendText", body))
        if not 200 <= answer.status < 300:
            raise self.refusal(answer)
        try:
            found = decode(answer.body)
        except Unreadable:
            found = None
        id = text(found, "key", "id")
        detail = {} if id else {"unreadable": f"HTTP {answer.status} without an id"}
        key = pick(found, "key")
        told = (text(key, "remoteJid"), text(key, "remoteJidAlt"))
        return Receipt(id, detail=detail | elsewhere(message.to, *told))

    def _call(self, path: str, body: dict[str, Any]) -> Call:
        url = f"{self._settings.url}/{path}/{self._path}"
        return Call.post(url, json=body, headers=self._auth)

    def refusal(self, answer: Answer) -> SendError:
        """Return what a refusal means: by status, and for a 400 by what is in it."""
        try:
            found = decode(answer.body)
        except Unreadable:
            found = None
        words = [*_words(pick(found, "response", "message"))]
        said = "; ".join(words) or text(found, "message", limit=TEXT_LIMIT)
        status = answer.status
        rule = ERRORS.get(status) or Rule(by_status(status), "the gateway refused it")
        if status == 400 and _absent(pick(found, "response", "message")):
            rule, said = ABSENT, ""
        elif status == 400 and any(word in said.casefold() for word in _BROKEN):
            rule = BROKEN
        return self._line.refusal(answer, rule, said=said)

    def verify(self, hook: WebhookRequest) -> bool:
        """Tell whether the request carries our token, or is signed with it."""
        token = self._settings.webhook_token.reveal().encode()
        given = hook.header("X-Bridge-Token").encode("utf-8", "replace")
        if hmac.compare_digest(given, token):
            return bool(token)
        scheme, _, bearer = hook.header("Authorization").partition(" ")
        return scheme.casefold() == "bearer" and _signed(
            bearer.strip(), token, self._line.now()
        )

    def read(self, hook: WebhookRequest) -> list[Notice]:
        """Return the messages, states and changes of the session that came in."""
        body = decode(hook.body)
        if text(body, "instance") not in ("", self.number):
            return [Other("of another instance")]
        event = text(body, "event").casefold().replace("_", ".")
        data = pick(body, "data")
        now = self._line.now()
        if event == "messages.upsert":
            return [*self._messages(data, now)]
        if event == "messages.update":
            return [*_states(data, now)]
        if event == "connection.update":
            state = word(data, "state")
            return [SessionNotice(state, state == "open")]
        return [Other(event or "?")]

    def _messages(self, data: Any, now: datetime) -> Iterator[Notice]:
        for one in each({"data": data}, "data"):
            key = pick(one, "key")
            address = text(key, "remoteJid")
            if pick(key, "fromMe") is True or nobody(address):
                continue
            id = text(key, "id")
            if not id:
                yield Other("message without an id")
                continue
            sender, user = identity(address, text(key, "remoteJidAlt"))
            kind, written, payload, quoted, what = content(pick(one, "message"))
            at = instant(pick(one, "messageTimestamp"), now)
            quoted = quoted or text(one, "contextInfo", "stanzaId")
            said = (kind, written, payload, quoted, self.number, what)
            silent = wordless(what)
            yield Inbound(id, sender, user, at, *said, wordless=silent)

    def health(self) -> list[Health]:
        """Ask for the session's state and where callbacks go."""
        try:
            found = self._get("instance/connectionState")
            hook = self._get("webhook/find")
        except RemoteError as error:
            return [Health("error", error.detail)]
        state = word(found, "instance", "state") or "unknown"
        level = "ok" if state == "open" else "error"
        here = [Health(level, f"the phone session is {state}")]
        public = self._settings.public_url
        wanted = f"{public}/whatsapp/evolution"
        if not public:
            what = "BRIDGE_PUBLIC_URL is not set: states and replies cannot come in"
            return [*here, Health("warning", what)]
        if text(hook, "url") == wanted and pick(hook, "enabled") is not False:
            return [*here, self._heard(hook)]
        return [*here, Health("warning", f"callbacks should go to {wanted}")]

    def _heard(self, hook: Any) -> Health:
        """Judge what Evolution says of callbacks that come to the right address."""
        if True in (pick(hook, "webhookByEvents"), pick(hook, "byEvents")):
            what = "each event is called back at an address of its own (byEvents), "
            return Health("error", f"{what}where nobody hears it: switch that off")
        token = self._settings.webhook_token.reveal()
        if isinstance(hook, dict) and "headers" in hook:
            shown = hook["headers"] if isinstance(hook["headers"], dict) else {}
            proofs = [shown[one] for one in shown if one.casefold() in _PROOFS]
            if token not in proofs:
                what = "callbacks come here without the token (header X-Bridge-Token)"
                return Health("error", f"{what}: each one is refused")
        events = ("MESSAGES_UPSERT", "MESSAGES_UPDATE", "CONNECTION_UPDATE")
        return callbacks(pick(hook, "events"), *events)

    def _get(self, path: str) -> Any:
        url = f"{self._settings.url}/{path}/{self._path}"
        return self._line.ask(Call.get(url, headers=self._auth), self.refusal)

    def check_number(self, number: str) -> str | None:
        """Return the address that the gateway finds for a number, or None."""
        known = self._known.get(number)
        if known is not None:
            return known
        body = {"numbers": [digits(number)]}
        found = self._line.ask(self._call("chat/whatsappNumbers", body), self.refusal)
        address = text(found, 0, "jid")
        there = pick(found, 0, "exists")
        if there is False:
            return None
        if there is not True or not address:
            what = "the gateway does not say whether it knows the number"
            raise RemoteError(self.name, Reason.UNREADABLE, what)
        self._known.put(number, address)
        return address


def _states(data: Any, now: datetime) -> Iterator[Notice]:
    for one in each({"data": data}, "data"):
        address, id = text(one, "remoteJid"), text(one, "keyId")
        if pick(one, "fromMe") is False or nobody(address):
            continue
        state = _STATES.get(text(one, "status"))
        if state is None or not id:
            yield Other(f"status {text(one, 'status') or '?'}")
            continue
        to, _ = identity(address, text(one, "remoteJidAlt"))
        if state is State.FAILED:
            yield StateNotice(id, "", state, now, "", FAILED.kind, FAILED.what, to=to)
        else:
            yield StateNotice(id, "", state, now, to=to)


def _absent(value: Any) -> bool:
    """Tell whether the answer says that the number has no WhatsApp."""
    return any(pick(one, "exists") is False for one in each({"": value}, ""))


def _words(value: Any, depth: int = 4) -> Iterator[str]:
    """Yield the sentences in an answer, however they are nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth:
        for one in value[:20]:
            yield from _words(one, depth - 1)


def _signed(bearer: str, key: bytes, now: datetime) -> bool:
    """Tell whether a JSON web token (HS256) is Evolution's, of now, with our key."""
    head, _, rest = bearer.partition(".")
    claims, _, signature = rest.partition(".")
    mac = hmac.new(
        key, f"{head}.{claims}".encode("utf-8", "replace"), hashlib.sha256
    ).digest()
    good = hmac.compare_digest(_unpadded(signature), mac) and bool(key)
    try:
        algorithm = text(decode(_unpadded(head)), "alg")
        said = decode(_unpadded(claims))
    except Unreadable:
        return False
    ends = whole(said, "exp") or 0
    named = text(said, "app") == "evolution" and text(said, "action") == "webhook"
    return good and algorithm == "HS256" and named and ends > now.timestamp()


def _unpadded(part: str) -> bytes:
    try:
        return base64.b64decode(
            part.encode("ascii") + b"=" * (-len(part) % 4),
            altchars=b"-_",
            validate=True,
        )
    except (binascii.Error, ValueError):
        return b""
