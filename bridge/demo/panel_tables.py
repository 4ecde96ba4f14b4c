"""What the simulated panel holds, and how its hooks fire."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib.resources import files
from typing import Any, TypeVar

from dateutil.relativedelta import relativedelta

from bridge.demo.clock import Clock
from bridge.demo.panel_rows import (
    MONTHS,
    Activity,
    CancelRequest,
    Client,
    Command,
    Currency,
    Domain,
    Effect,
    Hook,
    Invoice,
    Note,
    Product,
    Quote,
    Service,
    Ticket,
    Upgrade,
    User,
)

CONFIG = {
    "CompanyName": "Radio y Hosting del Sur",
    "SystemURL": "https://panel.example.com/",
    "DateFormat": "DD/MM/YYYY",
    "Language": "spanish",
    "Version": "8.13.1-release.1",
    "AutoCancellationRequests": "",
    "CancelInvoiceOnCancellation": "",
    "CreateInvoiceDaysBefore": "14",
    "AutoSuspension": "on",
    "AutoSuspensionDays": "5",
    "AutoUnsuspend": "on",
}
Row = TypeVar("Row")
EMPTY = {"int": 0, "float": 0.0, "bool": False, "array": []}


@functools.cache
def hookpoints() -> dict[str, dict[str, Any]]:
    """Return the hookpoints: ``params`` documented, ``sent`` by the add-on's list."""
    text = files("bridge.demo").joinpath("hookpoints.json").read_text("utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return known


def secret(what: str, number: int) -> str:
    """Return a marked secret: found anywhere outside the panel, it has leaked."""
    return f"PANEL-SECRET-{what}-{number}"


class NotFoundError(LookupError):
    """There is no such row; the text is what the panel answers."""


class Tables:
    """All tables of the panel, one lock around them, and those who hear its hooks.

    *listeners* are told of every hook, in order. *decide* is asked for the hookpoints
    whose answer counts; without one there is no opinion.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.config = dict(CONFIG)
        self.currencies: dict[str, Currency] = {}
        self.clients: dict[int, Client] = {}
        self.users: dict[int, User] = {}
        self.products: dict[int, Product] = {}
        self.services: dict[int, Service] = {}
        self.domains: dict[int, Domain] = {}
        self.invoices: dict[int, Invoice] = {}
        self.quotes: dict[int, Quote] = {}
        self.cancellations: dict[int, CancelRequest] = {}
        self.upgrades: dict[int, Upgrade] = {}
        self.tickets: dict[int, Ticket] = {}
        self.notes: list[Note] = []
        self.activity: list[Activity] = []
        self.commands: list[Command] = []
        self.mails: list[tuple[str, int]] = []
        self.effects: list[Effect] = []
        self.fired: list[Hook] = []
        self.listeners: list[Callable[[Hook], object]] = []
        self.decide: Callable[[Hook], object] | None = None
        self._last: dict[str, int] = {}
        self._by_client: dict[tuple[str, int], dict[int, None]] = {}
        self._muted = False

    def next_id(self, table: str) -> int:
        """Return the next number of *table*, counting from 1."""
        with self.lock:
            self._last[table] = self._last.get(table, 0) + 1
            return self._last[table]

    def client(self, client_id: int) -> Client:
        """Return a client or raise NotFoundError."""
        return _row(self.clients, client_id, "Client Not Found")

    def service(self, service_id: int) -> Service:
        """Return a service or raise NotFoundError."""
        return _row(self.services, service_id, "Service ID Not Found")

    def product(self, pid: int) -> Product:
        """Return a product or raise NotFoundError."""
        return _row(self.products, pid, "Product ID Not Found")

    def invoice(self, invoice_id: int) -> Invoice:
        """Return an invoice or raise NotFoundError."""
        return _row(self.invoices, invoice_id, "Invoice ID Not Found")

    def services_of(self, client_id: int) -> list[Service]:
        """Return the services of one client, oldest first."""
        with self.lock:
            ids = self._by_client.get(("service", client_id), {})
            return [self.services[number] for number in sorted(ids)]

    def invoices_of(self, client_id: int) -> list[Invoice]:
        """Return the invoices of one client, oldest first."""
        with self.lock:
            ids = self._by_client.get(("invoice", client_id), {})
            return [self.invoices[number] for number in ids]

    def users_of(self, client_id: int) -> list[User]:
        """Return the users that are in one client, owner or guest."""
        with self.lock:
            ids = self._by_client.get(("user", client_id), {})
            return [self.users[number] for number in ids]

    def cancellation_of(self, service_id: int) -> CancelRequest | None:
        """Return the request to cancel a service, if there is one."""
        with self.lock:
            rows = self.cancellations.values()
            return next((row for row in rows if row.relid == service_id), None)

    def belongs(self, table: str, row_id: int, client_id: int) -> None:
        """Keep the index of whose row it is."""
        self._by_client.setdefault((table, client_id), {})[row_id] = None

    def belongs_no_more(self, table: str, row_id: int, client_id: int) -> None:
        """Take a row out of the index of that client."""
        self._by_client.get((table, client_id), {}).pop(row_id, None)

    def fire(
        self, hookpoint: str, data: dict[str, object], actor: str, **context: object
    ) -> None:
        """Fire a hook with all its documented variables; *context* as the add-on's."""
        if self._muted:
            return
        with self.lock:
            hook = self._hook(hookpoint, data, actor, context)
            self.fired.append(hook)
            for listener in self.listeners:
                listener(hook)

    def ask(
        self, hookpoint: str, data: dict[str, object], actor: str, **context: object
    ) -> object:
        """Ask what the hookpoint's callback returns; None is no opinion.

        Never call it with the lock held: who answers may call the panel back.
        """
        if self.decide is None:
            return None
        return self.decide(self._hook(hookpoint, data, actor, context))

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Fire no hooks meanwhile: what is set up was so before the bridge came."""
        with self.lock:
            before, self._muted = self._muted, True
            try:
                yield
            finally:
                self._muted = before

    def log(self, description: str, client_id: int = 0) -> None:
        """Write a line into the activity log, which is a hookpoint too."""
        self.activity.append(Activity(self.clock.now(), description, client_id))
        data = {"description": description, "user": "System", "userid": client_id}
        self.fire("LogActivity", data, "system")

    def did(self, kind: str, row_id: int, actor: str) -> None:
        """Note a real effect."""
        self.effects.append(Effect(self.clock.now(), kind, row_id, actor))

    def date_text(self, day: date) -> str:
        """Return *day* in the panel's own date format."""
        form = self.config["DateFormat"]
        form = form.replace("DD", "%d").replace("MM", "%m").replace("YYYY", "%Y")
        return day.strftime(form)

    def _hook(
        self,
        hookpoint: str,
        data: dict[str, object],
        actor: str,
        context: dict[str, object],
    ) -> Hook:
        known = hookpoints()[hookpoint]["params"]
        if stray := data.keys() - known.keys():
            raise KeyError(f"{hookpoint} has no variable {sorted(stray)}")
        full = {name: EMPTY.get(kind, "") for name, kind in known.items()} | data
        # The add-on knows four actors; a call of the API is the system to it.
        who = "system" if actor == "api" else actor
        return Hook(hookpoint, self.clock.now(), full, {"actor": who} | context)


def next_due(due: date, cycle: str, anchor: date) -> date:
    """Return the due date one *cycle* after *due*.

    A chain that began on the 31st is due on the last day of shorter months and on
    the 31st again afterwards: the day comes from *anchor*, never from *due*.
    """
    landed = due + relativedelta(months=MONTHS[cycle])
    if due == due + relativedelta(day=anchor.day):
        landed = landed + relativedelta(day=anchor.day)
    return landed


def _row(table: dict[int, Row], number: int, missing: str) -> Row:
    try:
        return table[number]
    except KeyError:
        raise NotFoundError(missing) from None
