"""A panel and a WhatsApp provider that answer after a while, as cheaply as they can.

One process, one thread. The answers are those of the simulated panel with other
numbers in them. `GET /count` tells how many messages were handed over, `GET /held`
how long an answer about each number was held back: answers that are held back at
the same time count once.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from bench.hooks import NEW_PLAN
from bridge.demo.clock import Clock
from bridge.demo.panel import Panel, Request
from bridge.demo.world import World

_ACTION = re.compile(rb"(?:^|&)action=(\w+)")
_NUMBER = re.compile(rb"&(?:invoiceid|clientid|serviceid|userid|pid)=(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_SENT = b'{"messages":[{"id":"wamid.HBgNNTQ5MTE1NTU1MDEwMBUCABEYEjdF"}]}'
#: These stand where the number goes, plan numbers where the plan's.
_HERE, _PLAN = 987_654_321, 987_654_322


class Answers:
    """The panel's answers as templates, from the simulated panel's own."""

    def __init__(self) -> None:
        world = World.example(Clock.real())
        panel = Panel(world)
        client, invoice = _client_with_invoice(world)
        service = next(s for s in world.services.values() if s.clientid == client)
        ask = _asker(panel)
        whole = ask("GetInvoice", invoiceid=invoice.id)
        for line in whole["items"]["item"]:
            line["relid"] = _HERE
        self._made = {
            b"GetInvoice": _template(
                whole,
                {"invoiceid": _HERE, "userid": _HERE},
            ),
            b"GetClientsDetails": _template(
                ask("GetClientsDetails", clientid=client),
                {"userid": _HERE, "client_id": _HERE, "id": _HERE},
                inside=("client",),
            ),
            b"GetClientsProducts": _template(
                ask("GetClientsProducts", serviceid=service.id),
                {"id": _HERE, "clientid": _HERE, "serviceid": _HERE, "pid": _HERE},
                inside=("products", "product"),
            ),
            b"GetInvoices": _template(
                ask("GetInvoices", userid=client),
                {"id": _HERE, "userid": _HERE},
                inside=("invoices", "invoice"),
            ),
            b"GetProducts": _template(
                ask("GetProducts", pid=service.pid),
                {"pid": _PLAN},
                inside=("products", "product"),
            ),
        }

    def about(self, action: bytes, number: int) -> bytes:
        """Return the answer to *action* about *number*."""
        owner = str(number % NEW_PLAN).encode("ascii")
        body = self._made[action].replace(b"%d" % _HERE, owner)
        return body.replace(b"%d" % _PLAN, str(number).encode("ascii"))


def _client_with_invoice(world: World) -> tuple[int, Any]:
    for invoice in world.invoices.values():
        client = world.clients[invoice.userid]
        paid = invoice.status == "Paid" and invoice.total > Decimal(0)
        has = any(s.clientid == client.id for s in world.services.values())
        if paid and has and client.phonenumber and client.status == "Active":
            return client.id, invoice
    raise LookupError("the example world has no client with a paid invoice")


def _asker(panel: Panel) -> Callable[..., dict[str, Any]]:
    def ask(action: str, **params: Any) -> dict[str, Any]:
        form = {"action": action, "responsetype": "json", **params}
        form |= {"identifier": panel.identifier, "secret": panel.secret}
        kind = "application/x-www-form-urlencoded"
        body = urlencode(form).encode("ascii")
        reply = panel.handle(
            Request("POST", "/includes/api.php", "", kind, body, "127.0.0.1")
        )
        told: dict[str, Any] = json.loads(reply.body)
        if told.get("result") != "success":
            raise LookupError(f"{action}: {told}")
        return told

    return ask


def _template(
    told: dict[str, Any], numbers: dict[str, int], inside: tuple[str, ...] = ()
) -> bytes:
    """Put *numbers* where they stand in an answer, and in its one row or map."""
    found: Any = told
    if inside:
        for name in inside[:-1]:
            found = found[name]
        rows = found[inside[-1]]
        if isinstance(rows, list):
            found[inside[-1]] = rows = rows[:1]
            rows[0] |= {k: v for k, v in numbers.items() if k in rows[0]}
        else:
            rows |= {k: v for k, v in numbers.items() if k in rows}
    told |= {k: v for k, v in numbers.items() if k in told}
    for name in ("totalresults", "numreturned"):
        if name in told:
            told[name] = type(told[name])(1)
    return json.dumps(told).encode("ascii")


@dataclass
class Held:
    """For how many *seconds* at least one answer was held back."""

    seconds: float = 0.0
    _now: int = 0
    _since: float = 0.0

    def take(self, now: float) -> None:
        """Hold one more."""
        self._now += 1
        if self._now == 1:
            self._since = now

    def let_go(self, now: float) -> None:
        """Hold one less."""
        self._now -= 1
        if not self._now:
            self.seconds += now - self._since


class Stub(asyncio.Protocol):
    """One connection: requests in, each answer after *latency* seconds."""

    answers: Answers
    latency = 0.1
    sent = 0
    held: ClassVar[dict[int, Held]] = defaultdict(lambda: Held())

    def __init__(self) -> None:
        self._got = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer whatever is whole."""
        self._got += data
        while True:
            head, end, rest = self._got.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._got = rest[size:]
            self._answer(head, rest[:size])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /count"):
            return self._write(str(Stub.sent).encode("ascii"))
        if head.startswith(b"GET /held"):
            seconds = {number: held.seconds for number, held in self.held.items()}
            return self._write(json.dumps(seconds).encode("ascii"))
        loop = asyncio.get_running_loop()
        if b"/messages " in head:
            loop.call_later(self.latency, self._hand_over)
            return None
        number = int(_NUMBER.search(body)[1])  # type: ignore[index]
        answer = self.answers.about(_ACTION.search(body)[1], number)  # type: ignore[index]
        self.held[number % NEW_PLAN].take(loop.time())
        if self.latency:
            loop.call_later(self.latency, self._let_go, number, answer)
        else:
            self._let_go(number, answer)
        return None

    def _hand_over(self) -> None:
        Stub.sent += 1
        self._write(_SENT)

    def _let_go(self, number: int, answer: bytes) -> None:
        self.held[number % NEW_PLAN].let_go(asyncio.get_running_loop().time())
        self._write(answer)

    def _write(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Stub, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve on a port, each answer after so many seconds."""
    port, Stub.latency = int(sys.argv[1]), float(sys.argv[2])
    Stub.answers = Answers()
    asyncio.run(_serve(port))


if __name__ == "__main__":
    main()
