"""What WhatsApp's providers tell: GET and POST /whatsapp/<provider>.

A request is verified on its raw bytes, kept, and then answered; what follows from
it is a job's work. A person's message becomes an event as a hook does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from bridge.errors import StoreUnavailable
from bridge.events import Body, Subject, clean
from bridge.hooks.answer_message import wish_of
from bridge.identities import Identities
from bridge.intake import RETRY_AFTER, Throttle, problem
from bridge.metrics import Metrics
from bridge.states import told_of
from bridge.store import Store, held, inbox, outbox, people, talk, wishes
from bridge.store.inbox import Accepted
from bridge.store.outbox import NewJob
from bridge.store.talk import Told
from bridge.whatsapp import (
    ConsentNotice,
    Inbound,
    Notice,
    Other,
    Provider,
    SessionNotice,
    State,
    StateNotice,
    TemplateNotice,
    Unreadable,
    WebhookRequest,
)

log = structlog.get_logger("whatsapp")
blueprint = Blueprint("whatsapp", __name__)

#: Largest body taken, in bytes: Meta sends up to 3 MB, batched
#: (https://developers.facebook.com/docs/graph-api/webhooks/getting-started).
BODY_LIMIT = 3 * 1024 * 1024
#: Longest text of a message that is kept, in characters.
TEXT_LIMIT = 65_536


@dataclass
class Ear:
    """What listening needs. *heard* is called after what work follows of was kept."""

    provider: Provider
    store: Store
    now: Callable[[], datetime]
    metrics: Metrics
    heard: Callable[[], None] = lambda: None
    forgeries: Throttle = field(default_factory=lambda: Throttle(5))
    identities: Identities = field(default_factory=Identities)


def _ear(provider: str) -> Ear | None:
    found: Ear = current_app.extensions["ear"]
    return found if found.provider.name == provider else None


@blueprint.get("/whatsapp/<provider>")
def handshake(provider: str) -> ResponseReturnValue:
    """Answer the question by which a provider sets our address up."""
    ear = _ear(provider)
    if ear is None:
        return problem(404, "Unknown provider", "It is not the configured one.")
    answer = ear.provider.handshake(request.args.to_dict())
    if answer is None:
        return problem(403, "Not verified", "Mode or verify token do not fit.")
    return Response(answer, mimetype="text/plain")


@blueprint.post("/whatsapp/<provider>")
def hear(provider: str) -> ResponseReturnValue:
    """Take states and messages. Answering 2xx means they are on disk."""
    ear = _ear(provider)
    if ear is None:
        return problem(404, "Unknown provider", "It is not the configured one.")
    body = request.stream.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        detail = f"A webhook may have {BODY_LIMIT // 2**20} MiB at most."
        return problem(413, "Too large", detail)
    hook = WebhookRequest(
        request.method,
        _as_asked(),
        request.args.to_dict(),
        dict(request.headers.items()),
        body,
    )
    if not ear.provider.verify(hook):
        ear.metrics.deliveries.labels("401").inc()
        if ear.forgeries.passes(ear.now()):
            log.warning("webhook refused", provider=provider, why="wrong signature")
        return problem(401, "Not signed", "The signature does not fit the body.")
    try:
        notices = ear.provider.read(hook)
    except Unreadable as error:
        return problem(400, "Not readable", str(error))
    try:
        follows = keep(ear, notices, ear.now())
    except StoreUnavailable as error:
        log.error("cannot store", why=str(error))
        answer = problem(503, "Cannot be stored now", "Send it again.")
        answer.headers["Retry-After"] = str(RETRY_AFTER)
        return answer
    if follows:
        ear.heard()
    if provider == "twilio":  # it shows an error for anything but its own XML
        return Response("<Response/>", mimetype="text/xml")
    return Response(b"{}", mimetype="application/json")


def _as_asked() -> str:
    """Return path and query as they came: a signature may be over them."""
    for name in ("REQUEST_URI", "RAW_URI"):
        if found := request.environ.get(name):
            return str(found)
    return request.full_path.rstrip("?")


def keep(ear: Ear, notices: Sequence[Notice], now: datetime) -> bool:
    """Keep what a provider told, each thing once; return whether work follows of it.

    Raises StoreUnavailable.
    """
    name = ear.provider.name
    states = [told_of(name, one) for one in notices if isinstance(one, StateNotice)]
    others = [
        one
        for one in notices
        if not isinstance(one, StateNotice) and _ours(ear.provider, one)
    ]
    # A message proves a pair once it is taken, where it is kept.
    rest = [one for one in notices if not isinstance(one, Inbound)]
    told = ear.identities.news(rest, now.date())
    if told:
        noted = ear.store.write(partial(people.remember, pairs=told, now=now))
        ear.identities.know(noted, now.date())
    if states:
        ear.store.write_each(_tell_all, (states, now))
    if others:
        keep = partial(_keep_others, provider=name, notices=others, ear=ear, now=now)
        ear.identities.know(ear.store.write(keep), now.date())
    return bool(others) or any(one.state == State.FAILED.value for one in states)


def _ours(provider: Provider, one: Notice) -> bool:
    """Tell whether it is about our number, not a neighbour's on the same webhook."""
    if isinstance(one, Other) and one.kind.startswith("of another "):
        log.warning("webhook of a neighbour", provider=provider.name, what=one.kind)
        return False
    if not isinstance(one, Inbound) or one.number in ("", provider.number):
        return True
    log.warning("message to another number", provider=provider.name, to=one.number)
    return False


def _tell_all(
    db: sa.Connection, items: list[tuple[list[Told], datetime]]
) -> list[None]:
    talk.tell_each(db, [(one, now) for told, now in items for one in told])
    return [None] * len(items)


def _keep_others(
    db: sa.Connection,
    *,
    provider: str,
    notices: Sequence[Notice],
    ear: Ear,
    now: datetime,
) -> list[people.Known]:
    """Keep what is no state; return the pairs that messages which were taken proved."""
    proved: list[people.Known] = []
    for one in notices:
        if isinstance(one, Inbound):
            if _message(db, provider, one, now):
                proved += people.remember(
                    db, ear.identities.news([one], now.date()), now
                )
        elif isinstance(one, TemplateNotice):
            told = {"status": one.status, "reason": one.reason}
            told["category"] = one.category
            known = {name: value for name, value in told.items() if value}
            talk.note_template(db, one.name, one.language, now, **known)
            held.changed(db, now)
            if one.status == "APPROVED":
                held.release(db, one.name, now)
        elif isinstance(one, ConsentNotice):
            _wish(db, one, now)
        elif isinstance(one, SessionNotice):
            _session(db, provider, one, now)
    return proved


def _wish(db: sa.Connection, one: ConsentNotice, now: datetime) -> None:
    """Note that a person wants no marketing, or some again; the later word counts."""
    number = one.sender or (people.number_of(db, one.user, now) if one.user else "")
    at = min(one.at or now, now)
    if not number or one.value not in ("stop", "resume"):
        log.info("a wish that means nothing here", value=clean(one.value)[:40])
    else:
        wishes.marketing(db, number, at, wanted=one.value == "resume")


def _message(db: sa.Connection, provider: str, one: Inbound, now: datetime) -> bool:
    """Keep a person's message as an event; his window is open from its time on.

    A number that is hidden is the one that was told with his identity lately. False
    where a message of its id was kept before: nothing is learnt of this one.
    """
    if not one.sender and one.user and not one.shared:
        one = replace(one, sender=people.number_of(db, one.user, now) or None)
    data: dict[str, Any] = {
        "from": one.sender or "",
        "user": one.user,
        "kind": one.kind.value,
        "text": "" if one.wordless else clean(one.text)[:TEXT_LIMIT],
        "payload": "" if one.wordless else clean(one.payload)[:1000],
        "reply_to": one.reply_to,
        "number": one.number,
    }
    if one.shared:
        data["shared"] = one.shared
    if one.wordless:
        data["wordless"] = one.what
    if one.wish:
        data["wish"] = one.wish
    digest = hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()
    sent_at = min(one.sent_at, now)
    body = Body("WhatsAppMessage", sent_at, data, {"actor": "client"})
    id = f"{provider}:{one.id}"
    made = Accepted(id, "whatsapp", digest, body, sent_at, Subject())
    if inbox.put(db, made, now) != inbox.ACCEPTED:
        return False
    if not one.sender:
        return True
    if one.opens:
        talk.wrote(db, one.sender, sent_at)
    word, stops = wish_of(data["text"], data["payload"], one.wish)
    if stops is not None:  # at once, and by the time at which he wrote it
        wishes.heard(db, one.sender, word, stops, sent_at, id)
    return True


def _session(
    db: sa.Connection, provider: str, one: SessionNotice, now: datetime
) -> None:
    """Have staff told when the gateway's phone is not connected, once a day."""
    log.info("session", provider=provider, state=one.state, connected=one.connected)
    if one.connected:
        return
    text = f"[bridge] WhatsApp ({provider}): the phone session is {one.state}"
    job = NewJob(
        key=f"session:{provider}/{one.state}/{now:%Y-%m-%d}",
        event_id=None,
        action="log_activity",
        rule="whatsapp",
        run_at=now,
        parameters={"text": text, "raw": True},
    )
    outbox.put(db, [job], now)
