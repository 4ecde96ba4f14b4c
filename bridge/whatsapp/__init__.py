"""The Provider seam: a way to send WhatsApp messages, and what came of one.

A provider describes a call and reads an answer; `transport` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """What a provider confirmed of a message; never more than that."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True)
class Message:
    """One message to one person.

    *to* is E.164 with the plus. *name* is the text file's name; *values* are its
    placeholders in order, for a provider that sends templates. *tag* comes back
    in states where the provider allows it. *button* is a label and an address.
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

    @property
    def whole(self) -> str:
        """The text with its button as a last line, for whoever has no buttons."""
        if self.button is None:
            return self.text
        return f"{self.text}\n{self.button[0]}: {self.button[1]}"


@dataclass(frozen=True)
class Receipt:
    """The provider took a message; *states* are those it confirmed at once."""

    id: str
    states: tuple[State, ...] = (State.ACCEPTED,)
    detail: dict[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """A way to send WhatsApp messages.

    `send` raises `SendError` with the class of the provider's answer.
    *per_second* is the rate of one sending number, *number* names that number.
    """

    name: str
    number: str
    per_second: float

    def send(self, message: Message) -> Receipt:
        """Hand one message over and return what the provider said."""
        ...
