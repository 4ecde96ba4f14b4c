"""What Twilio's callbacks tell, and a message that is asked for.

https://www.twilio.com/docs/messaging/guides/webhook-request. Parameters are added
without notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from bridge.whatsapp import (
    Inbound,
    InboundKind,
    Notice,
    Other,
    State,
    StateNotice,
    Unreadable,
    WebhookRequest,
)
from bridge.whatsapp.line import Rule
from bridge.whatsapp.phones import incoming
from bridge.whatsapp.reading import ID_LIMIT, storable, text

_STATES = {
    "accepted": State.ACCEPTED,
    "scheduled": State.ACCEPTED,
    "queued": State.ACCEPTED,
    "sending": State.ACCEPTED,
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
    "canceled": State.FAILED,
}
_KINDS = {
    "text": InboundKind.TEXT,
    "button": InboundKind.BUTTON,
    "interactive": InboundKind.BUTTON,
}
#: Types in which nobody says anything, should Twilio hand them on.
_WORDLESS = ("reaction", "edit", "revoke", "unsupported", "unknown")
#: What `OptOutType` may say of a message, whatever its words: Twilio's Advanced Opt-Out
#: took it for that, blocks or unblocks the sender by itself, and has answered
#: (https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out).
_WISHES = ("stop", "start", "help")
_MOST_FIELDS = 500
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)
#: What tells what an error code means.
Judge = Callable[[int | None], Rule]


def notices(
    hook: WebhookRequest, now: datetime, judge: Judge, ours: str
) -> list[Notice]:
    """Return the one thing that a callback tells.

    *ours* is the sender: a number in any form, or a messaging service (`MG...`).
    """
    try:
        body = hook.body.decode("utf-8", "replace")
        form = dict(
            parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        )
    except ValueError:
        raise Unreadable("the body is no form") from None
    if not form:
        raise Unreadable("the body is no form")
    word = form.get("MessageStatus") or form.get("SmsStatus", "")
    id = storable(form.get("MessageSid") or form.get("SmsSid", ""), ID_LIMIT)
    if id and (word == "received" or not word):
        # A service takes SMS and more at the same address: whom those name as their
        # sender proves nothing.
        sender = form.get("From", "")
        if sender and not sender.startswith("whatsapp:"):
            return [Other("of another channel")]
        return [_inbound(form, id, now, ours)]
    state = _STATES.get(word)
    tag = storable(hook.query.get("tag", ""), ID_LIMIT)
    if state is None or not (id or tag):
        return [Other(storable(word or "?", 64))]
    to, code = form.get("To", ""), form.get("ErrorCode", "")
    return [_state(StateNotice(id, tag, state, now, to=incoming(to)), code, judge)]


def told(found: Any, now: datetime, judge: Judge) -> StateNotice | None:
    """Return what a message's own resource tells of it, None where that is no state.

    https://www.twilio.com/docs/messaging/api/message-resource
    """
    id, state = text(found, "sid"), _STATES.get(text(found, "status"))
    if state is None or not id:
        return None
    at, to = _date(text(found, "date_updated"), now), incoming(text(found, "to"))
    code = text(found, "error_code")
    return _state(StateNotice(id, "", state, at, to=to), code, judge)


def _date(written: str, now: datetime) -> datetime:
    """Read an instant as RFC 2822 has it; *now* for another, or one to come."""
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return now
    return now if at.tzinfo is None else min(at.astimezone(UTC), now)


def _state(told: StateNotice, code: str, judge: Judge) -> StateNotice:
    """Return a state with what its code means, where it is a failure."""
    if told.state is not State.FAILED:
        return told
    known = int(code) if _DIGITS.fullmatch(code) else None
    rule = judge(known)
    return replace(
        told,
        code="" if known is None else str(known),
        kind=rule.kind,
        detail=rule.what,
        instead=rule.instead,
        wish=rule.wish,
    )


def _inbound(form: dict[str, str], id: str, now: datetime, ours: str) -> Inbound:
    what = form.get("MessageType") or ("text" if form.get("Body") else "?")
    payload = form.get("ButtonPayload", "")
    kind = _KINDS.get(what, InboundKind.OTHER)
    written = form.get("ButtonText") or form.get("Body", "")
    if form.get("ListId"):
        kind, payload = InboundKind.LIST, form["ListId"]
        written = form.get("ListTitle") or written
    elif payload or form.get("ButtonText"):
        kind = InboundKind.BUTTON
    elif kind is InboundKind.TEXT and form.get("NumMedia", "0") not in ("", "0"):
        kind = InboundKind.OTHER
    sender = incoming(form.get("From", ""))
    user = form.get("ExternalUserId", "")
    if sender is None and not user:
        user = form.get("From", "").removeprefix("whatsapp:")
    wish = form.get("OptOutType", "").strip().casefold()
    return Inbound(
        id,
        sender,
        storable(user, ID_LIMIT),
        now,
        kind,
        storable(written),
        storable(payload, ID_LIMIT),
        storable(form.get("OriginalRepliedMessageSid", ""), ID_LIMIT),
        _written_to(form, ours),
        storable(what, 64),
        wordless=what.casefold() in _WORDLESS,
        wish=wish if wish in _WISHES else "",
    )


def _written_to(form: dict[str, str], ours: str) -> str:
    """Return *ours* where a message was written to it, else the number it names.

    A number may be named in another form than it is set; only numbers are named
    where a messaging service did not take the message.
    """
    named = form.get("To", "").removeprefix("whatsapp:")
    if ours.startswith("MG"):
        service = form.get("MessagingServiceSid") or ours
        return ours if service == ours else storable(service, ID_LIMIT)
    mine = incoming(ours)
    if mine is not None and incoming(named) == mine:
        return ours
    return storable(named, ID_LIMIT)
