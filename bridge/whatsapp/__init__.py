"""The Provider seam: a way to send WhatsApp messages, and what came of one.

A provider describes calls and reads answers and webhooks; `transport` does the
rest. What comes in is given as `Notice`s, the same for every provider.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bridge.errors import Reason, RemoteError
from bridge.whatsapp.notices import (
    ConsentNotice,
    Inbound,
    InboundKind,
    Notice,
    Other,
    SessionNotice,
    State,
    StateNotice,
    TemplateNotice,
    Unreadable,
    WebhookRequest,
)

__all__ = [
    "BODY_LIMIT",
    "ConsentNotice",
    "Health",
    "Inbound",
    "InboundKind",
    "Message",
    "Notice",
    "Other",
    "Provider",
    "Receipt",
    "SessionNotice",
    "State",
    "StateNotice",
    "Template",
    "TemplateDraft",
    "TemplateNotice",
    "TemplateState",
    "Unreadable",
    "WebhookRequest",
]

#: Most characters of a template's body, filled.
BODY_LIMIT = 1024


@dataclass(frozen=True)
class Template:
    """An approved template, chosen by the caller.

    *id* is the provider's own id, where it wants that. *url* is the fixed start
    of the address of its button, empty where the button takes no parameter.
    *room* is how many characters its values may have together.
    """

    name: str
    language: str
    id: str = ""
    url: str = ""
    room: int = BODY_LIMIT


@dataclass(frozen=True)
class Message:
    """One message to one person.

    *to* is E.164 with the plus. *name* is the text file's name; *values* are its
    placeholders in order, for a provider that sends templates. *tag* comes back
    in states where the provider allows it. *button* is a label and an address.
    *free* says that free text may be sent: the 24-hour window is open, or the
    provider knows none; else it goes as *template*. *other_form*: to the number in its
    other form, where it has one. *told_in* gives the same in another language. *asks*:
    *to* is the provider's own id of somebody without a number, who is asked to share
    it. *body* is the text with numbered places, as its template has to say it; empty
    where that is not known.
    """

    to: str
    text: str
    language: str
    name: str
    tag: str
    event: str = ""
    category: str = "utility"
    values: tuple[str, ...] = ()
    button: tuple[str, str] | None = None
    free: bool = True
    template: Template | None = None
    other_form: bool = False
    asks: bool = False
    body: str = ""
    told_in: Callable[[str], Message] | None = field(default=None, compare=False)

    @property
    def whole(self) -> str:
        """The text with its button as a last line, for whoever has no buttons."""
        if self.button is None:
            return self.text
        return f"{self.text}\n{self.button[0]}: {self.button[1]}"


@dataclass(frozen=True)
class Receipt:
    """The provider took a message; *states* are those it confirmed at once.

    *id* is empty where it was taken and the answer could not be read.
    """

    id: str
    states: tuple[State, ...] = (State.ACCEPTED,)
    detail: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Health:
    """One thing looked at: *level* is ok, warning or error; *what* a sentence."""

    level: str
    what: str


@dataclass(frozen=True)
class TemplateDraft:
    """A template as it is submitted.

    *body* has numbered places ({{1}}, {{2}}, ...), *examples* one value for each.
    *url* is the button's address: with {{1}} at its end, or without any.
    *url_example* is the whole address filled in.
    """

    name: str
    language: str
    category: str
    body: str
    examples: tuple[str, ...] = ()
    label: str = ""
    url: str = ""
    url_example: str = ""


@dataclass(frozen=True)
class TemplateState:
    """A template as the provider keeps it; only `APPROVED` can be sent."""

    name: str
    language: str
    status: str
    id: str = ""
    category: str = ""
    reason: str = ""
    body: str = ""
    label: str = ""
    url: str = ""

    @property
    def approved(self) -> bool:
        """Whether it can be sent now."""
        return self.status == "APPROVED"

    @property
    def template(self) -> Template:
        """What a `Message` needs of it."""
        fixed, mark, _ = self.url.partition("{{")
        places = self.body.count("{{")
        length = len(self.body) - sum(
            len(str(place)) + 4 for place in range(1, places + 1)
        )
        room = max(BODY_LIMIT - length, places)
        return Template(self.name, self.language, self.id, fixed if mark else "", room)

    def fits(self, draft: TemplateDraft) -> bool:
        """Tell whether it says what *draft* says; its category is the provider's."""
        mine = (self.body.strip(), self.label, _unnumbered(self.url))
        return mine == (draft.body.strip(), draft.label, _unnumbered(draft.url))


def _unnumbered(url: str) -> str:
    """Return an address whatever number its place has: Twilio counts on."""
    fixed, mark, _ = url.partition("{{")
    return f"{fixed}{mark}"


class Provider(Protocol):
    """A way to send WhatsApp messages.

    *number* names the one sending number, *per_second* is its rate. *windowed*:
    it has the 24-hour window and templates. *tags*: a message's tag comes back in
    states, which settles whether an unsure send arrived. *asks*: it can ask somebody
    to share his number. *answers*: it can be asked what became of a message, which is
    worth it where a lost webhook never comes again. *longest* is how many characters
    free text may have. What has a body here is right for a provider that has no such
    thing.
    """

    name: str
    number: str
    per_second: float
    windowed: bool = False
    tags: bool = False
    asks: bool = False
    answers: bool = False
    longest: int = 4096

    def send(self, message: Message) -> Receipt:
        """Hand one message over, by one request, and return what the provider said.

        Raises `SendError` with the class of the provider's answer. What may go in its
        place is the caller's to send: each request takes its turn at the rate.
        """
        ...

    def verify(self, hook: WebhookRequest) -> bool:
        """Tell whether a request really is the provider's; never raises."""
        return False

    def handshake(self, query: Mapping[str, str]) -> str | None:
        """Return what answers the question that sets the webhook up, if it is one."""
        return None

    def question(self, challenge: str) -> dict[str, str]:
        """Return the query that `handshake` would answer with *challenge*, if any."""
        return {}

    def read(self, hook: WebhookRequest) -> list[Notice]:
        """Return everything that a verified request tells, in its order.

        One part that cannot be read does not lose the others. Raises
        `Unreadable` where the body as a whole is no JSON or form.
        """
        return []

    def state_of(self, provider_id: str) -> StateNotice | None:
        """Return what became of a message of ours, None where nobody knows any more.

        *provider_id* is what its receipt had. Raises `RemoteError`.
        """
        return None

    def health(self) -> list[Health]:
        """Return what can be known of login, number, limits, webhook and session.

        The first tells of login or session: after an outage no message is tried while
        it is an error. An unreachable provider is a finding too; nothing is raised.
        """
        return []

    def people_a_day(self) -> int | None:
        """Return how many people it may write to outside their window; 0: all."""
        return None

    def templates(self) -> list[TemplateState]:
        """Return every template there is, the oldest first. Raises `RemoteError`.

        Of one name and language there may be several, where a change is a new one.
        """
        return []

    def push(self, draft: TemplateDraft, id: str = "") -> TemplateState:
        """Submit a template, or change the one with this *id*.

        Raises `RemoteError` with the provider's reason.
        """
        raise RemoteError(self.name, Reason.REFUSED, "it has no templates", sent=False)

    def check_number(self, number: str) -> str | None:
        """Return the provider's own id of an E.164 number, None if it has none.

        Where there is nothing to look up it is the number itself. Raises RemoteError.
        """
        return number

    def find_number(self, user: str) -> str | None:
        """Return the E.164 number behind an identity that hides it, if it tells.

        Raises `RemoteError`.
        """
        return None
