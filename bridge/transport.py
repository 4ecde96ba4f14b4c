"""Transport: the only HTTP connections we open.

A provider or a panel describes a `Call` and reads an `Answer`; `Transport.send`
does the rest: one pool of kept connections per host, certificates always
checked, no redirects, no proxies, a deadline for the whole exchange and a cap
on what comes back. It never repeats a call that may have been carried out.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bridge.dialing import (
    Exchange,
    Forbidden,
    Resolve,
    check_address,
    current,
    origin,
    pool_classes,
    resolver,
)
from bridge.errors import Reason, RemoteError

#: Nobody makes us wait longer than this by a `Retry-After`.
LONGEST_WAIT = 3600.0

_CHUNK = 65536

__all__ = ["Answer", "Call", "Transport", "check_address"]


@dataclass(frozen=True)
class Call:
    """One HTTP request as it is sent; printing it shows neither headers nor body."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def post(
        cls,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """Describe a POST of a form, of JSON or of a ready *body*."""
        kind = {}
        if form is not None:
            body = urlencode(form, errors="replace").encode("ascii")
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
        elif json is not None:
            body = _dump(json)
            kind = {"Content-Type": "application/json"}
        return cls("POST", url, {**kind, **(headers or {})}, body)

    @classmethod
    def get(cls, url: str, *, headers: Mapping[str, str] | None = None) -> Call:
        """Describe a GET."""
        return cls("GET", url, headers or {})


@dataclass(frozen=True)
class Answer:
    """What came back: decompressed, at most as large as the cap."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """Return a header whatever its case, or an empty text."""
        wanted = name.casefold()
        return next((v for k, v in self.headers.items() if k.casefold() == wanted), "")

    def json(self) -> Any:
        """Return the decoded body; numbers with a point are `Decimal`.

        Raises ValueError and nothing else, also for nesting without end. A byte
        order mark or blanks before the JSON are tolerated.
        """
        try:
            text = self.body.decode("utf-8").lstrip("\ufeff \t\r\n")
            return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def field(self, service: str, *path: str | int) -> Any:
        """Return what stands at *path* in the JSON, or raise `RemoteError`."""
        try:
            found = self.json()
            for step in path:
                found = found[step]
        except (ValueError, KeyError, IndexError, TypeError):
            where = ".".join(str(step) for step in path)
            raise RemoteError(
                service,
                Reason.UNREADABLE,
                f"HTTP {self.status}: no {where} in the answer",
            ) from None
        return found

    def retry_after(self, now: datetime) -> float | None:
        """Return for how many seconds it asks to be left alone; nonsense is None."""
        text = self.header("Retry-After").strip()
        if re.fullmatch(r"[0-9]{1,9}", text):
            return min(float(text), LONGEST_WAIT)
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        wait = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        return min(wait, LONGEST_WAIT) if wait > 0 else None


class Transport:
    """A pool of connections shared by all threads; close it when done.

    *pool* is how many connections per host are kept: as many as threads.
    *connect* and *total* are seconds; *total* holds for name, connection,
    writing and the last byte of the answer together, except that a system
    resolver that hangs is not interrupted. *cap* is bytes after decompression.
    *ca_file* replaces the public certificate authorities with a company's own.
    """

    def __init__(
        self,
        pool: int = 32,
        connect: float = 10.0,
        total: float = 30.0,
        cap: int = 5_000_000,
        version: str = "",
        *,
        ca_file: str = "",
        resolve: Resolve = resolver,
    ) -> None:
        self._connect = connect
        self._total = total
        self._cap = cap
        self._resolve = resolve
        self._adapter = _Adapter(pool, ca_file)
        agent = f"whmcs-bridge/{version}" if version else "whmcs-bridge"
        self._headers = {"User-Agent": agent, "Accept-Encoding": "gzip, deflate"}

    def send(
        self,
        call: Call,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
        service: str = "",
    ) -> Answer:
        """Send *call* and return the answer, whatever its status.

        *deadline* in seconds replaces the total. Only an *idempotent* call is
        sent again, and only when a kept connection turned out to be closed.
        Raises `RemoteError` in the name of *service* (else of the host), whose
        `sent` is false as long as nothing was written.
        """
        seconds = self._total if deadline is None else deadline
        ends = time.monotonic() + seconds
        while True:
            exchange = Exchange(ends, self._connect, self._resolve)
            try:
                return self._exchange(call, exchange)
            except _FAILURES as error:
                # A kept connection may have been closed by the other side just
                # then. Each such failure uses one up, so this comes to an end.
                stale = not exchange.fresh and exchange.sent and not exchange.heard
                late = time.monotonic() >= ends
                if idempotent and stale and not late:
                    continue
                _fail(service, call.url, exchange, error, seconds)

    def _exchange(self, call: Call, exchange: Exchange) -> Answer:
        origin(call.url)
        request = requests.PreparedRequest()
        request.method = call.method
        request.url = call.url
        request.headers = CaseInsensitiveDict({**self._headers, **call.headers})
        request.body = call.body or None
        if call.method != "GET":
            request.headers["Content-Length"] = str(len(call.body))
        exchange.body_follows = bool(call.body)
        current.exchange = exchange
        left = exchange.left()
        timeout = (min(left, self._connect), left)
        response = self._adapter.send(request, stream=True, timeout=timeout)
        try:
            body = self._read(response.raw)
        except BaseException:
            response.raw.close()
            raise
        response.raw.release_conn()
        return Answer(response.status_code, response.headers, body)

    def _read(self, raw: urllib3.HTTPResponse) -> bytes:
        """Read the body piece by piece, so that a small bomb stays small."""
        pieces, size = [], 0
        while piece := raw.read(_CHUNK, decode_content=True):
            size += len(piece)
            if size > self._cap:
                raise _TooLarge(f"the answer is larger than {self._cap} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the kept connections."""
        self._adapter.close()

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _TooLarge(Exception):
    """The cap was reached."""


_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    _TooLarge,
)


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """Return the one context for these authorities: reading all of them takes long."""
    return ssl.create_default_context(cafile=ca_file)


class _Adapter(HTTPAdapter):
    """requests' adapter on our own connections, with one TLS context for all.

    A plain Session costs twice the time per call, and reads proxies, passwords
    and certificate authorities from the environment.
    """

    def __init__(self, pool: int, ca_file: str) -> None:
        self._tls = _tls(ca_file or DEFAULT_CA_BUNDLE_PATH)
        super().__init__(pool_connections=16, pool_maxsize=pool, max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **more: Any
    ) -> None:
        """Make the pools; each keeps *maxsize* connections."""
        self.poolmanager = urllib3.PoolManager(
            connections, maxsize=maxsize, block=block, ssl_context=self._tls
        )
        self.poolmanager.pool_classes_by_scheme = pool_classes

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *ignored: Any, **more: Any
    ) -> Any:
        """Return the pool of the address, as `origin` understood it."""
        scheme, host, port = origin(request.url or "")
        return self.poolmanager.connection_from_host(host, port, scheme)

    def cert_verify(self, conn: Any, *ignored: Any, **more: Any) -> None:
        """Leave no way to switch the check of certificates off."""
        conn.cert_reqs = "CERT_REQUIRED"


def _fail(
    service: str, url: str, exchange: Exchange, error: Exception, seconds: float
) -> NoReturn:
    """Raise what happened as `RemoteError`.

    The cause is not chained: its text holds the path and query of the address,
    or the value of a header.
    """
    host = urlsplit(url).hostname or "?" if "//" in url else "?"
    name = service or host
    reason, detail = _told(exchange, error, host, seconds)
    raise RemoteError(name, reason, detail, sent=exchange.sent) from None


def _told(
    exchange: Exchange, error: Exception, host: str, seconds: float
) -> tuple[Reason, str]:
    late = time.monotonic() >= exchange.ends
    if isinstance(error, _TooLarge):
        return Reason.UNREADABLE, str(error)
    if not exchange.sent:
        return _not_sent(exchange, error, host)
    if late:
        return Reason.UNREACHABLE, f"{host} did not finish answering in {seconds:g} s"
    if exchange.heard:
        return Reason.UNREADABLE, f"the answer of {host} was cut short or is no HTTP"
    return Reason.UNREACHABLE, f"{host} closed the connection without an answer"


def _not_sent(exchange: Exchange, error: Exception, host: str) -> tuple[Reason, str]:
    if exchange.trouble:
        return exchange.trouble
    if isinstance(error, requests.exceptions.SSLError):
        found = re.search(r"certificate verify failed: ([\w ,'-]{1,80})", str(error))
        why = found.group(1).strip() if found else "no secure connection"
        return Reason.UNREACHABLE, f"the certificate of {host} is not accepted: {why}"
    if isinstance(error, Forbidden):
        return Reason.REFUSED, str(error)
    if isinstance(error, ValueError):
        return Reason.REFUSED, "a header or the address holds a character not allowed"
    return Reason.UNREACHABLE, f"no connection to {host}"


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
