"""What comes in from a provider, the same for every provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.errors import BridgeError, ErrorClass, Instead, Wish


class State(StrEnum):
    """What a provider confirmed of a message; never more than that."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class WebhookRequest:
    """A request to our address, as it came.

    *url* is path and query as they were asked for, not decoded; a provider that
    signs addresses puts the public address in front. *query* is decoded. *body*
    is the raw bytes: signatures are over these. Printing it shows none of it.
    """

    method: str
    url: str = field(default="", repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Return a header whatever its case, or an empty text."""
        wanted = name.casefold()
        return next((v for k, v in self.headers.items() if k.casefold() == wanted), "")


class Unreadable(BridgeError):
    """A webhook's body is nothing that can be read at all."""


@dataclass(frozen=True)
class StateNotice:
    """What became of a message of ours, found by *tag* or *provider_id*.

    *kind* is the class of *code* where it failed. *pricing* is what the provider
    said of the price, in its own words. *instead* may be tried once. *user* is the
    identity that was named beside the number. *wish* is the recipient's own, where it
    failed for that.
    """

    provider_id: str
    tag: str
    state: State
    at: datetime
    code: str = ""
    kind: ErrorClass | None = None
    detail: str = ""
    to: str | None = field(default=None, repr=False)
    pricing: Mapping[str, str] = field(default_factory=dict)
    instead: Instead | None = None
    user: str = field(default="", repr=False)
    wish: Wish | None = None


#: What was written before was changed or taken back: no new message.
_CHANGES = ("edit", "revoke")


class InboundKind(StrEnum):
    """What a client sent."""

    TEXT = "text"
    BUTTON = "button"
    LIST = "list"
    OTHER = "other"


@dataclass(frozen=True)
class Inbound:
    """What a client wrote. The name that he gave himself is not kept.

    *sender* is E.164, or None where the number is withheld; *user* is the other
    identity (business-scoped id, `@lid`), where there is one. *payload* is what
    was put into the button or row. *reply_to* is the id of the message answered.
    *number* is ours. *what* is the provider's word for the kind. *shared* is his own
    number in E.164, where he shared it as he was asked to. *wordless*: nothing is said
    with it that could be answered: a reaction, a change, what cannot be read. *wish* is
    stop, start or help, where the provider took it for that and answered by itself.
    """

    id: str
    sender: str | None = field(repr=False)
    user: str = field(repr=False)
    sent_at: datetime
    kind: InboundKind
    text: str = field(default="", repr=False)
    payload: str = ""
    reply_to: str = ""
    number: str = ""
    what: str = ""
    shared: str = field(default="", repr=False)
    wordless: bool = False
    wish: str = ""

    @property
    def opens(self) -> bool:
        """Whether it opens the 24-hour window: each message does."""
        return not (self.wordless and self.what in _CHANGES)


@dataclass(frozen=True)
class TemplateNotice:
    """A template's status or category changed; what did not change is empty."""

    name: str
    language: str
    status: str = ""
    reason: str = ""
    category: str = ""


@dataclass(frozen=True)
class ConsentNotice:
    """A person switched our messages off or on: *value* is stop or resume."""

    sender: str | None = field(repr=False)
    value: str
    user: str = field(default="", repr=False)
    category: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class SessionNotice:
    """The gateway's phone session changed to *state*."""

    state: str
    connected: bool


@dataclass(frozen=True)
class Other:
    """Something that the bridge does not act on; *kind* is the provider's word."""

    kind: str


Notice = StateNotice | Inbound | TemplateNotice | ConsentNotice | SessionNotice | Other
