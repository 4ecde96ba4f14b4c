"""Sending: one message at the rate and in the form that the provider wants.

Before a message goes out it is looked for: where our tag came back, it went out
before and is not sent again. Nothing here waits longer than a moment; what must
wait longer goes back to the outbox with its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from bridge.breaker import Breaker, CircuitOpen
from bridge.errors import (
    ErrorClass,
    Instead,
    Later,
    Parked,
    Reason,
    RemoteError,
    SendError,
    Skipped,
    StoreUnavailable,
)
from bridge.forming import Forms, form_of, put_line, to_other_form, within
from bridge.hooks.records import ARRIVED, HELD_BACK, earlier
from bridge.metrics import Metrics
from bridge.store import Store, outbox, talk, told
from bridge.store.progress import id_of
from bridge.tier import Tier
from bridge.turns import Turns
from bridge.whatsapp import Message, Provider, Receipt, State

log = structlog.get_logger("worker")

#: How long the provider's word on an unsure message is waited for.
UNSURE_WAIT = timedelta(minutes=10)
#: A message that may have left goes once more at most, where nothing settles it.
_MAYBE_SENT = 2
_ARRIVED = ("delivered", "read")


@dataclass(frozen=True)
class Before:
    """What earlier attempts at the same message may have sent.

    *count* is how many of them may have delivered it. *died*: the process ended during
    the last one. *note* is called before it leaves once more and keeps that on disk.
    *none*: there was no attempt, and nobody waits for an answer: nothing is looked for.
    """

    count: int = 0
    died: bool = False
    note: Callable[[], None] = lambda: None
    none: bool = False


@dataclass
class Sending:
    """Hands messages to the provider, each in its form and at its turn.

    *give* returns the provider; *slow_down* blocks until its rate allows one more.
    *several*: other processes may send too; None: where the store lets them. *circuit*
    holds all back after an outage, *turns* one person or a slow number, *tier* who is
    one too many that day; *forms* finds text or template.
    """

    store: Store
    give: Callable[[], Provider]
    now: Callable[[], datetime]
    metrics: Metrics
    language: str = "es"
    slow_down: Callable[[], None] = lambda: None
    several: bool | None = None
    circuit: Breaker = field(init=False)
    turns: Turns = field(init=False)
    tier: Tier = field(init=False)
    forms: Forms = field(init=False)
    _probe: str = ""
    #: A state told of the halt: the message that went since, whose states tell more.
    _doubted: str | None = None
    _doubted_at: datetime = field(init=False, repr=False)
    _well_at: datetime | None = None

    def __post_init__(self) -> None:
        self.circuit = Breaker(self.provider.name, self.now)
        if self.several is None:
            self.several = not self.store.sqlite
        self.turns = Turns(self.store, self.give, self.now, several=self.several)
        self.tier = Tier(self.store, self.give, self.now, several=self.several)
        self.forms = Forms(self.store, self.give, self.now, self.language)

    @property
    def provider(self) -> Provider:
        """The provider that messages are handed to."""
        return self.give()

    def held(self, key: str) -> Later | None:
        """Return why no message may go out now, and until when, if that is so.

        It is asked before anything is read for a message (of the job *key*). After
        an outage or halt the provider is asked whether it is well, and one message
        goes first. Raises StoreUnavailable.
        """
        if (not_yet := self.turns.not_yet()) is not None:
            return not_yet
        try:
            first = self.circuit.enter()
        except CircuitOpen as error:
            return Later(f"{HELD_BACK}{error.detail}", error.until)
        if not first:
            return None
        if (awaited := self._awaited()) is not False:
            return None if awaited else self._again()
        found = self.provider.health()[:1]
        if found and found[0].level == "error":
            why = RemoteError(
                self.provider.name, Reason.DENIED_CREDENTIALS, found[0].what
            )
            self.circuit.failed(why)
            return self._again()
        self._probe = key
        return None

    def _again(self) -> Later:
        again = self.circuit.refusal()
        return Later(f"{HELD_BACK}{again.detail}", again.until)

    def left(self, key: str, *, over: bool) -> None:
        """Hear that a job ended; *over*: it does not wait. Another may go first then.

        Only what was to go first, and was not sent, matters here.
        """
        if self._probe == key:
            self._probe = ""
            if over:
                self.circuit.release()

    def send(
        self, message: Message, before: Before | None = None, *, urgent: bool = False
    ) -> Receipt:
        """Hand one message to the provider and return what it said.

        *urgent*: it may be among the last that the day allows. Raises SendError by the
        provider's answer, Later where it is not its turn, Parked where it may have
        been sent twice already.
        """
        before = before or Before()
        if self.provider.tags and not before.none:
            settled = self._settled(message)
            if settled is not None:
                return settled
        self._may_repeat(before)
        message = self.forms.first(message, exactly=not before.none)
        message = within(message, self.provider.longest)
        if message.template is not None:
            self._count(message, urgent)
        self._enter(message)
        self.turns.to(message.to)
        self.turns.take()
        self.slow_down()
        self.turns.leaves(message.to)
        if before.count:
            before.note()
        try:
            message, receipt = self._sent(message, urgent)
        except SendError as error:
            self._note(error)
            if error.kind is ErrorClass.PAIR:
                error.retry_after = self.turns.refused(message.to)
            if error.kind is ErrorClass.RETRY and self.circuit.open:
                # It was the probe of an outage: that is not one of its own tries.
                held = f"{HELD_BACK}{error.detail}"
                raise SendError(
                    error.provider, ErrorClass.HALT, held, code=error.code
                ) from error
            raise
        self._was_taken(message, receipt)
        how = {"form": form_of(message), "language": message.language}
        return replace(receipt, detail=receipt.detail | how | {"text": message.whole})

    def _was_taken(self, message: Message, receipt: Receipt) -> None:
        """Note that the provider takes messages, and takes one to this person."""
        if "reached" in receipt.detail:
            log.error("wrong recipient", provider=self.provider.name, job=message.tag)
        if self._doubted is None:
            self._well()
        else:
            self._doubted, self._doubted_at = message.tag, self.now()
        self.turns.taken(message.to)
        state = receipt.states[-1].value if receipt.states else "accepted"
        self.metrics.messages.labels(self.provider.name, state).inc()

    def _settled(self, message: Message) -> Receipt | None:
        """Return what came back with our tag: it went out, whatever we heard.

        It went to whom it was written to then: he may have another number now.
        Raises Skipped where it is to be sent anew, and what failed arrived after all.
        """
        with self.store.read() as db:
            found = talk.proof(db, message.tag)
            if found is None:
                before = (talk.proof(db, tag) for tag in earlier(message.tag))
                if any(one and one.state in _ARRIVED for one in before):
                    raise Skipped(f"{ARRIVED}: nothing is sent anew")
                return None
            kept = talk.message(db, key=found.tag, provider_id=found.provider_id)
        went = {"to": found.to} if found.to and not message.asks else {}
        if kept is not None:
            names = ("to", "text", "language", "form")
            went = {name: getattr(kept, name) or "" for name in names}
        return Receipt(id_of(found.provider_id), (State(found.state),), went)

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

    def _count(self, message: Message, urgent: bool) -> None:
        """Raise Later where the day's people are used up; staff are told once a day."""
        try:
            self.tier.admit(message.to, message.tag, urgent=urgent)
        except Later as later:
            name, now = self.provider.name, self.now()
            text = (
                f"[bridge] WhatsApp ({name}): {later}. Further messages outside the 24 "
                "hours wait; a few are kept for urgent ones."
            )
            key = f"tier:{name}/{now:%Y-%m-%d}"
            self.store.write(partial(put_line, key=key, text=text, now=now))
            raise

    def _sent(self, message: Message, urgent: bool) -> tuple[Message, Receipt]:
        """Send it, or what may go in its place, each once; return what went.

        Each of them takes a turn at the provider's rate; *message* has its own.
        """
        by_usual_form: SendError | None = None
        while True:
            try:
                return message, self.provider.send(message)
            except SendError as error:
                if (other := to_other_form(message, error)) is not None:
                    by_usual_form, message = error, other
                elif by_usual_form is not None and error.instead is Instead.NUMBER:
                    raise by_usual_form from None  # in neither form it is there
                else:
                    message = self._instead(message, error, urgent)
            self.slow_down()

    def _instead(self, message: Message, error: SendError, urgent: bool) -> Message:
        """Return what may go in place of a refused message, or raise its error."""
        was_free = message.free
        message = self.forms.instead(message, error)
        if was_free and message.template is not None:
            self._count(message, urgent)
        return message

    def _enter(self, message: Message) -> None:
        if self._probe == message.tag:
            self._probe = ""
            return
        try:
            self.circuit.enter()
        except RemoteError as error:
            held = f"{HELD_BACK}{error.detail}"
            raise SendError(self.provider.name, ErrorClass.HALT, held) from error

    def told_halted(self, why: str, tag: str, sent_at: datetime | None) -> None:
        """Hear that a message failed after it was taken, as any other would.

        Nothing goes out until one went first, and its states say that it was sent. What
        was taken before the provider was last well again says nothing of now.
        """
        if sent_at is not None and sent_at < (self._well_at or sent_at):
            return
        if self.circuit.open and tag != self._doubted:
            return
        self._halt(SendError(self.provider.name, ErrorClass.HALT, why))
        self._doubted = ""

    def _awaited(self) -> bool | None:
        """Return whether the one that went first after such a halt was passed on.

        None while its states are waited for; none at all for long are as good.
        """
        if not self._doubted:
            return False
        with self.store.read() as db:
            went = told.passed_on(db, self._doubted)
        if went is None and self.now() - self._doubted_at < UNSURE_WAIT:
            return None
        if went is False:
            return False
        self._doubted = None
        self._well()
        return True

    def _well(self) -> None:
        """Note that the provider took or judged a message: what was held back goes."""
        if self._doubted is not None:  # it takes them all, and sends none
            return
        was_open = self.circuit.open
        self.circuit.succeeded()
        if not was_open:
            return
        now = self._well_at = self.now()
        try:
            self.store.write(lambda db: outbox.wake(db, HELD_BACK, now))
        except StoreUnavailable as error:
            log.warning("not woken: it goes at its time", reason=str(error))

    def _note(self, error: SendError) -> None:
        self.metrics.messages.labels(self.provider.name, error.kind.value).inc()
        if error.kind in (ErrorClass.RETRY, ErrorClass.UNSURE):
            # Five in a row are the provider's trouble, and cost no message its tries.
            away = RemoteError(error.provider, Reason.UNREACHABLE, error.detail)
            self.circuit.failed(away)
            return
        if error.kind is not ErrorClass.HALT:
            self._well()
            return
        self._halt(error)

    def _halt(self, error: SendError) -> None:
        """Let everything wait; staff are told when it begins."""
        first = not self.circuit.open
        locked = RemoteError(error.provider, Reason.DENIED_CREDENTIALS, error.detail)
        self.circuit.failed(locked)
        if first:
            log.error("provider halted", provider=error.provider, why=error.detail)
            now = self.now()
            text = (
                f"[bridge] WhatsApp ({error.provider}) takes no messages: "
                f"{error.detail}. They wait, and go out when it is mended."
            )
            key = f"halt:{error.provider}/{now:%Y-%m-%d}"
            self.store.write(partial(put_line, key=key, text=text, now=now))
