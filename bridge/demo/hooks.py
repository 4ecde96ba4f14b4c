"""The panel's side of the hooks: an outbox that signs and posts, as the add-on does.

Written from the public specification of Standard Webhooks, sharing nothing with the
bridge that receives.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.demo.clock import Clock
from bridge.demo.panel_rows import Hook
from bridge.demo.panel_tables import Tables, hookpoints
from bridge.demo.panel_wire import Answer, HttpWire, Wire, WireError

PARKED = (400, 409, 413)
STEPS_ASIDE = 5
DECISION_SECONDS = 2.0
LONGEST_WAIT = 1.0
# Fired all the time and asked for by nobody unless the bridge's map names them.
QUIET = frozenset({"AfterCronJob", "DailyCronJob", "InvoiceCreation", "LogActivity"})


@dataclass
class Row:
    """A hook in the outbox: *id* and *body* stay as they are however often it goes."""

    id: str
    type: str
    body: bytes
    tries: int = 0
    due: float = 0.0
    status: int | None = None
    answer: str = ""


@dataclass(frozen=True)
class Decision:
    """A question and what came of it; *value* None is no opinion."""

    id: str
    type: str
    data: dict[str, object]
    value: object
    reason: str
    status: int | None
    seconds: float


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return the signature header of a delivery; *secret* is ``whsec_<base64>``."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    content = b".".join([id.encode(), str(timestamp).encode(), body])
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Outbox:
    """The rows that wait for the bridge, in the order in which their hooks fired.

    *bridge* is its base address, or a WSGI application. ``leak`` lets every
    documented variable out, secrets too, as a careless add-on would; else only what
    stands on the hookpoint's list. With ``registered`` only those hookpoints are kept.
    """

    def __init__(
        self,
        world: Tables,
        bridge: Any,
        secret: str,
        *,
        panel: str = "whmcs",
        instance: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.leak = False
        self.registered: frozenset[str] | None = None
        self.deliverable = True
        self.secret = secret
        self.delivered: list[Row] = []
        self.parked: list[Row] = []
        self.decisions: list[Decision] = []
        self.last_error = ""
        self._clock: Clock = world.clock
        self._panel = panel
        self._wire = Wire.to(bridge)
        self._bridge = bridge
        self._timeout = timeout
        self._instance = instance or secrets.token_hex(6)
        self._numbers = Counter[str]()
        self._rows: list[Row] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        world.listeners.append(self.put)
        world.decide = self.ask

    @property
    def pending(self) -> list[Row]:
        """Return the rows that still have to go out, oldest first."""
        with self._lock:
            return list(self._rows)

    def put(self, hook: Hook) -> Row | None:
        """Keep a hook as a row; None if nobody asked for that hookpoint."""
        wanted = self.registered
        if hook.type in QUIET if wanted is None else hook.type not in wanted:
            return None
        with self._lock:
            row = Row(self._next_id("msg"), hook.type, self._body(hook))
            self._rows.append(row)
        self._news.set()
        return row

    def flush(self) -> int:
        """Try each row once, oldest first; return how many were delivered.

        The pass ends at the first failure, unless that row has failed so often that
        it steps aside for the others.
        """
        with self._sending:
            return self._pass(self.pending)

    def send_again(self, row: Row) -> Answer | None:
        """Send a row once more, whatever became of it; None if there is no answer."""
        with self._sending:
            return self._post(row)

    def ask(self, hook: Hook) -> object:
        """Ask the bridge for a decision and wait for it; None is no opinion."""
        with self._lock:
            id = self._next_id("msg_q")
        body, began = self._body(hook), time.monotonic()
        status, value, reason = None, None, ""
        try:
            answer = self._decide(id, body)
            status = answer.status
            told = answer.json()
            if status == 200 and isinstance(told, dict) and told.get("event") == id:
                value, reason = told.get("return"), str(told.get("reason", ""))
            else:
                reason = f"HTTP {status}, not the answer to {id}"
        except WireError as error:
            reason = str(error)
        took = time.monotonic() - began
        said = Decision(id, hook.type, hook.data, value, reason, status, took)
        with self._lock:
            self.decisions.append(said)
        return value

    def fetch_hookpoints(self) -> dict[str, Any]:
        """Ask the bridge which hookpoints its map uses; raises WireError."""
        with self._lock:
            id = self._next_id("msg_h")
        path = f"/hooks/{self._panel}/hookpoints"
        answer = self._wire.send("GET", path, b"", self._signed(id, b""), self._timeout)
        told = answer.json()
        if answer.status != 200 or not isinstance(told, dict):
            raise WireError(f"HTTP {answer.status} to {path}")
        return told

    def register(self) -> None:
        """Forward just the hookpoints the bridge's map uses, as the add-on does."""
        told = self.fetch_hookpoints()
        self.registered = frozenset(told["hookpoints"])

    def start(self, every: float = 0.05) -> None:
        """Send in the background, with back-off in real time, until ``stop``."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(
                target=self._run, args=(every,), name="panel-outbox", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the background sending; the rows stay."""
        self._stopped.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._wire.close()

    def wait_empty(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is pending; False after *timeout* seconds."""
        until = time.monotonic() + timeout
        while self.pending and time.monotonic() < until:
            time.sleep(0.002)
        return not self.pending

    def _run(self, every: float) -> None:
        while not self._stopped.is_set():
            self._news.wait(every if self.pending else 0.5)
            self._news.clear()
            with self._sending:
                self._pass(self._due())

    def _due(self) -> list[Row]:
        """Return the rows to try now: none while the oldest has to wait."""
        now, waiting = time.monotonic(), self.pending
        head = next((row for row in waiting if row.tries < STEPS_ASIDE), None)
        if head is not None and head.due > now:
            return []
        return [row for row in waiting if row.due <= now]

    def _pass(self, rows: list[Row]) -> int:
        sent = 0
        for row in rows:
            if not self.deliverable:
                break
            answer = self._post(row)
            if self._settle(row, answer):
                sent += row.status is not None and 200 <= row.status < 300
            elif row.tries < STEPS_ASIDE or answer is None:
                break
        return sent

    def _settle(self, row: Row, answer: Answer | None) -> bool:
        """Take a row out of the queue if the bridge has said its last word on it."""
        if answer is not None and 200 <= answer.status < 300:
            told = answer.json()
            if isinstance(told, dict) and told.get("event") == row.id:
                self._move(row, self.delivered)
                return True
        if answer is not None and answer.status in PARKED:
            self._move(row, self.parked)
            return True
        row.tries += 1
        row.due = time.monotonic() + min(0.05 * 2 ** min(row.tries, 10), LONGEST_WAIT)
        return False

    def _move(self, row: Row, to: list[Row]) -> None:
        with self._lock:
            self._rows.remove(row)
            to.append(row)

    def _post(self, row: Row) -> Answer | None:
        path, headers = f"/hooks/{self._panel}", self._signed(row.id, row.body)
        try:
            answer = self._wire.send("POST", path, row.body, headers, self._timeout)
        except WireError as error:
            self.last_error = str(error)
            return None
        row.status, row.answer = answer.status, answer.body.decode(errors="replace")
        return answer

    def _decide(self, id: str, body: bytes) -> Answer:
        path, headers = f"/decisions/{self._panel}", self._signed(id, body)
        wire = Wire.to(self._bridge)
        if not isinstance(wire, HttpWire):
            return wire.send("POST", path, body, headers, DECISION_SECONDS)
        return wire.send_within("POST", path, body, headers, DECISION_SECONDS)

    def _signed(self, id: str, body: bytes) -> dict[str, str]:
        stamp = int(self._clock.now().timestamp())
        return {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(self.secret, id, stamp, body),
        }

    def _body(self, hook: Hook) -> bytes:
        data = hook.data if self.leak else allowed(hook)
        body = {
            "type": hook.type,
            "timestamp": _iso(hook.at),
            "data": data,
            "context": hook.context,
        }
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
        return text.encode()

    def _next_id(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{kind}_{self._instance}_{self._numbers[kind]:07d}"


def allowed(hook: Hook) -> dict[str, object]:
    """Return the variables of *hook* that stand on its hookpoint's list."""
    kept: dict[str, object] = {}
    for path in hookpoints()[hook.type]["sent"]:
        outer, _, inner = path.partition(".")
        value = hook.data[outer]
        if not inner:
            kept[outer] = value
        elif isinstance(value, dict) and inner in value:
            nest = kept.setdefault(outer, {})
            if isinstance(nest, dict):
                nest[inner] = value[inner]
    return kept


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
