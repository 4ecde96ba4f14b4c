"""Rows of our own store as actions see them: messages, people, changes of owner."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from bridge.errors import Instead, Wish
from bridge.policies import Caps

#: What a template is from the answer on that refused it, until the provider tells.
STATUS_OF = {Instead.LANGUAGE: "REFUSED", Instead.APPROVAL: "PAUSED"}
#: What the key of a message that is sent anew adds to that of the first, and what the
#: key of its second way adds.
AGAIN, FALLBACK = "/again:", "/fallback"
#: How the reason begins of what was to be sent anew when the first had arrived.
ARRIVED = "it arrived after all"
#: How the reason begins of what waits because the provider takes no messages.
HELD_BACK = "held back: "


def root_of(key: str) -> str:
    """Return the key of the job that sent a message first."""
    return key.removesuffix(FALLBACK).partition(AGAIN)[0]


def unwanted(wish: Wish | None, category: str, urgent: bool) -> bool:
    """Tell whether a message is one that its recipient does not want in any way.

    An urgent alert goes to whoever stopped the others; who stopped marketing has a
    right to all that is none.
    """
    if wish is Wish.MARKETING:
        return category == "marketing"
    return wish is Wish.ALL and not urgent


def earlier(key: str) -> list[str]:
    """Return the keys under which a message that is sent anew went out before."""
    root, mark, number = key.partition(AGAIN)
    if not mark or not number.isdigit():
        return []
    return [root, *(f"{root}{AGAIN}{n}" for n in range(1, int(number)))]


def user_mark(user: str) -> str:
    """Return the name of the mark that keeps the number behind an identity."""
    return f"user:{user}"


def step_key(id: str, step: str) -> str:
    """Return the key of the one job of an order that does a step of it.

    Steps are `invoice`, `publish`, `apply` and `package`.
    """
    return f"upgrade:{id}/{step}"


@dataclass(frozen=True)
class Cancellation:
    """A cancellation as our book has it. *at* is when it is carried out."""

    id: int
    key: str
    service_id: int
    client_id: int
    request_id: int | None
    domain: str
    product: str
    kind: str
    requested_on: date
    ends: date | None
    at: datetime | None
    because: str
    state: str
    acted_at: datetime | None
    next_due: date | None
    way: str = ""
    reason: str | None = None
    event_id: str | None = None
    owed: list[dict[str, Any]] | None = None
    missing_at: datetime | None = None
    approved_by: str | None = None


@dataclass(frozen=True)
class Order:
    """An ordered upgrade as our book has it."""

    id: str
    service_id: int
    client_id: int
    from_product_id: int
    to_product_id: int
    from_product: str
    to_product: str
    cycle: str
    charge: Decimal
    currency: str
    recurring: Decimal
    new_period: bool
    next_due: date | None
    invoice_id: int | None
    state: str
    created_at: datetime
    reason: str | None = None
    native: bool = False
    paid_on: date | None = None


@dataclass(frozen=True)
class Sent:
    """A message that went out, and the job that it was.

    *root* is the key of the job that sent it first, *again* how often it was sent
    anew since. *other_form*: it went to the number in its other form. *template* is
    its name and language, where it was none of free text. *at* is when it was taken.
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
    at: datetime | None = None

    @property
    def numbered(self) -> bool:
        """Whether it was written to a number, not to an identity that hides one."""
        return self.to.startswith("+")


@dataclass(frozen=True)
class Person:
    """What is known of who has a telephone.

    *wrote_at* is when he last wrote (aware UTC), None where the window is known to be
    closed.
    *no_marketing*: he stopped it in WhatsApp itself. *opted_at* is when he last wrote
    that he wants alerts, or wants them no more (aware UTC), *opted_event* the message
    that changed which of the two it is, *stopped* whether he wants none.
    """

    no_marketing: bool = False
    opted_event: str = ""
    stopped: bool = False
    opted_at: datetime | None = None
    wrote_at: datetime | None = None


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

    Neither: *over* where it does not stand any more, else it is for staff, and *cap*
    says over which: the "day"'s or the "client"'s.
    """

    granted: bool
    again_at: datetime | None = None
    reason: str = ""
    cap: str = ""
    over: bool = False

    def once(self, what: str, client_id: int, today: date) -> str:
        """Return under which word staff are told of it: once a day, or for a client."""
        whose = f":{client_id}" if self.cap == "client" else ""
        return f"caps:{what}:{today}{whose}"


class WishBook(Protocol):
    """What actions note of people's wishes; it is on disk when a call returns."""

    def obey(
        self,
        number: str,
        clients: Collection[int],
        word: str,
        at: datetime,
        event: str,
        *,
        stops: bool,
    ) -> None:
        """Note that a number and its clients want no alerts, or want them again.

        A later word that is known already stays.
        """
        ...

    def refused(self, number: str, wish: Wish, told: str, at: datetime) -> None:
        """Note what a number does not want; *told*: the provider's name and code."""
        ...

    def stopped_by(self, event: str) -> list[int]:
        """Return the clients whom the word of *event* stopped when it came in."""
        ...

    def left(self, client_id: int, since: datetime) -> list[str]:
        """Return the telephones that a client gave up since, as the panel had them."""
        ...

    def take_back(self, event: str, clients: Collection[int]) -> None:
        """Let alerts go on to these clients, whom the word of *event* stopped."""
        ...


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

    def begin_transfer(self, key: str, caps: Caps) -> Reserved:
        """Mark a move as begun, within the caps."""
        ...
