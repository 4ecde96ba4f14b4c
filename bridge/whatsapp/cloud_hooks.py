"""What Meta's webhooks tell.

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components. One
request may carry a thousand updates; an unknown one is kept as `Other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from bridge.whatsapp import (
    ConsentNotice,
    Inbound,
    InboundKind,
    Notice,
    Other,
    State,
    StateNotice,
    TemplateNotice,
)
from bridge.whatsapp.line import Rule
from bridge.whatsapp.phones import incoming
from bridge.whatsapp.reading import TEXT_LIMIT, each, instant, pick, text, whole

_STATES = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "played": State.READ,
    "failed": State.FAILED,
}
#: Types of messages that nobody sends us, and those in which nobody says anything.
_NO_MESSAGE = ("system", "request_welcome")
_WORDLESS = ("reaction", "edit", "revoke", "unsupported", "unknown")
_UNREADABLE = 131051
_TEMPLATES = (
    "message_template_status_update",
    "template_category_update",
    "message_template_quality_update",
    "message_template_components_update",
)
Judge = Callable[[int | None], Rule]


def notices(
    body: Any, now: datetime, judge: Judge, ours: tuple[str, str]
) -> list[Notice]:
    """Return everything in a webhook's JSON, in its order.

    *ours* are the ids of number and account: an app hears of all that it is
    subscribed to.
    """
    found: list[Notice] = []
    for entry in each(body, "entry"):
        for change in each(entry, "changes"):
            field, value = text(change, "field") or "?", pick(change, "value")
            if another := _another(entry, value, ours):
                found.append(Other(another))
            else:
                found += _change(field, value, now, judge)
    return found or [Other(text(body, "object") or "?")]


def _another(entry: Any, value: Any, ours: tuple[str, str]) -> str:
    """Return whose an update is if not ours: by its number, else by its account."""
    number, account = ours
    named = text(value, "metadata", "phone_number_id")
    if named:
        return "" if named == number else "of another number"
    return "" if text(entry, "id") in ("", account) else "of another account"


def _change(field: str, value: Any, now: datetime, judge: Judge) -> Iterator[Notice]:
    if field == "messages":
        number = text(value, "metadata", "phone_number_id")
        for message in each(value, "messages"):
            yield _message(message, number, now)
        for status in each(value, "statuses"):
            yield _status(status, now, judge)
        for error in each(value, "errors"):
            yield Other(f"error {text(error, 'code') or '?'}")
    elif field == "user_preferences":
        for wish in each(value, "user_preferences"):
            yield ConsentNotice(
                incoming(text(wish, "wa_id")),
                text(wish, "value"),
                text(wish, "user_id"),
                text(wish, "category"),
                instant(pick(wish, "timestamp"), now),
            )
    elif field in _TEMPLATES:
        yield TemplateNotice(
            text(value, "message_template_name"),
            text(value, "message_template_language"),
            text(value, "event"),
            _reason(value),
            text(value, "new_category"),
        )
    else:
        yield Other(field)


def _reason(value: Any) -> str:
    """Return why: Meta writes NONE where there is no reason."""
    reason = text(value, "reason")
    if quality := text(value, "new_quality_score"):
        return f"quality {quality}"
    if expected := text(value, "correct_category"):
        return f"will be {expected}"
    return "" if reason == "NONE" else reason


def _message(message: Any, number: str, now: datetime) -> Notice:
    what, id = text(message, "type") or "?", text(message, "id")
    if not id or what in _NO_MESSAGE:
        detail = text(message, "system", "type")
        return Other(f"{what} {detail}".strip())
    kind, written, payload = _content(message, what)
    unreadable = whole(message, "errors", 0, "code") == _UNREADABLE
    return Inbound(
        id,
        incoming(text(message, "from")),
        text(message, "from_user_id"),
        instant(pick(message, "timestamp"), now),
        kind,
        written,
        payload,
        text(message, "context", "id"),
        number,
        what,
        _shared(message) if what == "contacts" else "",
        what in _WORDLESS or unreadable,
    )


def _shared(message: Any) -> str:
    """Return the number that its sender shared of himself, as we had asked.

    Any other card may be anybody's: only `contact_request` says that it is his own.
    It stands on the message or on the card.
    """
    cards = list(each(message, "contacts"))
    if len(cards) != 1:
        return ""
    said = {text(message, "origin"), text(cards[0], "origin")} - {""}
    if said != {"contact_request"}:
        return ""
    numbers = {incoming(text(phone, "wa_id")) for phone in each(cards[0], "phones")}
    return (numbers.pop() or "") if len(numbers) == 1 else ""


def _content(message: Any, what: str) -> tuple[InboundKind, str, str]:
    """Return kind, text and payload of a message."""
    if what == "text":
        return InboundKind.TEXT, text(message, what, "body", limit=TEXT_LIMIT), ""
    if what == "button":
        shown, payload = text(message, what, "text"), text(message, what, "payload")
        return InboundKind.BUTTON, shown, payload
    if what == "interactive":
        for name, kind in (
            ("button_reply", InboundKind.BUTTON),
            ("list_reply", InboundKind.LIST),
        ):
            reply = pick(message, what, name)
            if isinstance(reply, dict):
                return kind, text(reply, "title"), text(reply, "id")
    return InboundKind.OTHER, text(message, what, "caption", limit=TEXT_LIMIT), ""


def _status(status: Any, now: datetime, judge: Judge) -> Notice:
    word, id = text(status, "status"), text(status, "id")
    tag = text(status, "biz_opaque_callback_data")
    state = _STATES.get(word)
    if state is None or not (id or tag):
        return Other(f"status {word or '?'}")
    code, kind, detail, instead, wish = None, None, "", None, None
    if state is State.FAILED:
        error = pick(status, "errors", 0)
        code = whole(error, "code")
        rule = judge(code)
        kind, detail, instead = rule.kind, rule.what, rule.instead
        wish = rule.wish
    return StateNotice(
        id,
        tag,
        state,
        instant(pick(status, "timestamp"), now),
        "" if code is None else str(code),
        kind,
        detail,
        incoming(text(status, "recipient_id")),
        _pricing(pick(status, "pricing")),
        instead,
        text(status, "recipient_user_id"),
        wish,
    )


def _pricing(found: Any) -> dict[str, str]:
    """Return what Meta says of the price; new words appear without notice."""
    price = {name: text(found, name) for name in ("pricing_model", "type", "category")}
    billable = pick(found, "billable")
    if isinstance(billable, bool):
        price["billable"] = str(billable).lower()
    return {name: word for name, word in price.items() if word}
