"""What both gateways share: phone sessions and their messages' inner form.

https://github.com/WhiskeySockets/Baileys (`WAProto`): the names of its messages.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bridge.whatsapp import Health, InboundKind
from bridge.whatsapp.phones import incoming
from bridge.whatsapp.reading import TEXT_LIMIT, pick, storable, text

_WRAPPERS = (
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "documentWithCaptionMessage",
)
#: What goes under a message's name and says nothing: a reaction, a change of an earlier
#: message (a revocation is one, too), a pin, a vote, what could not be deciphered.
_WORDLESS = (
    *("reactionMessage", "encReactionMessage", "protocolMessage", "editedMessage"),
    *("keepInChatMessage", "pinInChatMessage", "pollUpdateMessage"),
    *("secretEncryptedMessage", "placeholderMessage", "?"),
)
_CAPTIONED = ("imageMessage", "videoMessage", "documentMessage")


class Addresses:
    """The ids that a gateway resolved numbers to, kept for a day; thread-safe.

    That a number has none is not kept: its owner may join at any time.
    """

    def __init__(self, now: Callable[[], datetime], most: int = 4096) -> None:
        self._now = now
        self._most = most
        self._known: OrderedDict[str, tuple[str, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, number: str) -> str | None:
        """Return what is known of a number."""
        with self._lock:
            found = self._known.get(number)
        if found is None or found[1] < self._now():
            return None
        return found[0]

    def put(self, number: str, address: str) -> None:
        """Keep what a number resolved to; the oldest makes room."""
        with self._lock:
            self._known[number] = (address, self._now() + timedelta(days=1))
            self._known.move_to_end(number)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def callbacks(events: Any, *wanted: str) -> Health:
    """Judge of which *events* a gateway says that it calls us.

    Of * it does of all, of message.any of message too.
    """
    named = events if isinstance(events, list) else ["*"]
    told = {text(one).removesuffix(".any") for one in named}
    missing = [] if "*" in told else [one for one in wanted if one not in told]
    if not missing:
        return Health("ok", "callbacks come here")
    what = f"callbacks come here, but none of {', '.join(missing)}: add these events"
    return Health("error", what)


def digits(number: str) -> str:
    """Return an E.164 number as gateways want it."""
    return number.removeprefix("+")


def identity(*addresses: str) -> tuple[str | None, str]:
    """Return number and hidden identity out of the addresses of one person."""
    number = next((n for one in addresses if (n := incoming(one))), None)
    hidden = next((one for one in addresses if one.endswith("@lid")), "")
    return number, hidden


def content(message: Any) -> tuple[InboundKind, str, str, str, str]:
    """Return kind, text, payload, the id answered, and the kind's own name."""
    for _ in range(3):
        inner = (pick(message, name, "message") for name in _WRAPPERS)
        message = next((one for one in inner if isinstance(one, dict)), message)
    found = _reply(message)
    if found is not None:
        return found
    plain = text(message, "conversation", limit=TEXT_LIMIT)
    if plain:
        return InboundKind.TEXT, plain, "", "", "conversation"
    name = "extendedTextMessage"
    if isinstance(pick(message, name), dict):
        written = text(message, name, "text", limit=TEXT_LIMIT)
        return InboundKind.TEXT, written, "", _quoted(message, name), name
    for name in _CAPTIONED:
        if isinstance(pick(message, name), dict):
            written = text(message, name, "caption", limit=TEXT_LIMIT)
            return InboundKind.OTHER, written, "", _quoted(message, name), name
    keys = message if isinstance(message, dict) else ()
    names = [name for name in keys if name.endswith("Message")]
    return InboundKind.OTHER, "", "", "", storable(names[0], 64) if names else "?"


def wordless(what: str) -> bool:
    """Tell whether nothing is said with a message of this name; ? is one that is not.

    *what* is as `content` returns it.
    """
    return what in _WORDLESS


_REPLIES = (
    (
        "buttonsResponseMessage",
        InboundKind.BUTTON,
        ("selectedDisplayText",),
        ("selectedButtonId",),
    ),
    (
        "templateButtonReplyMessage",
        InboundKind.BUTTON,
        ("selectedDisplayText",),
        ("selectedId",),
    ),
    (
        "listResponseMessage",
        InboundKind.LIST,
        ("title",),
        ("singleSelectReply", "selectedRowId"),
    ),
)


def _reply(message: Any) -> tuple[InboundKind, str, str, str, str] | None:
    for name, kind, label, payload in _REPLIES:
        reply = pick(message, name)
        if isinstance(reply, dict):
            quoted = _quoted(message, name)
            return kind, text(reply, *label), text(reply, *payload), quoted, name
    return None


def _quoted(message: Any, name: str) -> str:
    return text(message, name, "contextInfo", "stanzaId")
