"""The load: few, kept connections on raw sockets, requests ready before the clock runs.

`python -m bench.load '{"mode": "capacity", ...}'` prints one JSON object. Modes:
capacity (as fast as answers come), schedule (at a rate; a latency counts from the
scheduled moment, whether or not a connection was free then) and window (as many
hooks as keep so many alerts under way, which is what a pipeline can hold).
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench import hooks

#: Requests a second that no server here gets beyond.
_MOST = 14_000


class Line:
    """A kept connection that one request at a time goes over."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.since = 0.0
        self._got = b""

    def fileno(self) -> int:
        """Return what `select` wants."""
        return self.sock.fileno()

    def send(self, request: bytes, since: float) -> None:
        """Send a request whose latency counts from *since*."""
        self.since = since
        self.sock.sendall(request)

    def read(self) -> tuple[int, bytes] | None:
        """Return status and body once the whole answer is there."""
        piece = self.sock.recv(65536)
        if not piece:
            raise ConnectionError("the server closed a kept connection")
        self._got += piece
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return None
        lower = head.lower()
        if b"chunked" in lower:
            if not body.endswith(b"0\r\n\r\n"):
                return None
        else:
            at = lower.find(b"content-length:")
            size = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(body) < size:
                return None
        self._got = b""
        return int(head[9:12]), body


@dataclass
class Result:
    """What a run measured; latencies in seconds."""

    sent: int = 0
    good: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def note(self, status: int, latency: float) -> None:
        """Count an answer."""
        self.good += 200 <= status < 300
        self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
        self.latencies.append(latency)

    def told(self) -> dict[str, Any]:
        """Return it as JSON can tell it."""
        return {
            "sent": self.sent,
            "good": self.good,
            "seconds": self.seconds,
            "rate": self.good / self.seconds if self.seconds else 0.0,
            "p50": quantile(self.latencies, 0.50),
            "p99": quantile(self.latencies, 0.99),
            "worst": max(self.latencies, default=0.0),
            "statuses": self.statuses,
            **self.more,
        }


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of all lie below."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def capacity(
    port: int, path: str, prefix: str, seconds: float, lines: int = 32
) -> Result:
    """Send the next request over each connection as soon as its answer came."""
    ready = iter(hooks.requests(path, prefix, int(_MOST * seconds)))
    kept = [Line(port) for _ in range(lines)]
    found, began = Result(), time.perf_counter()
    for line in kept:
        line.send(next(ready), time.perf_counter())
    ends, now = began + seconds, began
    while now < ends:
        for line in select.select(kept, [], [], 1.0)[0]:
            answer = line.read()
            if answer is None:
                continue
            now = time.perf_counter()
            found.note(answer[0], now - line.since)
            line.send(next(ready), now)
        now = time.perf_counter()
    found.sent, found.seconds = len(found.latencies), now - began
    return found


class Schedule:
    """Sends each request at its moment, over a free connection or a new one.

    When all are taken it waits for one, and the latency goes on counting.
    """

    _MOST_LINES = 300

    def __init__(self, port: int, requests: list[bytes], rate: float) -> None:
        self._port = port
        self._requests = deque(requests)
        self._step = 1.0 / rate
        self._free = [Line(port) for _ in range(8)]
        self._busy: list[Line] = []
        self.next = 0.0
        self.result = Result()
        self.bodies: list[tuple[float, bytes]] = []

    def begin(self, at: float) -> None:
        """Let the first request go at *at*."""
        self.next = at

    @property
    def over(self) -> bool:
        """Whether everything was sent and answered."""
        return not self._requests and not self._busy

    @property
    def waiting(self) -> list[Line]:
        """Return the connections that an answer is awaited on."""
        return self._busy

    def due(self) -> float:
        """Return when the next request goes, far away when none can."""
        return self.next if self._requests and self._room else float("inf")

    @property
    def _room(self) -> bool:
        return bool(self._free) or len(self._busy) < self._MOST_LINES

    def send(self, now: float) -> None:
        """Send what is due."""
        while self._requests and self.next <= now and self._room:
            line = self._free.pop() if self._free else Line(self._port)
            line.send(self._requests.popleft(), self.next)
            self._busy.append(line)
            self.next += self._step
            self.result.sent += 1

    def read(self, line: Line, *, keep: bool = False) -> None:
        """Take an answer, if it is whole."""
        answer = line.read()
        if answer is None:
            return
        latency = time.perf_counter() - line.since
        self.result.note(answer[0], latency)
        if keep:
            self.bodies.append((latency, answer[1]))
        self._busy.remove(line)
        self._free.append(line)


def schedule(
    port: int,
    path: str,
    prefix: str,
    seconds: float,
    rate: float = 300,
    done_port: int = 0,
    questions: dict[str, Any] | None = None,
    hookpoint: str = "",
) -> Result:
    """Send at *rate*; with *done_port* watch, each second, how much is not done yet.

    What the door has not taken yet counts too, else a slow door hides the queue.

    *questions* (path, rate) are asked at their own rate beside it.
    """
    ready = hooks.requests(path, prefix, int(rate * seconds), hookpoint=hookpoint)
    plans = [Schedule(port, ready, rate)]
    if questions:
        asked = hooks.questions(
            questions["path"], f"{prefix}q", int(questions["rate"] * seconds)
        )
        plans.append(Schedule(port, asked, questions["rate"]))
    watch = Line(done_port) if done_port else None
    before = _done(watch) if watch else 0
    backlog: list[int] = []
    began = time.perf_counter() + 0.05
    for plan in plans:
        plan.begin(began)
    look, give_up = began + 1.0, began + seconds + 30
    while not all(plan.over for plan in plans):
        now = time.perf_counter()
        if now > give_up:
            break
        for plan in plans:
            plan.send(now)
        if watch and look <= now < began + seconds:
            backlog.append(int((now - began) * rate) - (_done(watch) - before))
            look += 1.0
        wait = min(min(plan.due() for plan in plans) - time.perf_counter(), 0.2)
        owners = {line: plan for plan in plans for line in plan.waiting}
        for line in select.select(list(owners), [], [], max(wait, 0))[0]:
            owners[line].read(line, keep=owners[line] is not plans[0])
    found = plans[0].result
    found.seconds = time.perf_counter() - began
    if watch:
        found.more["backlog"] = backlog
    if questions:
        found.more["questions"] = plans[1].result.told()
        found.more["answers"] = [
            (latency, json.loads(body)) for latency, body in plans[1].bodies
        ]
    return found


def window(
    port: int,
    path: str,
    prefix: str,
    seconds: float,
    done_port: int,
    under_way: int,
    warm_up: float = 3.0,
) -> Result:
    """Keep *under_way* alerts between hook and message; count those done."""
    count = int(3_000 * (seconds + warm_up)) + 4_000
    ready = iter(hooks.requests(path, prefix, count))
    watch, free, busy = Line(done_port), [Line(port) for _ in range(16)], set[Line]()
    before = done = _done(watch)
    found, began = Result(), time.perf_counter()
    marks: list[tuple[float, int]] = []
    look, ends = began, began + warm_up + seconds
    while (now := time.perf_counter()) < ends:
        if now >= look:
            done = _done(watch)
            if now >= began + warm_up:
                marks.append((now, done))
            look = now + 0.02
        while free and found.sent - (done - before) < under_way:
            line = free.pop()
            line.send(next(ready), time.perf_counter())
            busy.add(line)
            found.sent += 1
        for line in select.select(list(busy), [], [], 0.01)[0]:
            answer = line.read()
            if answer is not None:
                found.note(answer[0], time.perf_counter() - line.since)
                busy.discard(line)
                free.append(line)
    (first, low), (last, high) = marks[0], marks[-1]
    found.seconds = last - first
    found.more = {"done": high - low, "done_rate": (high - low) / (last - first)}
    return found


def _done(watch: Line) -> int:
    """Ask the stub how many messages it was handed."""
    watch.sock.sendall(b"GET /count HTTP/1.1\r\nHost: stub\r\n\r\n")
    while (answer := watch.read()) is None:
        pass
    return int(answer[1])


MODES: dict[str, Callable[..., Result]] = {
    "capacity": capacity,
    "schedule": schedule,
    "window": window,
}


def main() -> None:
    """Run one load and print what it measured."""
    given = json.loads(sys.argv[1])
    found = MODES[given.pop("mode")](**given)
    print(json.dumps(found.told()))


if __name__ == "__main__":
    main()
