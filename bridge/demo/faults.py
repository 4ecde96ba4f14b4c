"""What can go wrong with the simulated panel's answers, one fault at a time."""

from __future__ import annotations

import functools
import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

ACTING = frozenset(
    {"cut", "slow", "dribble", "warning_text", "wrong_service",
     "acts_but_loses_the_answer"}
)  # fmt: skip
KINDS = ACTING | {
    "html_500", "empty", "null", "wrong_type", "error", "http", "redirect", "bomb",
}  # fmt: skip
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
OOPS = (
    b"<!DOCTYPE html><html><head><title>Oops!</title></head><body><h1>Oops!</h1>"
    b"<p>Something went wrong and we couldn't process your request.</p></body></html>"
)
WARNING = (
    b"<br />\n<b>Warning</b>:  Undefined array key &quot;x&quot; in"
    b" <b>/home/panel/includes/hooks/old.php</b> on line <b>12</b><br />\n"
)


@dataclass(frozen=True)
class Reply:
    """An answer and how it goes out.

    *how* is ``plain``, ``cut`` (half of it, then the end), ``reset`` (nothing, and the
    connection is torn down), ``closed`` (nothing) or ``dribble`` (over *seconds*).
    A plain one is held back *seconds*.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    how: str = "plain"
    seconds: float = 0.0


@dataclass
class Fault:
    """A fault that waits for a call of *action* ("*": any), *times* times over."""

    action: str
    kind: str
    times: int | None
    seconds: float
    message: str
    status: int
    retry_after: int | None
    size: int
    acts: bool
    met: int = 0

    def spoil(self, reply: Reply | None) -> Reply:
        """Return what goes out instead of *reply*, None if nothing was done."""
        if reply is None or self.kind not in ACTING:
            return self._instead()
        if self.kind == "slow":
            return replace(reply, seconds=reply.seconds + self.seconds)
        if self.kind == "dribble":
            return replace(reply, how="dribble", seconds=self.seconds)
        if self.kind == "cut":
            return replace(reply, how="cut")
        if self.kind == "warning_text":
            return replace(reply, body=WARNING + reply.body, headers=HTML)
        if self.kind == "acts_but_loses_the_answer":
            return replace(reply, how="reset")
        return reply

    def _instead(self) -> Reply:
        if self.kind == "html_500":
            return Reply(500, OOPS, HTML)
        if self.kind == "empty":
            return Reply(200, b"")
        if self.kind == "null":
            return Reply(200, b"null")
        if self.kind == "wrong_type":
            return Reply(200, b'["success"]')
        if self.kind == "redirect":
            return Reply(302, b"", HTML | {"Location": "/admin/login.php"})
        if self.kind == "bomb":
            return Reply(200, _bomb(self.size), JSON | {"Content-Encoding": "gzip"})
        if self.kind == "http":
            wait = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            more = {name: str(value) for name, value in wait.items()}
            return Reply(self.status, OOPS, HTML | more)
        if self.kind == "error":
            text = self.message.replace("\\", "\\\\").replace('"', '\\"')
            return Reply(200, f'{{"result":"error","message":"{text}"}}'.encode())
        return Reply(0, b"", how="reset")


class Faults:
    """The faults that are armed, and the outage switch."""

    def __init__(self) -> None:
        self.outage = False
        self.turned_away = 0
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        action: str,
        kind: str,
        times: int | None = 1,
        *,
        seconds: float = 1.0,
        message: str = "The module is unavailable",
        status: int = 503,
        retry_after: int | None = None,
        size: int = 64 << 20,
        acts: bool | None = None,
    ) -> Fault:
        """Arm a fault for the next *times* calls of *action*; None: until cleared.

        Some kinds do what was asked and spoil the answer only, the others do nothing;
        *acts* says otherwise. ``met`` of what is returned counts the calls it hit.
        """
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(sorted(KINDS))}")
        does = kind in ACTING if acts is None else acts
        fault = Fault(
            action, kind, times, seconds, message, status, retry_after, size, does
        )
        with self._lock:
            self._armed.append(fault)
        return fault

    def take(self, action: str) -> Fault | None:
        """Return the fault this call meets, if any, and count it down."""
        if not self._armed:
            return None
        with self._lock:
            for fault in self._armed:
                if fault.action in (action, "*"):
                    fault.met += 1
                    if fault.times is not None:
                        fault.times -= 1
                    if fault.times == 0:
                        self._armed.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Disarm all; end an outage."""
        with self._lock:
            self._armed.clear()
            self.outage = False

    @contextmanager
    def outage_now(self) -> Iterator[None]:
        """Turn every call away meanwhile, without a word."""
        self.outage = True
        try:
            yield
        finally:
            self.outage = False

    def turn_away(self) -> Reply:
        """Count a call that came during the outage."""
        with self._lock:
            self.turned_away += 1
        return Reply(0, b"", how="closed")


@functools.lru_cache(maxsize=2)
def _bomb(size: int) -> bytes:
    return gzip.compress(b" " * size, 6)
