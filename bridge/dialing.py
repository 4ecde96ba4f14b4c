"""Dialing: which addresses may be connected to, and connections with a clock.

Only `transport` uses this. An address is judged twice: as it is written, when
it is loaded, and as it resolves, at the moment of connecting, because a name
may answer differently by then.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from bridge.errors import Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Gives (family, socket address) for a host and a port, or raises OSError.
Resolve = Callable[[str, int], list[tuple[int, Any]]]

# Private networks are allowed on purpose, over https: only the operator writes
# these addresses, and a panel or WhatsApp gateway in his own network is common.
# What no operator means are the addresses where clouds hand out credentials.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_NETLOC = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?")
_NUMBER = r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)"
_NUMERIC = re.compile(rf"{_NUMBER}(?:\.{_NUMBER})*\.?")


class Forbidden(ValueError):
    """An address that we do not connect to; the sentence says why."""


def check_address(url: str) -> None:
    """Raise ValueError, with a sentence, unless *url* may be connected to.

    https to anywhere but link-local and cloud metadata addresses; http only to
    this machine. No user and password in it, host names in ASCII.
    """
    origin(url)


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of *url*, or raise ValueError."""
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise Forbidden("an address holds no blanks, backslashes or control characters")
    parts = urlsplit(url)
    return _origin(parts.scheme, parts.netloc)


@lru_cache(maxsize=256)
def _origin(scheme: str, netloc: str) -> tuple[str, str, int]:
    if scheme not in ("https", "http"):
        raise Forbidden("an address starts with https://")
    if "@" in netloc:
        raise Forbidden("an address holds no user or password")
    match = _NETLOC.fullmatch(netloc)
    if match is None:
        raise Forbidden("an address needs a host name in ASCII (xn--... for others)")
    host = match.group(1).strip("[]").lower()
    port = int(match.group(2) or (443 if scheme == "https" else 80))
    if not 0 < port < 65536:
        raise Forbidden(f"{port} is no port")
    literal = _literal(host, bracketed=netloc.startswith("["))
    if literal is not None:
        check_ip(literal, tls=scheme == "https")
    elif scheme == "http" and host.rstrip(".") != "localhost":
        raise Forbidden("http:// is for this machine only: use https://")
    return scheme, host, port


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """Read an address in any spelling that a resolver takes: 0x7f.1, 2130706433."""
    try:
        if bracketed:
            return ipaddress.ip_address(host)
        if _NUMERIC.fullmatch(host):
            return ipaddress.ip_address(socket.inet_aton(host.rstrip(".")))
    except (ValueError, OSError):
        raise Forbidden(f"{host} is no address") from None
    return None


def check_ip(address: Address, *, tls: bool) -> None:
    """Raise ValueError unless *address* may be connected to."""
    real = _embedded(address)
    if (
        real.is_link_local
        or real.is_multicast
        or real.is_unspecified
        or real in _METADATA
        or (real.version == 4 and (real.is_reserved or real in _THIS_NETWORK))
        or (real.version == 6 and real in _COMPATIBLE and not real.is_loopback)
    ):
        raise Forbidden(f"{real} is an address that nobody is asked at")
    if not tls and not real.is_loopback:
        raise Forbidden(f"{real} is another machine: use https://")


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def resolver(host: str, port: int) -> list[tuple[int, Any]]:
    """Ask the system for the addresses of *host*."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


class Exchange:
    """One request and its answer: its clock, and how far it got.

    *fresh*: a connection was opened for it. *sent*: writing began. *heard*:
    something came back. *trouble*: why no connection was made.
    """

    __slots__ = (
        "body_follows",
        "connect",
        "ends",
        "fresh",
        "head",
        "heard",
        "resolve",
        "sent",
        "trouble",
    )

    def __init__(self, ends: float, connect: float, resolve: Resolve) -> None:
        self.ends = ends
        self.connect = connect
        self.resolve = resolve
        self.fresh = self.sent = self.heard = self.body_follows = False
        self.head = b""
        self.trouble: tuple[Reason, str] | None = None

    def left(self) -> float:
        """Return the seconds that are left, or raise TimeoutError."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def dial(self, host: str, port: int, *, tls: bool) -> socket.socket:
        """Connect to the first address of *host* that answers.

        All of them must be allowed. Each gets its share of the time.
        """
        self.fresh = True
        by = time.monotonic() + min(self.connect, self.left())
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError):
            self._give_up(f"the name {host} has no address")
        for _, address in found:
            check_ip(ipaddress.ip_address(address[0].partition("%")[0]), tls=tls)
        why = "no address"
        for number, (family, address) in enumerate(found):
            left = (by - time.monotonic()) / (len(found) - number)
            if left <= 0:
                why = "timed out"
                break
            try:
                return _connected(family, address, left, by, tls=tls)
            except TimeoutError:
                why = "timed out"
            except OSError as error:
                why = (error.strerror or "failed").lower()
        self._give_up(f"no connection to {host}: {why}")

    def _give_up(self, detail: str) -> NoReturn:
        self.trouble = (Reason.UNREACHABLE, detail)
        raise OSError(detail) from None


def _connected(
    family: int, address: Any, seconds: float, by: float, *, tls: bool
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(seconds)
        sock.connect(address)
        peer = sock.getpeername()[0].partition("%")[0]
        check_ip(ipaddress.ip_address(peer), tls=tls)
        # What is left is for the TLS handshake, which counts it as a whole.
        sock.settimeout(max(by - time.monotonic(), 0.01))
    except BaseException:
        sock.close()
        raise
    return sock


class _Current(threading.local):
    """The exchange that this thread is in; a call never changes threads."""

    exchange: Exchange


current = _Current()


class _ClockedSocket(io.RawIOBase):
    """Reading from a socket with what is left of the deadline.

    The time-out of requests and of a socket holds for each read alone: a server
    that sends one byte a second would be listened to for ever.
    """

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._exchange = current.exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.left())
        size = self._raw.readinto(buffer)
        if size:
            self._exchange.heard = True
        return size

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _ClockedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_ClockedSocket(sock, raw))


class _Clocked:
    """What both kinds of connection do our way."""

    response_class = _ClockedResponse
    _dns_host: str
    port: int
    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        tls = isinstance(self, HTTPSConnection)
        return current.exchange.dial(self._dns_host, self.port, tls=tls)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # of the other base class
        exchange = current.exchange
        if exchange.body_follows:
            # Head and body leave together: one packet, one write less.
            exchange.head, exchange.body_follows = data, False
            return
        data, exchange.head = exchange.head + data, b""
        exchange.sent = True
        super().send(data)  # type: ignore[misc]  # likewise


class _Http(_Clocked, HTTPConnection):  # type: ignore[misc]  # narrower on purpose
    """To this machine only."""


class _Https(_Clocked, HTTPSConnection):  # type: ignore[misc]  # narrower on purpose
    """To anywhere else."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


pool_classes = {"http": _HttpPool, "https": _HttpsPool}
