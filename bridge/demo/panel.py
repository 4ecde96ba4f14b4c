"""The simulated panel's API: ``POST /includes/api.php``, and a judge of who calls it.

Run it by hand with ``python -m bridge.demo.panel --help``.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, NamedTuple

from bridge.demo.clock import Clock
from bridge.demo.faults import HTML, Fault, Faults, Reply
from bridge.demo.panel_check import (
    WrongCallError,
    actions,
    check,
    read_form,
    without_secrets,
)
from bridge.demo.panel_reads import READS, Answered, ApiError, Call
from bridge.demo.panel_tables import NotFoundError, secret
from bridge.demo.panel_transfer import TRANSFER_PATH, Transfers
from bridge.demo.panel_writes import WRITES
from bridge.demo.world import World

PATH = "/includes/api.php"
IDENTIFIER = "demoApiIdentifier0000000000000001"
SECRET = secret("api", 1)
DONE = {**READS, **WRITES}
SIGNED = {
    name: "HTTP_" + name.upper().replace("-", "_")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
}


@dataclass(frozen=True)
class Request:
    """A request as the panel's web server hands it on."""

    method: str
    path: str
    query: str
    content_type: str
    body: bytes
    remote: str
    signature: Mapping[str, str] = field(default_factory=dict)


class Called(NamedTuple):
    """A call that reached the API with a readable form; no secrets in *params*."""

    at: datetime
    action: str
    params: dict[str, str]


class Panel:
    """The panel's API over a world: a WSGI application that counts and refuses.

    *calls* holds every call, *refused* a sentence for each that was not as the vendor
    documents it. *empty* is how empty lists are written: list, blank, missing, null or
    plain; *flattened* the other form of GetCancelledPackages. None in *allowed_ips*
    and *permissions* lets everybody in. Without ``install_addon`` there is no
    ``transfer.php``. Where *dated* is a clock, answers tell its time (``Date``).
    """

    def __init__(
        self,
        world: World,
        *,
        identifier: str = IDENTIFIER,
        secret: str = SECRET,
        accesskey: str | None = None,
        latency: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.world = world
        self.identifier = identifier
        self.secret = secret
        self.accesskey = accesskey
        self.latency = latency
        self.allowed_ips: set[str] | None = None
        self.permissions: set[str] | None = None
        self.empty = "list"
        self.flattened = False
        self.dated: Clock | None = None
        self.faults = Faults()
        self.transfers: Transfers | None = None
        self.calls: list[Called] = []
        self.refused: list[str] = []
        self.sleep = sleep
        self._lock = threading.Lock()

    def install_addon(self, secret: str) -> None:
        """Have the add-on's ``transfer.php``, signed with *secret*."""
        self.transfers = Transfers(self.world, secret)

    def count(self, action: str, **match: object) -> int:
        """Return how many calls of *action* came whose parameters match."""
        wanted = {name: str(value) for name, value in match.items()}
        with self._lock:
            return sum(
                call.action == action and wanted.items() <= call.params.items()
                for call in self.calls
            )

    @property
    def terminations(self) -> Counter[int]:
        """Return how often each service was really terminated by a call."""
        return self._by_call("termination")

    @property
    def package_changes(self) -> Counter[int]:
        """Return how often each service's package was really changed by a call."""
        return self._by_call("package_change")

    @property
    def invoices_created(self) -> Counter[int]:
        """Return the invoices that calls made."""
        return self._by_call("invoice")

    def handle(self, request: Request) -> Reply:
        """Answer one request, or spoil the answer if a fault is armed."""
        reply = self._answer(request)
        if self.dated is None:
            return reply
        told = format_datetime(self.dated.now().astimezone(UTC), usegmt=True)
        return replace(reply, headers={**reply.headers, "Date": told})

    def _answer(self, request: Request) -> Reply:
        if self.faults.outage:
            return self.faults.turn_away()
        if request.path.endswith(TRANSFER_PATH) and self.transfers is not None:
            fault = self.faults.take("transfer")
            if fault is not None and not fault.acts:
                return fault.spoil(None)
            moved = self.transfers.handle(request.signature, request.body)
            return moved if fault is None else fault.spoil(moved)
        if not request.path.endswith(PATH):
            return Reply(404, b"<h1>404 Not Found</h1>", HTML)
        try:
            form = read_form(
                request.method, request.query, request.content_type, request.body
            )
        except WrongCallError as error:
            return self._refuse("", error)
        action, params = form.get("action", ""), without_secrets(form)
        with self._lock:
            self.calls.append(Called(self.world.clock.now(), action, params))
        turned_away = self._admit(action, form, request.remote)
        if turned_away is not None:
            return turned_away
        fault = self.faults.take(action)
        if fault is not None and not fault.acts:
            return fault.spoil(None)
        reply = self._act(action, form, fault)
        return reply if fault is None else fault.spoil(reply)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Be a WSGI application; a connection that breaks is ConnectionResetError."""
        size = int(environ.get("CONTENT_LENGTH") or 0)
        reply = self.handle(
            Request(
                environ["REQUEST_METHOD"],
                environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
                environ.get("QUERY_STRING", ""),
                environ.get("CONTENT_TYPE", ""),
                environ["wsgi.input"].read(size) if size else b"",
                environ.get("REMOTE_ADDR", "127.0.0.1"),
                {n: environ.get(k, "") for n, k in SIGNED.items()},
            )
        )
        if reply.how in ("reset", "closed"):
            raise ConnectionResetError("the simulated panel closed the connection")
        if wait := reply.seconds + self.latency:
            self.sleep(wait)
        size_header = {"Content-Length": str(len(reply.body))}
        headers = {**reply.headers, **size_header}
        start_response(f"{reply.status} Simulated", list(headers.items()))
        return _half(reply.body) if reply.how == "cut" else [reply.body]

    def _admit(self, action: str, form: dict[str, str], remote: str) -> Reply | None:
        """Return why the caller may not: in the order in which the panel looks."""
        if not action:
            return _error(400, "Empty action request")
        given = (form.get("identifier", ""), form.get("secret", ""))
        if not all(given):
            return _error(403, "Invalid or missing credentials")
        right = zip(given, (self.identifier, self.secret), strict=True)
        if not all(hmac.compare_digest(a.encode(), b.encode()) for a, b in right):
            return _error(403, "Authentication Failed")
        by_key = bool(self.accesskey) and form.get("accesskey") == self.accesskey
        by_address = self.allowed_ips is None or remote in self.allowed_ips
        if not by_key and not by_address:
            return _error(403, f"Invalid IP {remote}")
        if action not in DONE:
            return _error(400, "Command Not Found")
        if self.permissions is not None and action not in self.permissions:
            sentence = (
                f'Invalid Permissions: API action "{action.lower()}" is not allowed'
            )
            return _error(403, sentence)
        return None

    def _act(self, action: str, form: dict[str, str], fault: Fault | None) -> Reply:
        params = without_secrets(form)
        if "servicepassword" in form:
            params["servicepassword"] = form["servicepassword"]
        try:
            if form.get("responsetype") != "json":
                raise WrongCallError("responsetype is not json")
            check(action, params)
            kind = fault.kind if fault is not None else ""
            if kind == "wrong_service" and action in READS:
                params = self._another(params)
            return _success(self._do(action, params))
        except WrongCallError as error:
            return self._refuse(action, error)
        except (ApiError, NotFoundError) as error:
            return _error(200, str(error))

    def _do(self, action: str, params: dict[str, str]) -> Answered:
        call = Call(self.world, params, self.empty, self.flattened)
        if action == "UpgradeProduct":
            # It asks the bridge, which may call back: not with the lock held.
            return DONE[action](call)
        with self.world.lock:
            return DONE[action](call)

    def _another(self, params: dict[str, str]) -> dict[str, str]:
        """Return the parameters with every id being that of some other row."""
        world = self.world
        tables: dict[str, Iterable[int]] = {
            "serviceid": world.services, "invoiceid": world.invoices,
            "clientid": world.clients, "domainid": world.domains,
        }  # fmt: skip
        swapped = dict(params)
        for name in params.keys() & tables.keys():
            others = [n for n in tables[name] if str(n) != params[name]]
            swapped[name] = str(others[0] if others else params[name])
        return swapped

    def _refuse(self, action: str, error: WrongCallError) -> Reply:
        sentence = f"{action or 'request'}: {error}"
        with self._lock:
            self.refused.append(sentence)
        return _error(400, f"The simulated panel refuses this: {sentence}")

    def _by_call(self, kind: str) -> Counter[int]:
        with self.world.lock:
            done = [
                e.id for e in self.world.effects if (e.kind, e.actor) == (kind, "api")
            ]
        return Counter(done)


def implemented() -> list[str]:
    """Return the actions this panel knows, which are those of the data file."""
    return sorted(actions())


def _success(answer: Answered) -> Reply:
    return Reply(200, json.dumps({"result": "success", **answer}).encode())


def _error(status: int, message: str) -> Reply:
    body = {"result": "error", "message": message}
    return Reply(status, json.dumps(body).encode())


def _half(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionResetError("the simulated panel cut its answer short")


if __name__ == "__main__":
    from bridge.demo.panel_server import main

    main()
