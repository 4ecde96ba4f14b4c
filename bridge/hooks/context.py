"""What an action is given: the event, its facts, the panel, our book, the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bridge.billing.model import Client, PaidCharge
from bridge.billing.money import Amount
from bridge.billing.transfers import Form
from bridge.errors import Later, Parked
from bridge.events import Event
from bridge.facts import Facts
from bridge.hooks.records import (
    Cancellation,
    Order,
    Person,
    Reserved,
    Sent,
    TransferBook,
    WishBook,
)
from bridge.panel import Begin, Panel, begin_nothing
from bridge.policies import Caps, Company, Policies
from bridge.views import language_of

#: How often what is held back is looked at; releasing it makes it due at once.
_HELD = timedelta(minutes=10)


def held_back(why: str, now: datetime) -> Later:
    """Return the error to raise for what staff hold back."""
    return Later(f"held back: {why}", now + _HELD)


class Book(TransferBook, WishBook, Protocol):
    """What actions read of our own store; each call sees what is on disk now."""

    def cancellation(self, key: str) -> Cancellation | None:
        """Return a cancellation by its key."""
        ...

    def live_cancellation(self, service_id: int) -> Cancellation | None:
        """Return the one that is scheduled, being carried out, or with staff."""
        ...

    def order(self, id: str) -> Order | None:
        """Return an ordered upgrade."""
        ...

    def pending_order(self, service_id: int) -> Order | None:
        """Return the upgrade of a service that is not over yet."""
        ...

    def paid_charges(self, service_id: int) -> tuple[PaidCharge, ...]:
        """Return the upgrade charges paid for a service."""
        ...

    def last_price(self, service_id: int) -> tuple[int, str] | None:
        """Return product and cycle that a price was last worked out for."""
        ...

    def same_change(
        self, event: Event, client_id: int, user_id: int | None
    ) -> tuple[str, datetime | None] | None:
        """Return the event that told of the same password change before this one.

        With it comes when to look again, where it is not known yet whether it tells.
        """
        ...

    def take_group(self, limit: int) -> list[dict[str, Any]]:
        """Take along the alerts that wait for the same rule and client."""
        ...

    def person(self, number: str, client_id: int | None = None) -> Person:
        """Return what is known of a telephone, and of the client who has it."""
        ...

    def may_answer(self, number: str, kind: str, key: str, most: int) -> bool:
        """Reserve an answer to a number: so many of a kind a day, each for one job."""
        ...

    def number_of_user(self, user: str) -> str:
        """Return the number that one with this identity shared lately, or ""."""
        ...

    def stopped_alerts(self, number: str, client_id: int) -> str:
        """Return by which word, and when, a client stopped alerts; empty if not."""
        ...

    def clients_with(self, number: str) -> list[int]:
        """Return the clients who had this telephone when we last looked."""
        ...

    def sent(self, key: str, provider_id: str) -> Sent | None:
        """Return a message that went out, by our key or the provider's id."""
        ...

    def waited_for_staff(self, key: str) -> bool:
        """Tell whether a job waited for a person before, who let it run again."""
        ...

    def wait_again(self, key: str, why: str) -> None:
        """Let the job of a message that was not sent after all wait once more."""
        ...

    def close_window(self, number: str, at: datetime) -> None:
        """Note that the provider says the 24 hours of a number were over then."""
        ...

    def refuse_template(self, name: str, language: str, status: str, why: str) -> None:
        """Note what a template is since the provider refused it."""
        ...

    def held(self) -> str | None:
        """Return why staff hold back what cannot be taken back, None if they do not."""
        ...

    def room(self, client_id: int, caps: Caps) -> Reserved:
        """Tell whether the caps allow one more termination."""
        ...

    def reserve(self, key: str, caps: Caps) -> Reserved:
        """Mark a termination as being carried out, within the caps."""
        ...

    def begin_order(self, id: str, values: dict[str, Any], caps: Caps) -> Reserved:
        """Keep a new order of a plan change, whole, within the caps."""
        ...


class Post(Protocol):
    """How an action writes to a person."""

    def render(self, name: str, language: str, variables: Mapping[str, Any]) -> Any:
        """Return the finished text. Raises TextError."""
        ...

    def render_source(
        self, source: str, language: str, variables: Mapping[str, Any]
    ) -> str:
        """Return a text that stands in the map itself, finished."""
        ...

    def uses(self, name: str) -> set[str]:
        """Return the variables that a text names."""
        ...

    def category(self, name: str) -> str:
        """Return the category of a text, empty where there is none of that name."""
        ...

    def uses_source(self, source: str) -> set[str]:
        """Return the variables that a text of the map names."""
        ...

    def day(self, day: date, language: str) -> str:
        """Return a day as people write it."""
        ...

    def money(self, amount: Amount, language: str) -> str:
        """Return an amount as people write it."""
        ...

    def forms(self, name: str) -> dict[str, Form]:
        """Return a text in each language as a form that answers are read by."""
        ...

    def kept(self, text: Any) -> dict[str, Any]:
        """Return a finished text as a job's parameters can hold it."""
        ...

    def finished(self, kept: Mapping[str, Any]) -> Any:
        """Return the finished text out of what `kept` made of it."""
        ...

    def number_of(self, user: str) -> str | None:
        """Return the number behind an identity that hides it, if the provider tells."""
        ...

    @property
    def asks(self) -> bool:
        """Whether somebody without a number can be asked to share it."""
        ...

    def ask_number(self, user: str, text: Any, *, key: str) -> str:
        """Ask the one with this identity for his number. Raises SendError."""
        ...

    def halt(self, why: str, key: str, sent_at: datetime | None) -> None:
        """Send nothing for now: what was taken then failed, as anything would."""
        ...

    def send(self, to: str, text: Any, *, key: str, client_id: int | None) -> str:
        """Send it and return the state the provider confirmed. Raises SendError."""
        ...


@dataclass
class Effects:
    """What is kept in the same transaction as the outcome."""

    rows: list[tuple[str, str | int, dict[str, Any], str | None]] = field(
        default_factory=list
    )
    later: list[dict[str, Any]] = field(default_factory=list)
    moves: list[tuple[str, datetime]] = field(default_factory=list)
    revives: list[tuple[str, datetime]] = field(default_factory=list)
    withdraws: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Context:
    """Everything an action may use. It raises Later, Skipped or Parked to say so."""

    key: str
    event: Event | None
    facts: Facts
    panel: Panel
    book: Book
    post: Post
    policies: Policies
    company: Company
    now: datetime
    zone: ZoneInfo
    language: str = "es"
    country: str = "AR"
    date_format: str = "DD/MM/YYYY"
    dry_run: bool = False
    urgent: bool = False
    attempts: int = 1
    created_at: datetime | None = None
    rule: str = ""
    effects: Effects = field(default_factory=Effects)
    seen: dict[str, Any] = field(default_factory=dict)
    client_id: int | None = None
    group_key: str | None = None
    preview: bool = False
    begin: Begin = begin_nothing

    @property
    def today(self) -> date:
        """The panel's calendar day."""
        return self.now.astimezone(self.zone).date()

    def language_of(self, client: Client) -> str:
        """Return a client's language, else the bridge's own."""
        return language_of(client, self.language)

    def keep(
        self, table: str, key: str | int, *, was: str | None = None, **values: Any
    ) -> None:
        """Write a row of ours by its key, together with the outcome.

        *was* is the state it was read in, empty where there was none: if that is
        no longer so, nothing is kept and the job runs again.
        """
        self.effects.rows.append((table, key, values, was))

    def later(
        self,
        action: str,
        *,
        key: str,
        at: datetime | None = None,
        urgent: bool = False,
        event_id: str | None = None,
        rule: str = "",
        condition: str | None = None,
        **parameters: Any,
    ) -> None:
        """Put another action in the outbox, together with the outcome.

        It is of this job's event and rule, or of those that are given; *condition*
        is looked at when it runs.
        """
        self.effects.later.append(
            {
                "action": action,
                "key": key,
                "run_at": at or self.now,
                "urgent": urgent,
                "event_id": event_id,
                "rule": rule,
                "condition": condition,
                "parameters": parameters,
            }
        )

    def move(self, key: str, at: datetime) -> None:
        """Give a waiting job another time, together with the outcome."""
        self.effects.moves.append((key, at))

    def revive(self, key: str, at: datetime) -> None:
        """Let a job that is over wait again until *at*, together with the outcome."""
        self.effects.revives.append((key, at))

    def withdraw(self, keys: Sequence[str], reason: str) -> None:
        """Take waiting jobs back, together with the outcome."""
        self.effects.withdraws.extend((key, reason) for key in keys)

    def may_answer(self, number: str, kind: str, most: int = 1) -> bool:
        """Tell whether this job may answer a number: so often a day of each kind."""
        rehearsed = self.dry_run or self.preview
        return rehearsed or self.book.may_answer(number, kind, self.key, most)

    def not_now(self, reason: str, at: datetime) -> Later:
        """Return the error to raise when it must wait until *at*."""
        return Later(reason, at)

    def not_held(self) -> None:
        """Raise Later while staff hold back what cannot be taken back."""
        why = self.book.held()
        if why is not None:
            raise held_back(why, self.now)

    def staff(self, reason: str) -> Parked:
        """Return the error to raise when a person must decide."""
        return Parked(reason)
