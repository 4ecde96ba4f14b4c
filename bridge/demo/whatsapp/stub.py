"""What all four simulated providers have: faults, what was sent, webhooks to come."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Ask:
    """One request; names of *headers* are in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def one(self, name: str) -> str:
        """Return one value of the query."""
        return parse_qs(self.query).get(name, [""])[0]

    def json(self) -> Any:
        """Return the body as JSON, or None."""
        if self.headers.get("content-type", "").split(";")[0] != "application/json":
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reply:
    """An answer; *how* is plain, lost (none comes) or cut (half of it)."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    how: str = "plain"

    @classmethod
    def of(cls, status: int, value: Any, **headers: str) -> Reply:
        """Return a JSON answer."""
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), JSON | more)


@dataclass(frozen=True)
class Taken:
    """A message that was accepted."""

    id: str
    to: str
    text: str = ""
    tag: str = ""
    template: str = ""
    language: str = ""
    values: tuple[str, ...] = ()
    button: str = ""


@dataclass(frozen=True)
class Hook:
    """A webhook on its way: *query* is added to the address."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: str = ""
    url: str = ""


class Malformed(Exception):
    """The request is not as the vendor describes it."""

    def __init__(self, reply: Reply, why: str) -> None:
        super().__init__(why)
        self.reply = reply


class Stub:
    """A provider: subclasses judge requests and make webhooks.

    *taken* are accepted messages, *refused* a sentence for every request that no
    client should make, *pending* webhooks that wait to be posted.
    """

    #: Name of a failure -> the vendor's answer to a send.
    failures: Mapping[str, Reply] = {}

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.now = now or (lambda: datetime.now(UTC))
        self.taken: list[Taken] = []
        self.refused: list[str] = []
        self.pending: list[Hook] = []
        self.asks = 0
        self.states: tuple[str, ...] = ("sent", "delivered")
        #: Number -> the code with which the next message to it fails later.
        self.failing: dict[str, int] = {}
        #: The number that answers and states name in place of the right one.
        self.elsewhere = ""
        self._plays: list[str] = []
        self._lock = threading.RLock()
        self._count = 0

    def play(self, failure: str, times: int = 1) -> None:
        """Answer the next sends so: a name in `failures`, or lost, cut, not_json.

        With lost and cut the message was accepted all the same.
        """
        known = {*self.failures, "lost", "cut", "not_json"}
        if failure not in known:
            raise KeyError(f"{failure}: one of {', '.join(sorted(known))}")
        self._plays += [failure] * times

    def handle(self, ask: Ask) -> Reply:
        """Answer a request."""
        with self._lock:
            self.asks += 1
            try:
                if ask.query and ask.method == "POST":
                    reply = Reply.of(400, {"message": "unknown parameter"})
                    raise Malformed(reply, f"a query nobody knows: {ask.query}")
                return self.answer(ask)
            except Malformed as wrong:
                self.refused.append(str(wrong))
                return wrong.reply

    def answer(self, ask: Ask) -> Reply:
        """Judge a request; raises Malformed."""
        raise NotImplementedError

    def accept(
        self, make: Callable[[str], Taken], shape: Callable[[Taken], Reply]
    ) -> Reply:
        """Take a message, or play the failure that is due."""
        due = self._plays.pop(0) if self._plays else ""
        if due in self.failures:
            return self.failures[due]
        self._count += 1
        one = make(f"{self._count:08X}")
        self.taken.append(one)
        if code := self.failing.pop(one.to, 0):
            self.tell(one, "failed", code)
        else:
            for state in self.states:
                self.tell(one, state)
        reply = shape(one)
        if due == "not_json":
            page = b"<html><body>OK</body></html>"
            return Reply(reply.status, page, {"Content-Type": "text/html"})
        return replace(reply, how=due) if due else reply

    def tell(self, one: Taken, state: str, code: int = 0) -> None:
        """Queue the webhook of a message's state."""
        raise NotImplementedError

    def write(self, sender: str, text: str, **more: Any) -> str:
        """A person writes. Return the id."""
        raise NotImplementedError

    def named(self, number: str) -> str:
        """Return the number that is said to have been written to."""
        return self.elsewhere or number

    def take(self, *, times: int = 1, backwards: bool = False) -> list[Hook]:
        """Take the waiting webhooks: each so often, in their order or not."""
        with self._lock:
            found, self.pending = self.pending, []
        found = found[::-1] if backwards else found
        return [hook for hook in found for _ in range(times)]

    def deliver(
        self, post: Callable[[Hook], int], hooks: list[Hook] | None = None
    ) -> int:
        """Post waiting webhooks; return how many were taken, the others wait again."""
        good = 0
        for hook in self.take() if hooks is None else hooks:
            if 200 <= post(hook) < 300:
                good += 1
            else:
                with self._lock:
                    self.pending.append(hook)
        return good
