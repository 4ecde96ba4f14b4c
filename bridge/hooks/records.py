"""Rows of our own store as actions see them: messages, people, changes of owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.errors import Instead

#: What a template is from the answer on that refused it, until the provider tells.
STATUS_OF = {Instead.LANGUAGE: "REFUSED", Instead.APPROVAL: "PAUSED"}
#: What the key of a message that is sent anew adds to that of the first, and what the
#: key of its second way adds.
AGAIN, FALLBACK = "/again:", "/fallback"


def root_of(key: str) -> str:
    """Return the key of the job that sent a message first."""
    return key.removesuffix(FALLBACK).partition(AGAIN)[0]


def user_mark(user: str) -> str:
    """Return the name of the mark that keeps the number behind an identity."""
    return f"user:{user}"


@dataclass(frozen=True)
class Sent:
    """A message that went out, and the job that it was.

    *root* is the key of the job that sent it first, *again* how often it was sent
    anew since. *other_form*: it went to the number in its other form. *template* is
    its name and language, where it was none of free text.
    """

    key: str
    root: str
    client_id: int | None
    to: str
    name: str
    action: str
    event_id: str | None
    parameters: dict[str, Any]
    rule: str = ""
    condition: str | None = None
    state: str = ""
    again: int = 0
    other_form: bool = False
    template: tuple[str, str] | None = None
    provider_id: str = ""


@dataclass(frozen=True)
class Person:
    """What is known of who has a telephone.

    *no_marketing*: he stopped it in WhatsApp itself. *opted_at* is when he last wrote
    that he wants alerts, or wants them no more (aware UTC), *opted_event* the message
    that changed which of the two it is, *stopped* whether he wants none.
    """

    no_marketing: bool = False
    opted_event: str = ""
    stopped: bool = False
    opted_at: datetime | None = None


@dataclass(frozen=True)
class Transfer:
    """A change of owner as our book has it; None in what a side did not say yet."""

    id: int
    key: str
    service_id: int
    service: str
    from_client_id: int
    to_client_id: int
    from_name: str
    to_name: str
    from_email: str
    to_email: str
    from_text: str | None
    to_text: str | None
    from_number: str | None
    to_number: str | None
    from_message: str | None
    to_message: str | None
    from_at: datetime | None
    to_at: datetime | None
    expires_at: datetime
    agreed_at: datetime | None
    acted_at: datetime | None
    approved_by: str | None
    state: str
    reason: str | None = None
    checks: list[dict[str, Any]] | None = None
    moved: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reserved:
    """Whether what cannot be taken back may go on, else until when it waits.

    Neither: *over* where it does not stand any more, else it is for staff.
    """

    granted: bool
    again_at: datetime | None = None
    reason: str = ""
    over: bool = False


class TransferBook(Protocol):
    """What actions read of changes of owner; each call sees what is on disk now."""

    def transfer(self, key: str) -> Transfer | None:
        """Return a change of owner by its key."""
        ...

    def open_transfer(self, service_id: int) -> Transfer | None:
        """Return the change of owner of a service that is not over."""
        ...

    def counted(self, event_id: str) -> bool:
        """Tell whether a message is a side's word in a change of owner already."""
        ...

    def knows_telephones(self) -> bool:
        """Tell whether the telephones of all clients were read once, at least."""
        ...

    def earlier_owners(self, service_id: int) -> tuple[int, ...]:
        """Return the clients a service passed from, the last one first."""
        ...

    def awaiting(self, emails: Sequence[str]) -> Transfer | None:
        """Return the request that waits for one with such an e-mail."""
        ...

    def begin_transfer(self, key: str, per_hour: int, per_day: int) -> Reserved:
        """Mark a move as begun, within the caps."""
        ...
