"""The line to one provider: what trouble on it means for a message.

Before anything was written a message may go again; after that it may have been
sent, and only the provider's states can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.errors import (
    ErrorClass,
    Instead,
    Reason,
    RemoteError,
    SendError,
    Wish,
)
from bridge.scrubbing import Scrubber
from bridge.transport import Answer, Call
from bridge.whatsapp import Message
from bridge.whatsapp.phones import normalise
from bridge.whatsapp.reading import TEXT_LIMIT, pick

#: For a whole exchange, in seconds: sending one message, and asking something.
SEND_SECONDS, ASK_SECONDS = 30.0, 15.0

_LONG_WORD = re.compile(r"\S{48,}")
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{5,}[0-9]")


class Sends(Protocol):
    """What is needed of `bridge.transport.Transport`."""

    def send(
        self,
        call: Call,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
        service: str = "",
    ) -> Answer:
        """Send a call and return its answer; raises `RemoteError`."""
        ...


@dataclass(frozen=True)
class Rule:
    """What an error code means; *wait* is in seconds, where the vendor says it.

    *instead* is what may be tried once in its place, *wish* what the recipient wants.
    """

    kind: ErrorClass
    what: str
    wait: float | None = None
    instead: Instead | None = None
    wish: Wish | None = None


Row = (
    tuple[Iterable[int], ErrorClass, str] | tuple[Iterable[int], ErrorClass, str, float]
)


def table(rows: Iterable[Row]) -> dict[int, Rule]:
    """Return the rule of each code of *rows*: codes, class, sentence, wait."""
    found: dict[int, Rule] = {}
    for codes, kind, what, *wait in rows:
        for code in codes:
            if code in found:
                raise ValueError(f"code {code} stands in two rows")
            found[code] = Rule(kind, what, wait[0] if wait else None)
    return found


def by_status(status: int) -> ErrorClass:
    """Return the class of an answer whose body tells nothing."""
    if status >= 500:
        return ErrorClass.UNSURE
    if status in (408, 425, 429):
        return ErrorClass.RETRY
    if status == 401 or 300 <= status < 400:  # a redirect: the address is wrong
        return ErrorClass.HALT
    return ErrorClass.FIX


_REASONS = {
    ErrorClass.HALT: Reason.DENIED_CREDENTIALS,
    ErrorClass.RETRY: Reason.RATE_LIMITED,
    ErrorClass.UNSURE: Reason.UNREACHABLE,
}


class Line:
    """Sends the calls of one provider; *secrets* are kept out of every sentence."""

    def __init__(
        self,
        name: str,
        transport: Sends,
        now: Callable[[], datetime],
        secrets: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.now = now
        self._transport = transport
        self._without_secrets = Scrubber(secrets)

    def post(self, call: Call) -> Answer:
        """Send a message's call. Raises `SendError` where no answer came."""
        try:
            return self._transport.send(call, deadline=SEND_SECONDS, service=self.name)
        except RemoteError as error:
            kind = ErrorClass.UNSURE if error.sent else ErrorClass.RETRY
            if error.reason is Reason.REFUSED and not error.sent:
                kind = ErrorClass.HALT
            raise SendError(self.name, kind, error.detail) from None

    def ask(
        self,
        call: Call,
        judge: Callable[[Answer], SendError],
        *,
        again: bool = True,
        empty: bool = False,
    ) -> Any:
        """Return the JSON of an answer to a question. Raises `RemoteError`.

        *judge* reads a refusal. *again* says that asking twice does no harm,
        *empty* that no answer is expected.
        """
        answer = self._transport.send(
            call, deadline=ASK_SECONDS, idempotent=again, service=self.name
        )
        if not 200 <= answer.status < 300:
            error = judge(answer)
            reason = _REASONS.get(error.kind, Reason.REFUSED)
            raise RemoteError(
                self.name, reason, error.detail, retry_after=error.retry_after
            )
        if empty:
            return None
        try:
            return answer.json()
        except ValueError:
            what = f"HTTP {answer.status}: the answer is no JSON"
            raise RemoteError(self.name, Reason.UNREADABLE, what) from None

    def rows(self, page: Any, name: str) -> list[Any]:
        """Return the rows of one page of a list. Raises `RemoteError` without any list.

        What is no list must not pass as an empty one: what is not on it is forgotten.
        """
        found = pick(page, name)
        if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
            raise self.unreadable(f'the answer has no list of "{name}"')
        return found

    def unreadable(self, what: str) -> RemoteError:
        """Return the error of an answer that is none to what was asked."""
        return RemoteError(self.name, Reason.UNREADABLE, what)

    def refusal(
        self, answer: Answer, rule: Rule, *, code: object = "", said: str = ""
    ) -> SendError:
        """Return a provider's refusal as an error; *said* is in its own words."""
        where = f" (code {code})" if code != "" else f" (HTTP {answer.status})"
        theirs = f": {shown}" if (shown := self.scrub(said)) else ""
        wait = answer.retry_after(self.now())
        return SendError(
            self.name,
            rule.kind,
            f"{rule.what}{where}{theirs}",
            code=str(code),
            retry_after=rule.wait if wait is None else wait,
            instead=rule.instead,
            wish=rule.wish,
        )

    def fix(self, what: str) -> SendError:
        """Return the error of a message that is wrong on our side; none was sent."""
        return SendError(self.name, ErrorClass.FIX, what)

    def check(self, message: Message, longest: int) -> None:
        """Refuse what no provider takes. Raises `SendError`."""
        if not message.asks and normalise(message.to, "") != message.to:
            raise SendError(self.name, ErrorClass.NEVER, "not a valid number")
        if not message.text.strip():
            raise self.fix("the text is empty")
        if message.free and len(message.whole) > longest:
            raise self.fix(f"the text is longer than {longest} characters")
        if message.button and not all(part.strip() for part in message.button):
            raise self.fix("the button has no label or no address")

    def scrub(self, said: str) -> str:
        """Return a vendor's words on one line, without numbers and secrets.

        They must be whole: in what was cut a secret is not found any more.
        """
        if len(said) >= TEXT_LIMIT:
            return ""
        said = self._without_secrets(said)
        line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        return _NUMBER.sub("…", _LONG_WORD.sub("…", line[:1000]))[:300]


def tail_of(message: Message, start: str, line: Line) -> str:
    """Return what the button's address adds to the template's fixed *start*."""
    address = message.button[1] if message.button else ""
    if not address.startswith(start) or address == start:
        raise line.fix("the button's address does not begin as its template's does")
    return address.removeprefix(start)
