"""Every way in which another server can misbehave, and the addresses we refuse."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bridge.errors import Reason, RemoteError
from bridge.transport import Answer, Call, Transport, check_address

NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)


class Server:
    """A server on this machine that follows a script for each connection."""

    def __init__(self, script: Callable[[Server, socket.socket], None]) -> None:
        self.script = script
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api.php?key=s3cret"
        self.stopped = threading.Event()
        self.connections = 0
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.sock.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        with conn, contextlib.suppress(OSError):
            self.script(self, conn)

    def take(self, conn: socket.socket) -> bytes:
        """Read one request, head and body; empty when the other side closed."""
        got = b""
        while b"\r\n\r\n" not in got:
            piece = conn.recv(65536)
            if not piece:
                return b""
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        while len(body) < int(length or 0):
            body += conn.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def close(self) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def ok(body: bytes = b'{"fine": 1}', *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answering(*answers: bytes) -> Callable[[Server, socket.socket], None]:
    def script(server: Server, conn: socket.socket) -> None:
        while server.take(conn):
            conn.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return script


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(script: Callable[[Server, socket.socket], None]) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(pool=4, connect=1.0, total=5.0, cap=100_000, version="1") as one:
        yield one


def failing(transport: Transport, call: Call, **more: object) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        transport.send(call, **more)
    error = caught.value
    assert "s3cret" not in repr(error) + str(error)
    assert error.__suppress_context__
    return error


def test_a_form_is_posted_and_its_answer_read(serve, transport):
    server = serve(answering(ok()))

    answer = transport.send(Call.post(server.url, form={"a": "é 1"}))

    assert (answer.status, answer.json()) == (200, {"fine": 1})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api.php?key=s3cret HTTP/1.1\r\n")
    assert b"User-Agent: whmcs-bridge/1" in head
    assert b"Content-Type: application/x-www-form-urlencoded" in head
    assert body == b"a=%C3%A9+1"


def test_json_is_posted_and_own_headers_go_along(serve, transport):
    server = serve(answering(ok()))

    transport.send(Call.post(server.url, json={"a": "é"}, headers={"X-Key": "k"}))

    assert server.requests[0].endswith('{"a":"é"}'.encode())
    assert b"X-Key: k" in server.requests[0]
    assert b"Content-Type: application/json" in server.requests[0]


def test_an_empty_post_says_that_it_is_empty(serve, transport):
    server = serve(answering(ok()))

    transport.send(Call.post(server.url))

    assert b"Content-Length: 0" in server.requests[0]


def test_a_get_has_no_body(serve, transport):
    server = serve(answering(ok()))

    transport.send(Call.get(server.url))

    assert server.requests[0].startswith(b"GET ")
    assert b"Content-Length" not in server.requests[0]


def test_a_connection_is_kept_and_shared(serve, transport):
    server = serve(answering(ok()))

    for _ in range(5):
        transport.send(Call.post(server.url, form={}))

    assert server.connections == 1


def test_as_many_connections_as_threads_are_kept(serve):
    gate = threading.Barrier(4, timeout=5)

    def script(server: Server, conn: socket.socket) -> None:
        while server.take(conn):
            gate.wait()
            conn.sendall(ok())

    server = serve(script)
    with Transport(pool=4) as transport:
        for _ in range(2):
            threads = [
                threading.Thread(target=transport.send, args=(Call.get(server.url),))
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    assert server.connections == 4


def test_proxies_and_passwords_of_the_environment_are_not_used(
    serve, transport, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve(answering(ok()))

    transport.send(Call.get(server.url))

    assert b"Authorization" not in server.requests[0]


def test_a_redirect_is_an_answer_and_not_followed(serve, transport):
    target = serve(answering(ok()))
    moved = ok(b"", f"Location: {target.url}", status="307 Temporary Redirect")
    server = serve(answering(moved))

    answer = transport.send(Call.post(server.url, form={"secret": "x"}))

    assert answer.status == 307
    assert target.requests == []


# How far a failed call got


def test_nobody_listening_is_unreachable_and_not_sent(transport):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]

    error = failing(transport, Call.get(f"http://127.0.0.1:{port}/?key=s3cret"))

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert error.detail == "no connection to 127.0.0.1: connection refused"
    assert error.service == "127.0.0.1"


def test_an_unknown_name_is_unreachable_and_not_sent():
    def resolve(host: str, port: int) -> list[tuple[int, object]]:
        raise socket.gaierror(-2, "Name or service not known")

    with Transport(resolve=resolve) as transport:
        error = failing(transport, Call.get("https://gone.example/"), service="whmcs")

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert str(error) == ("whmcs: unreachable: the name gone.example has no address")


def test_a_host_that_takes_no_connection_costs_the_connect_time_only(serve):
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())

    with full, Transport(connect=0.2, total=5) as transport:
        began = time.monotonic()
        error = failing(
            transport, Call.get(f"http://127.0.0.1:{full.getsockname()[1]}")
        )
    for sock in waiting:
        sock.close()

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert "timed out" in error.detail
    assert time.monotonic() - began < 2


def test_the_second_address_of_a_name_is_tried(serve):
    server = serve(answering(ok()))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        closed = sock.getsockname()

    def resolve(host: str, port: int) -> list[tuple[int, object]]:
        return [
            (socket.AF_INET, closed),
            (socket.AF_INET, ("127.0.0.1", server.port)),
        ]

    with Transport(resolve=resolve) as transport:
        answer = transport.send(Call.get("http://localhost/"))

    assert answer.status == 200


def dribble_head(server: Server, conn: socket.socket) -> None:
    server.take(conn)
    conn.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not server.stopped.wait(0.02):
        conn.sendall(b"x")


def dribble_body(server: Server, conn: socket.socket) -> None:
    server.take(conn)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n")
    while not server.stopped.wait(0.02):
        conn.sendall(b"x")


def dribble_continues(server: Server, conn: socket.socket) -> None:
    server.take(conn)
    while not server.stopped.wait(0.02):
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def silence(server: Server, conn: socket.socket) -> None:
    server.take(conn)
    server.stopped.wait()


@pytest.mark.parametrize(
    "script", [dribble_head, dribble_body, dribble_continues, silence]
)
def test_a_slow_answer_ends_with_the_deadline(serve, transport, script):
    server = serve(script)
    began = time.monotonic()

    error = failing(transport, Call.post(server.url, form={}), deadline=0.3)

    assert 0.25 < time.monotonic() - began < 2
    assert (error.reason, error.sent) == (Reason.UNREACHABLE, True)
    assert error.detail == "127.0.0.1 did not finish answering in 0.3 s"


def test_a_connection_given_up_is_not_used_again(serve, transport):
    def script(server: Server, conn: socket.socket) -> None:
        server.take(conn)
        if server.connections == 1:
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nol")
            server.stopped.wait()
        conn.sendall(ok(b"new"))

    server = serve(script)
    failing(transport, Call.get(server.url), deadline=0.2)

    assert transport.send(Call.get(server.url)).body == b"new"


def cut(raw: bytes) -> Callable[[Server, socket.socket], None]:
    def script(server: Server, conn: socket.socket) -> None:
        server.take(conn)
        conn.sendall(raw)

    return script


CUT = {
    "in the body": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"result":"su',
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "in the head": b"HTTP/1.1 2",
    "no HTTP at all": b"220 mail.example ESMTP\r\n",
    "broken compression": ok(b"not gzip", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("raw", CUT.values(), ids=CUT.keys())
def test_a_cut_answer_is_unreadable_and_may_have_been_carried_out(
    serve, transport, raw
):
    server = serve(cut(raw))

    error = failing(transport, Call.post(server.url, form={}), idempotent=True)

    assert (error.reason, error.sent) == (Reason.UNREADABLE, True)
    assert server.connections == 1


def test_no_answer_at_all_may_have_been_carried_out(serve, transport):
    server = serve(cut(b""))

    error = failing(transport, Call.post(server.url, form={}), idempotent=True)

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, True)
    assert server.connections == 1


# A kept connection that the server closed


def closes_kept(server: Server, conn: socket.socket) -> None:
    """Serve one request per connection, and hang up when a second one is there."""
    server.take(conn)
    conn.sendall(ok())
    server.take(conn)


def test_a_reading_call_on_a_closed_kept_connection_is_sent_again(serve, transport):
    server = serve(closes_kept)
    transport.send(Call.get(server.url))

    answer = transport.send(Call.get(server.url), idempotent=True)

    assert answer.status == 200
    assert (server.connections, len(server.requests)) == (2, 3)


def test_an_acting_call_on_a_closed_kept_connection_is_not_sent_again(serve, transport):
    server = serve(closes_kept)
    transport.send(Call.get(server.url))

    error = failing(transport, Call.post(server.url, form={"a": "1"}))

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, True)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_connection_closed_while_idle_is_replaced_even_for_an_acting_call(
    serve, transport
):
    closed = threading.Event()

    def script(server: Server, conn: socket.socket) -> None:
        server.take(conn)
        conn.sendall(ok())
        conn.shutdown(socket.SHUT_RDWR)
        closed.set()

    server = serve(script)
    transport.send(Call.get(server.url))
    closed.wait(5)

    assert transport.send(Call.post(server.url, form={})).status == 200


# Size


@pytest.mark.parametrize("coding", ["identity", "gzip", "gzip, gzip"])
def test_an_answer_over_the_cap_is_dropped_however_small_it_came(
    serve, transport, coding
):
    body = b"0" * 20_000_000
    for _ in range(coding.count("gzip")):
        body = gzip.compress(body)
    server = serve(cut(ok(body, f"Content-Encoding: {coding}")))

    error = failing(transport, Call.get(server.url))

    assert (error.reason, error.sent) == (Reason.UNREADABLE, True)
    assert error.detail == "the answer is larger than 100000 bytes"


def test_an_answer_as_large_as_the_cap_is_read(serve, transport):
    body = b"0" * 100_000
    server = serve(answering(ok(gzip.compress(body), "Content-Encoding: gzip")))

    assert transport.send(Call.get(server.url)).body == body


def test_an_endless_answer_is_dropped_at_the_cap(serve, transport):
    def script(server: Server, conn: socket.socket) -> None:
        server.take(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.stopped.is_set():
            conn.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")

    server = serve(script)

    error = failing(transport, Call.get(server.url))

    assert error.reason is Reason.UNREADABLE


# Addresses

ALLOWED = [
    "https://panel.example",
    "https://panel.example:8443/whmcs/",
    "https://xn--bcher-kva.example/",
    "https://10.1.2.3/",
    "https://192.168.0.7/",
    "https://[fd00::7]/",
    "https://127.0.0.1/",
    "http://127.0.0.1:8080/",
    "http://127.1/",
    "http://0x7f.1:80/",
    "http://2130706433/",
    "http://localhost/",
    "http://LocalHost./",
    "http://[::1]:80/",
    "http://[::ffff:127.0.0.1]/",
]
REFUSED = [
    "http://panel.example/",
    "http://10.1.2.3/",
    "http://localhost.example/",
    "http://[fd00::7]/",
    "ftp://panel.example/",
    "file:///etc/passwd",
    "panel.example",
    "",
    "https://",
    "https:///path",
    "https://user@panel.example/",
    "https://user:word@panel.example/",
    "https://panel.example\\@169.254.169.254/",
    "https://panel.example/ x",
    "https://panel.example/\r\nHost: x",
    "https://bücher.example/",
    "https://panel.example:0/",
    "https://panel.example:99999/",
    "https://panel.example:x/",
    "https://169.254.169.254/latest/",
    "https://169.254.1.1/",
    "https://2852039166/",
    "https://0xA9FEA9FE/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:a9fe:a9fe::]/",
    "https://[::169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://0.0.0.0/",
    "https://0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://1.2.3.4.5/",
    "https://999.1.1.1/",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_allowed_address(url):
    check_address(url)


@pytest.mark.parametrize("url", REFUSED)
def test_a_refused_address(url, transport):
    with pytest.raises(ValueError, match=r"\w"):
        check_address(url)

    error = failing(transport, Call.get(url))

    assert (error.reason, error.sent) == (Reason.REFUSED, False)


FORBIDDEN = [
    (socket.AF_INET, ("169.254.169.254", 443)),
    (socket.AF_INET6, ("fe80::1%eth0", 443, 0, 2)),
    (socket.AF_INET6, ("::ffff:169.254.169.254", 443, 0, 0)),
    (socket.AF_INET, ("0.0.0.0", 443)),
]


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_a_name_that_leads_to_a_forbidden_address_is_not_connected_to(forbidden):
    def resolve(host: str, port: int) -> list[tuple[int, object]]:
        return [(socket.AF_INET, ("127.0.0.1", 9)), forbidden]

    with Transport(resolve=resolve) as transport:
        error = failing(transport, Call.get("https://panel.example/"))

    assert (error.reason, error.sent) == (Reason.REFUSED, False)


def test_a_name_that_changes_its_answer_is_judged_at_each_connection(serve):
    server = serve(cut(ok(b"1", "Connection: close")))
    answers = iter([("127.0.0.1", server.port), ("192.0.2.1", 80)])

    def resolve(host: str, port: int) -> list[tuple[int, object]]:
        return [(socket.AF_INET, next(answers))]

    with Transport(resolve=resolve) as transport:
        first = transport.send(Call.get("http://localhost/"))
        error = failing(transport, Call.get("http://localhost/"))

    assert first.body == b"1"
    assert (error.reason, error.sent) == (Reason.REFUSED, False)
    assert "192.0.2.1 is another machine" in error.detail


def test_a_header_with_a_line_break_is_refused_without_showing_it(serve, transport):
    server = serve(answering(ok()))

    error = failing(
        transport, Call.get(server.url, headers={"X-Key": "s3cret\r\nX: y"})
    )

    assert (error.reason, error.sent) == (Reason.REFUSED, False)
    assert server.requests == []


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def secure(certificate, serve):
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def script(server: Server, conn: socket.socket) -> None:
        with (
            contextlib.suppress(ssl.SSLError),
            context.wrap_socket(conn, server_side=True) as tls,
        ):
            answering(ok())(server, tls)

    return serve(script)


def test_a_known_certificate_is_accepted_and_the_connection_kept(secure, certificate):
    with Transport(ca_file=str(certificate[0])) as transport:
        for _ in range(3):
            answer = transport.send(Call.get(f"https://localhost:{secure.port}/"))

    assert answer.json() == {"fine": 1}
    assert secure.connections == 1


def test_an_unknown_certificate_is_refused_before_anything_is_sent(secure, transport):
    error = failing(transport, Call.get(f"https://localhost:{secure.port}/"))

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert "certificate of localhost is not accepted: self" in error.detail
    assert secure.requests == []


def test_a_certificate_of_another_name_is_refused(secure, certificate):
    with Transport(ca_file=str(certificate[0])) as transport:
        error = failing(transport, Call.get(f"https://127.0.0.1:{secure.port}/"))

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert secure.requests == []


def test_a_handshake_that_never_ends_costs_the_connect_time_only(serve):
    def script(server: Server, conn: socket.socket) -> None:
        server.stopped.wait()

    server = serve(script)
    began = time.monotonic()
    with Transport(connect=0.2, total=5) as transport:
        error = failing(transport, Call.get(f"https://localhost:{server.port}/"))

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, False)
    assert time.monotonic() - began < 2


# Values


def test_printing_a_call_or_an_answer_shows_no_secret():
    call = Call.post(
        "https://x/?k=s3cret", form={"s": "s3cret"}, headers={"A": "s3cret"}
    )
    answer = Answer(200, {"Set-Cookie": "s3cret"}, b"s3cret")

    assert "s3cret" not in f"{call!r} {call} {answer!r} {answer}"


BAD_JSON = {
    "empty": b"",
    "html": b"<html>",
    "cut": b'{"a": 1',
    "two": b"{}{}",
    "warning first": b'<b>Warning</b>: x in y.php {"result":"success"}',
    "NaN": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "not utf-8": b'{"a": "\xe9"}',
    "endless digits": b"1" * 5000,
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_a_body_that_is_no_json_is_a_value_error(body):
    with pytest.raises(ValueError, match=r".*"):
        Answer(200, {}, body).json()


@pytest.mark.parametrize(
    "body", [b'\xef\xbb\xbf{"a": 1.10}', b' \r\n\t{"a": 1.10}\n\n']
)
def test_a_mark_or_blanks_around_json_do_not_matter_and_floats_are_exact(body):
    told = Answer(200, {}, body).json()

    assert told == {"a": Decimal("1.10")}
    assert str(told["a"]) == "1.10"


def test_a_field_is_found_by_its_path_or_is_unreadable():
    answer = Answer(201, {}, b'{"messages": [{"id": "x"}]}')

    assert answer.field("cloud", "messages", 0, "id") == "x"
    with pytest.raises(
        RemoteError, match=r"cloud: unreadable: HTTP 201: no messages\.1"
    ):
        answer.field("cloud", "messages", 1)


RETRY_AFTER = [
    ("0", 0.0),
    ("120", 120.0),
    (" 7 ", 7.0),
    ("3600", 3600.0),
    ("99999", 3600.0),
    ("999999999999999999", None),
    ("-5", None),
    ("1.5", None),
    ("soon", None),
    ("", None),
    ("１２", None),
    ("Tue, 01 Dec 2026 10:00:30 GMT", 30.0),
    ("Tue, 01 Dec 2026 09:00:00 GMT", None),
    ("Tue, 01 Dec 2099 10:00:00 GMT", 3600.0),
    ("Tue, 99 Dec 2026 10:00:00 GMT", None),
]


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTER)
def test_retry_after_is_capped_and_nonsense_ignored(text, seconds):
    assert Answer(429, {"retry-after": text}).retry_after(NOW) == seconds


def test_no_retry_after_is_none():
    assert Answer(429).retry_after(NOW) is None
