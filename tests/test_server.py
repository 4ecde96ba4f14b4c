"""The real server: sizes, slow senders, broken requests, and an end without loss."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from bridge.demo.hooks import sign
from bridge.errors import ConfigError
from bridge.intake import BODY_LIMIT
from bridge.server import Server
from bridge.signing import new_secret

ROOT = Path(__file__).parent.parent
PAID = b'{"type":"InvoicePaid","data":{"invoiceid":1}}'
PROBLEM = "application/problem+json"

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Return a function that serves an application on a free port until the end."""
    with ExitStack() as running:

        def start(app: Flask, host: str = "127.0.0.1", **more: Any) -> Server:
            server = Server(app, host, 0, **more)
            thread = server.start()
            running.callback(thread.join, 10)
            running.callback(server.stop)
            return server

        yield start


@pytest.fixture
def server(kit, serving) -> Server:
    """The bridge's application on a socket."""
    return serving(kit.bridge.app())


def call(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str, bytes]:
    """Make one request; return status, content type and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with closing(kept):
        chunked = not isinstance(body, bytes | None)
        kept.request(method, path, body, named, encode_chunked=chunked)
        got = kept.getresponse()
        return got.status, got.headers.get_content_type(), got.read()


def raw(server: Server, *pieces: bytes) -> tuple[int, str, str]:
    """Send bytes as they are; return status, content type and all that came back."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        for piece in pieces:
            sock.sendall(piece)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        body = answer.read().decode()
        return answer.status, answer.headers.get_content_type(), body


def padded(size: int) -> bytes:
    """Return a good body of that many bytes."""
    head, tail = b'{"type":"InvoicePaid","data":{"x":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


# --- Deliveries ---


def test_deliveries_over_one_kept_connection_are_taken(kit, server):
    kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with closing(kept):
        for number in range(3):
            headers = kit.headers(f"msg_{number}", PAID)
            kept.request("POST", "/hooks/whmcs", PAID, headers)
            answer = kept.getresponse()
            assert (answer.status, b'"accepted"' in answer.read()) == (202, True)

    assert len(kit.events()) == 3


SIZES = [(BODY_LIMIT, 202), (BODY_LIMIT + 1, 413), (3_000_000, 413)]


@pytest.mark.parametrize(("size", "status"), SIZES)
@pytest.mark.parametrize("way", ["with length", "chunked"])
def test_a_body_over_the_limit_is_413_with_length_and_chunked(
    size, status, way, kit, server
):
    body = padded(size)
    pieces = (body[n : n + 8192] for n in range(0, size, 8192))
    headers = kit.headers("msg_1", body)

    given = pieces if way == "chunked" else body
    try:
        answer = call(server, "POST", "/hooks/whmcs", given, **headers)
    except (BrokenPipeError, ConnectionResetError):
        answer = (413, PROBLEM, b"")  # it hung up on the rest: that is fine too

    kind = "application/json" if status == 202 else PROBLEM
    assert answer[:2] == (status, kind)
    assert len(kit.events()) == (status == 202)


def test_an_announced_body_that_is_too_large_is_413_before_it_comes(server):
    head = b"POST /hooks/whmcs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"

    status, kind, body = raw(server, head)

    assert (status, kind) == (413, PROBLEM)
    assert json.loads(body)["status"] == 413


START = b"POST /hooks/whmcs HTTP/1.1\r\nHost: x\r\n"
BROKEN = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a length that is none": (START + b"Content-Length: x\r\n\r\n", 400),
    "a length below zero": (START + b"Content-Length: -5\r\n\r\n", 400),
    "two lengths": (START + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a header without a colon": (START + b"webhook-id\r\n\r\n", 400),
    "a bare line end in a header": (START + b"webhook-id: a\nb: c\r\n\r\n", 400),
    "a folded header": (START + b"webhook-id: a\r\n b\r\n\r\n", None),
    "an encoding nobody knows": (START + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "chunks that are none": (
        START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        400,
    ),
    "headers without end": (START + b"a: " + b"x" * 300_000 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize(("sent", "status"), BROKEN.values(), ids=BROKEN.keys())
def test_a_request_that_cannot_be_read_is_a_4xx_problem(sent, status, server):
    found, kind, body = raw(server, sent)

    assert found == status or (status is None and found in (400, 415))
    assert kind == PROBLEM
    assert json.loads(body)["status"] == found
    assert json.loads(body)["detail"]
    assert "waitress" not in body.casefold()


# --- Slow senders ---


def test_two_hundred_slow_senders_change_nothing_for_the_others(kit, server):
    stop = threading.Event()
    head = START + b"Content-Type: application/json\r\n"
    with ExitStack() as opened:
        slow = [
            opened.enter_context(
                socket.create_connection(("127.0.0.1", server.port), 10)
            )
            for _ in range(200)
        ]
        for sock in slow[:100]:
            sock.sendall(head + b"Content-Length: 1000\r\n\r\n{")

        def dribble() -> None:
            for byte in head * 100:
                for sock in slow:
                    sock.sendall(bytes([byte]))
                if stop.wait(0.01):
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            began = time.monotonic()
            health = call(server, "GET", "/healthz")
            after_health = time.monotonic() - began
            taken = [
                call(server, "POST", "/hooks/whmcs", PAID, **kit.headers(f"m{n}", PAID))
                for n in range(20)
            ]
            took = time.monotonic() - began
        finally:
            stop.set()
            thread.join(10)

    assert health[0] == 200
    assert after_health < 1
    assert [one[0] for one in taken] == [202] * 20
    assert took < 5


# --- The end ---


def test_stopping_answers_what_was_taken_and_takes_nothing_more(serving):
    app, inside, go_on = Flask("slow"), threading.Event(), threading.Event()
    answers: list[int] = []

    @app.get("/slow")
    def slow() -> str:
        inside.set()
        go_on.wait(10)
        return "x" * 500_000

    server = serving(app, threads=1)  # one is inside, one waits behind it
    kept = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(2)]
    for one in kept:
        one.connect()
        one.request("GET", "/slow")

    def read(one: http.client.HTTPConnection) -> None:
        with closing(one):
            answers.append(len(one.getresponse().read()))

    asking = [threading.Thread(target=read, args=(one,)) for one in kept]
    stopping = threading.Thread(target=server.stop)
    inside.wait(10)
    for thread in (*asking, stopping):
        thread.start()
    refused = turned_away(server.port)
    waits = stopping.is_alive()
    go_on.set()
    for thread in (*asking, stopping):
        thread.join(10)

    assert refused
    assert waits
    assert answers == [500_000, 500_000]
    assert not stopping.is_alive()


def turned_away(port: int) -> bool:
    """Wait until nobody listens on a port any more."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return True
    return False


def test_stopping_writes_to_no_descriptor_that_is_closed_already():
    """The serving thread wakes late, and finds the last call of `stop` waiting too."""
    server = Server(Flask("late"), "127.0.0.1", 0)
    trigger = server._listeners[0].trigger
    pull, pulls = trigger._physical_pull, []

    def late() -> None:
        pulls.append(server.start() if pulls else None)
        if len(pulls) == 2:
            pulls[1].join(0.3)
        pull()

    trigger._physical_pull = late
    server.stop()
    pulls[1].join(5)

    assert len(pulls) == 2
    assert not pulls[1].is_alive()


def test_a_server_stops_at_once_when_nobody_asks(serving):
    server = serving(Flask("idle"))
    idle = socket.create_connection(("127.0.0.1", server.port), 10)
    began = time.monotonic()

    with idle:
        server.stop()

    assert time.monotonic() - began < 2
    assert turned_away(server.port)


def test_stopping_in_mid_traffic_loses_nothing_that_was_acknowledged(
    kit, serving, bridge_for
):
    for turn in range(5):
        server = serving(kit.bridge.app())
        taken: list[str] = []
        threads = [
            threading.Thread(target=hammer, args=(kit, server, f"t{turn}_{n}", taken))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        while len(taken) < 20:
            threads[0].join(0.001)
        server.stop()
        for thread in threads:
            thread.join(10)
        kit.bridge.close()
        kit.bridge = bridge_for()

        assert len(taken) >= 20
        assert set(taken) <= {row.id for row in kit.events()}


def hammer(kit: Any, server: Server, name: str, taken: list[str]) -> None:
    """Post until the door closes; note what was acknowledged."""
    for number in range(100_000):
        id = f"{name}_{number}"
        try:
            answer = call(server, "POST", "/hooks/whmcs", PAID, **kit.headers(id, PAID))
        except (OSError, http.client.HTTPException):
            return
        if answer[0] == 202:
            taken.append(id)


# --- Where it listens ---


def test_a_host_with_two_addresses_is_served_on_both_and_stops(
    kit, serving, monkeypatch
):
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*kind, (address, 0)) for address in ("127.0.0.1", "127.0.0.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: both)

    server = serving(kit.bridge.app(), host="localhost")
    monkeypatch.undo()

    assert call(server, "GET", "/healthz")[:2] == (200, "application/json")
    assert raw(server, b"hello\r\n\r\n")[:2] == (400, PROBLEM)
    server.stop()
    assert turned_away(server.port)


def test_an_address_that_is_taken_is_a_problem_that_names_the_setting(serving):
    taken = serving(Flask("first")).port

    with pytest.raises(ConfigError, match=f"BRIDGE_LISTEN: .* 127.0.0.1:{taken}: "):
        Server(Flask("second"), "127.0.0.1", taken)


def test_a_host_that_does_not_exist_is_a_problem_that_names_the_setting():
    with pytest.raises(ConfigError, match=r"BRIDGE_LISTEN: cannot listen on no\.such"):
        Server(Flask("x"), "no.such.host.invalid", 0)


# --- SIGTERM ---


def test_sigterm_ends_a_running_bridge_with_nothing_lost(tmp_path):
    secret = new_secret()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "BRIDGE_SIGNING_SECRETS": secret,
        "BRIDGE_DATABASE_URL": f"sqlite:///{tmp_path}/b.db",
        "BRIDGE_CONFIG_DIR": str(ROOT / "config"),
        "BRIDGE_LISTEN": "127.0.0.1:0",
        "WHMCS_URL": "http://127.0.0.1:9",
        "WHMCS_API_IDENTIFIER": "x",
        "WHMCS_API_SECRET": "x",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge", "run"],
        cwd=tmp_path,
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    port, lines = listening(process)
    taken: list[str] = []
    senders = [
        threading.Thread(target=send_now, args=(port, secret, f"s{n}", taken))
        for n in range(4)
    ]

    for sender in senders:
        sender.start()
    while len(taken) < 40 and any(sender.is_alive() for sender in senders):
        senders[0].join(0.005)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    for sender in senders:
        sender.join(30)
    lines.append(process.communicate(timeout=30)[1])
    took = time.monotonic() - began

    engine = sa.create_engine(f"sqlite:///{tmp_path}/b.db")
    with engine.connect() as db:
        kept = db.exec_driver_sql("SELECT id FROM events").scalars().all()
    engine.dispose()
    log = "".join(lines)
    assert process.returncode == 0, log
    assert took < 30
    assert '"stopped"' in log
    assert "Traceback" not in log
    assert secret[6:] not in log
    assert len(taken) >= 40
    assert set(taken) <= set(kept)
    assert len(kept) == len(set(kept))


def listening(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Read the log of a process until it says where it listens."""
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r'"address": "127\.0\.0\.1:(\d+)"', line):
            return int(found[1]), lines
    raise AssertionError("".join(lines))


def send_now(port: int, secret: str, name: str, taken: list[str]) -> None:
    """Post signed deliveries by the real clock until the door closes.

    Another server may have its port by then, and answer something else.
    """
    for number in range(100_000):
        id, stamp = f"{name}_{number}", int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(secret, id, stamp, PAID),
        }
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            with closing(kept):
                kept.request("POST", "/hooks/whmcs", PAID, headers)
                if kept.getresponse().status != 202:
                    return
                taken.append(id)
        except (OSError, http.client.HTTPException):
            return
