"""Every error raised on purpose; each is a different thing that a caller does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BridgeError(Exception):
    """Anything the bridge raises on purpose."""


class Reason(StrEnum):
    """Why the other side did not do what was asked; it alone decides a retry."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate limited"
    DENIED_ADDRESS = "denied address"
    DENIED_CREDENTIALS = "denied credentials"
    MISSING_PERMISSION = "missing permission"
    NOT_FOUND = "not found"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


#: Reasons after which the same request may be sent again by itself.
TRANSIENT = frozenset({Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.UNREADABLE})

#: Reasons that stop everything towards that service until a person acts.
LOCKED_OUT = frozenset({Reason.DENIED_ADDRESS, Reason.DENIED_CREDENTIALS})


class RemoteError(BridgeError):
    """The panel or a provider did not do what was asked.

    *service* names it, *detail* is a sentence without secrets. *sent* tells
    whether the request may have been carried out all the same: after an acting
    call one must look before acting again. *retry_after* is in seconds.
    """

    def __init__(
        self,
        service: str,
        reason: Reason,
        detail: str,
        *,
        sent: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{service}: {reason.value}: {detail}")
        self.service = service
        self.reason = reason
        self.detail = detail
        self.sent = sent
        self.retry_after = retry_after

    @property
    def transient(self) -> bool:
        """Whether trying again later may help without anybody acting."""
        return self.reason in TRANSIENT


class NoModule(RemoteError):
    """The product of a service has no server module: nobody can be commanded."""

    def __init__(self, service: str, detail: str) -> None:
        super().__init__(service, Reason.REFUSED, f"no module: {detail}", sent=False)


class MoveRefused(RemoteError):
    """The panel does not let a service pass to another client; *code* says why."""

    def __init__(self, service: str, code: str, detail: str) -> None:
        super().__init__(service, Reason.REFUSED, f"{code}: {detail}", sent=False)
        self.code = code


class ErrorClass(StrEnum):
    """What a sender does after a provider's answer (one class per error code)."""

    RETRY = "retry"
    UNSURE = "unsure"
    PAIR = "pair"
    LATER = "later"
    AS_TEMPLATE = "as_template"
    NEVER = "never"
    FIX = "fix"
    HALT = "halt"


class Instead(StrEnum):
    """What may be tried, once, in place of a message that was refused.

    The number in its other form; the template in another approved language; the same
    once its template is approved again.
    """

    NUMBER = "number"
    LANGUAGE = "language"
    APPROVAL = "approval"


class Wish(StrEnum):
    """What a person told the provider that he wants no more of from our number."""

    MARKETING = "marketing"
    ALL = "all"


class SendError(BridgeError):
    """A provider did not take a message; *kind* alone decides what happens next.

    *instead* is what may be tried before that; *wish* is the recipient's own, where it
    was he who did not want it.
    """

    def __init__(
        self,
        provider: str,
        kind: ErrorClass,
        detail: str,
        *,
        code: str = "",
        retry_after: float | None = None,
        instead: Instead | None = None,
        wish: Wish | None = None,
    ) -> None:
        super().__init__(f"{provider}: {kind.value}: {detail}")
        self.provider = provider
        self.kind = kind
        self.detail = detail
        self.code = code
        self.retry_after = retry_after
        self.instead = instead
        self.wish = wish


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file or setting: where, what, and the word meant."""

    file: str
    line: int
    column: int
    what: str
    level: str = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        warning = "warning: " if self.level == "warning" else ""
        return f"{where}: {warning}{self.what}"


class ConfigError(BridgeError):
    """A map, a text or the environment is unusable; holds every problem, sorted."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refused(BridgeError):
    """A delivery that is not taken; *status* and *title* are its HTTP answer.

    *detail* may be shown to the sender, *log* only to the operator.
    """

    def __init__(
        self, status: int, title: str, detail: str = "", log: str = ""
    ) -> None:
        super().__init__(log or detail or title)
        self.status = status
        self.title = title
        self.detail = detail
        self.log = log or detail


class StoreUnavailable(BridgeError):
    """It cannot be stored now; nothing was kept, the sender should come again."""


class StoreUnusable(BridgeError):
    """The store is damaged, newer or foreign: the bridge does not start on it."""


class StaleRow(BridgeError):
    """A row of the book changed since it was read: look at everything again."""


class Parked(BridgeError):
    """A person must decide. The message is the sentence that staff read.

    Of all that are parked with the same *once*, staff are told once.
    """

    def __init__(self, reason: str, *, once: str = "") -> None:
        super().__init__(reason)
        self.once = once


class Skipped(BridgeError):
    """There is nothing to do, for the reason given in one sentence."""


class Later(BridgeError):
    """Not now: look again at *at* (aware UTC)."""

    def __init__(self, reason: str, at: datetime) -> None:
        super().__init__(reason)
        self.at = at


class OverCap(Later):
    """As many were ordered as may be: at *at* there is room again.

    *cap* is the "hour"'s, the "day"'s or the "client"'s in a day, *most* its figure,
    *count* how many were.
    """

    def __init__(
        self, reason: str, at: datetime, *, cap: str, most: int, count: int
    ) -> None:
        super().__init__(reason, at)
        self.cap = cap
        self.most = most
        self.count = count


class HeldBack(BridgeError):
    """Nothing is ordered while staff hold it back; says why, who and since when."""


class Rehearsed(BridgeError):
    """Dry run: what would have been done, worked out and recorded, not done."""


class TextError(BridgeError):
    """A text or condition could not be worked out; says which and why."""
