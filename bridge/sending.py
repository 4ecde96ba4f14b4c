"""Sending: one message at the rate and in the form that the provider wants.

Before a message goes out it is looked for: where our tag came back, it went out
before and is not sent again. Nothing here waits longer than a moment; what must
wait longer goes back to the outbox with its time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog

from bridge.breaker import Breaker
from bridge.errors import (
    ErrorClass,
    Later,
    Parked,
    Reason,
    RemoteError,
    SendError,
)
from bridge.forming import Forms, form_of, put_line
from bridge.hooks.records import AGAIN
from bridge.metrics import Metrics
from bridge.store import Store, talk
from bridge.whatsapp import Message, Provider, Receipt, State

log = structlog.get_logger("worker")

#: How long the provider's word on an unsure message is waited for.
UNSURE_WAIT = timedelta(minutes=10)
#: A message that may have left goes once more at most, where nothing settles it.
_MAYBE_SENT = 2
_ARRIVED = ("delivered", "read")
#: One message to a person in so much time: Meta's pair limit of its Cloud API
#: (https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput).
PAIR = timedelta(seconds=6)
_PEOPLE = 20_000
_SOON = 1.0


@dataclass(frozen=True)
class Before:
    """What earlier attempts may have sent.

    *count* of them may have; *died*: a process ended in the last one. *note* keeps
    on disk that one more may leave now.
    """

    count: int = 0
    died: bool = False
    note: Callable[[], None] = lambda: None


@dataclass
class Sending:
    """The way to the provider. *slow_down* blocks for a moment, at its rate."""

    store: Store
    give: Callable[[], Provider]
    now: Callable[[], datetime]
    metrics: Metrics
    language: str = "es"
    slow_down: Callable[[], None] = lambda: None
    circuit: Breaker = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _written: OrderedDict[str, datetime] = field(default_factory=OrderedDict)
    _kept: OrderedDict[str, datetime] = field(default_factory=OrderedDict)
    _turn: datetime | None = None

    def __post_init__(self) -> None:
        self.circuit = Breaker(self.provider.name, self.now)

    @property
    def provider(self) -> Provider:
        """The provider that messages are handed to."""
        return self.give()

    def send(self, message: Message, before: Before | None = None) -> Receipt:
        """Hand one message to the provider and return what it said.

        Raises SendError by the provider's answer, Later where it is not its turn,
        Parked where it may have been sent twice already.
        """
        before = before or Before()
        if self.provider.tags:
            settled = self._settled(message)
            if settled is not None:
                return settled
        self._may_repeat(before)
        forms = Forms(self.store, self.provider, self.now, self.language)
        message = forms.first(message)
        self._enter()
        self._wait_for_turn(message)
        self.slow_down()
        if before.count:
            before.note()
        try:
            message, receipt = self._sent(message, forms)
        except SendError as error:
            self._note(error)
            if error.kind is ErrorClass.RETRY and self.circuit.open:
                # It was the probe of an outage: that is not one of its own tries.
                held = f"held back: {error.detail}"
                raise SendError(
                    error.provider, ErrorClass.HALT, held, code=error.code
                ) from error
            raise
        if "reached" in receipt.detail:
            log.error("wrong recipient", provider=self.provider.name, job=message.tag)
        self.circuit.succeeded()
        state = receipt.states[-1].value if receipt.states else "accepted"
        self.metrics.messages.labels(self.provider.name, state).inc()
        how = {"form": form_of(message), "language": message.language}
        return replace(receipt, detail=receipt.detail | how | {"text": message.whole})

    def _settled(self, message: Message) -> Receipt | None:
        """Return what came back with our tag: it went out, whatever we heard.

        It went to whom it was written to then: he may have another number now.
        """
        with self.store.read() as db:
            found = talk.proof(db, message.tag)
            if found is None:
                # It is sent anew, but what failed may have arrived after all.
                before = (talk.proof(db, tag) for tag in earlier(message.tag))
                arrived = (one for one in before if one and one.state in _ARRIVED)
                found = next(arrived, None)
            if found is None:
                return None
            kept = talk.message(db, key=found.tag, provider_id=found.provider_id)
        went = {"to": found.to} if found.to else {}
        if kept is not None:
            names = ("to", "text", "language", "form")
            went = {name: getattr(kept, name) or "" for name in names}
        return Receipt(found.provider_id, (State(found.state),), went)

    def _may_repeat(self, before: Before) -> None:
        """Raise Parked or Later where what may have been sent must not go again."""
        if before.count >= _MAYBE_SENT:
            times = f"{before.count} times"
            what = f"it may have been sent {times}: nobody knows whether it arrived"
            raise Parked(what)
        if before.died and self.provider.tags:
            raise Later(
                "its process ended while it was being sent: the provider's word on it "
                "is waited for",
                self.now() + UNSURE_WAIT,
            )

    def _sent(self, message: Message, forms: Forms) -> tuple[Message, Receipt]:
        """Send it, or what may go in its place, each once; return what went."""
        while True:
            try:
                return message, self.provider.send(message)
            except SendError as error:
                message = forms.instead(message, error)

    def _enter(self) -> None:
        try:
            self.circuit.enter()
        except RemoteError as error:
            raise SendError(
                self.provider.name, ErrorClass.HALT, f"held back: {error.detail}"
            ) from error

    def _wait_for_turn(self, message: Message) -> None:
        """Raise Later before this person's, or the slow number's, next turn."""
        now = self.now()
        with self._lock:
            if self.provider.windowed:
                self._person(message, now)
            if self.provider.per_second < _SOON:
                self._number(message, now)

    def _person(self, message: Message, now: datetime) -> None:
        if self._comes(f"person/{message.tag}", now):
            return
        last = self._written.get(message.to)
        if last is not None and now < last + PAIR:
            # The next one to him takes the turn after that.
            self._written[message.to] = last + PAIR
            why = "one message to a person every 6 s"
            raise self._later(f"person/{message.tag}", why, last + PAIR)
        self._written[message.to] = now
        self._written.move_to_end(message.to)
        while len(self._written) > _PEOPLE:
            self._written.popitem(last=False)

    def _number(self, message: Message, now: datetime) -> None:
        """A phone that sends one message in half a minute blocks no thread for it."""
        if self._comes(f"number/{message.tag}", now):
            return
        apart = timedelta(seconds=1 / self.provider.per_second)
        turn = self._turn or now
        self._turn = max(turn, now) + apart
        if turn > now:
            why = f"this number sends one message in {apart.seconds} s"
            raise self._later(f"number/{message.tag}", why, turn)

    def _comes(self, name: str, now: datetime) -> bool:
        """Tell whether a message comes back at the turn that was kept for it."""
        turn = self._kept.get(name)
        if turn is None:
            return False
        if turn > now:
            raise Later("its turn is not yet", turn)
        del self._kept[name]
        return True

    def _later(self, name: str, why: str, turn: datetime) -> Later:
        self._kept[name] = turn
        while len(self._kept) > _PEOPLE:
            self._kept.popitem(last=False)
        return Later(why, turn)

    def _note(self, error: SendError) -> None:
        self.metrics.messages.labels(self.provider.name, error.kind.value).inc()
        if error.kind in (ErrorClass.RETRY, ErrorClass.UNSURE):
            # Five in a row are the provider's trouble, and cost no message its tries.
            away = RemoteError(error.provider, Reason.UNREACHABLE, error.detail)
            self.circuit.failed(away)
            return
        if error.kind is not ErrorClass.HALT:
            self.circuit.succeeded()
            return
        first = not self.circuit.open
        locked = RemoteError(error.provider, Reason.DENIED_CREDENTIALS, error.detail)
        self.circuit.failed(locked)
        if first:
            log.error("provider halted", provider=error.provider, why=error.detail)
            self.store.write(partial(_tell_staff, provider=error.provider,
                                     why=error.detail, now=self.now()))  # fmt: skip


def earlier(tag: str) -> list[str]:
    """Return the tags under which a message that is sent anew went out before."""
    root, mark, number = tag.partition(AGAIN)
    if not mark or not number.isdigit():
        return []
    return [root, *(f"{root}{AGAIN}{n}" for n in range(1, int(number)))]


def _tell_staff(db: sa.Connection, *, provider: str, why: str, now: datetime) -> None:
    """Have staff told that nothing is sent, once a day."""
    text = (
        f"[bridge] WhatsApp ({provider}) takes no messages: {why}. They wait, and go "
        "out when it is mended."
    )
    key = f"halt:{provider}/{now:%Y-%m-%d}"
    put_line(db, key=key, text=text, now=now)
