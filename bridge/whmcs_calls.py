"""One call of the WHMCS API: how it is sent, and what its answer says happened.

The classic API documents no status codes, so the body is read first and the
message decides. https://developers.whmcs.com/api/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from bridge.errors import NoModule, Reason, RemoteError
from bridge.scrubbing import Scrubber
from bridge.transport import Answer, Call, check_address
from bridge.whmcs_fields import clean, nested
from bridge.whmcs_form import form

SERVICE = "whmcs"

_OURS = frozenset({"action", "identifier", "secret", "accesskey", "responsetype"})
_LONGEST = 300
_MOST_READ = 4000

#: Actions whose documented answer has no `result`.
_WITHOUT_RESULT = frozenset(
    {"AddBillableItem", "GetAdminUsers", "GetPermissionsList", "GetProject"}
)

#: Actions that hand on whatever the server or registrar module says.
_MODULE_SPEAKS = re.compile(r"Module[A-Z]|Domain[A-Z]|UpdateClientDomain|AcceptOrder")

# https://developers.whmcs.com/api/access-control/ and
# https://docs.whmcs.com/system/authentication/api-credentials
_ALLOW_AT = (
    "Configuration > System Settings > General Settings > Security > "
    "API IP Access Restriction"
)
_ROLES_AT = "Configuration > System Settings > Manage API Credentials > API Roles"

_ADDRESS = re.compile(r"invalid ip\b\s*(\S*)", re.I)
_CREDENTIALS = re.compile(r"authentication failed|invalid or missing credentials", re.I)
_PERMISSION = re.compile(r"invalid permissions\b.*", re.I | re.S)
_NOT_FOUND = re.compile(
    r"(client|contact|department|domain|invoice|product|quote|service|user)"
    r"( id)? not found|the system cannot find the provided user id"
    r"|invalid name for parameter setting",
    re.I,
)
_NO_MODULE = re.compile(r"service not assigned to a module", re.I)

# Texts by which an action documents that it did nothing at all.
_NOTHING_DONE = re.compile(
    r"existing cancellation request exists"
    r"|cannot create and send a draft invoice in a single api request\..*"
    r"|invoice must be in draft status to be published"
    r"|missing variables: .*|invalid status .*|invalid payment method\..*"
    r"|invalid upgrade type|unable to accept upgrade order\..*"
    r"|name and email address are required if not a client"
    r"|(subject|message|service id|parameter setting) is required"
    r"|email address invalid|notes can not be empty|invalid date format"
    r"|either clientid or email is required|ns1 and ns2 required"
    r"|the registrar is not active|empty action request"
    r"|(action|command|function) not found",
    re.I | re.S,
)
_HIDDEN = re.compile(
    r"\+\d[\d\s.()-]{6,}\d|\b\d{10,}\b|(?<=password)\s*[:=]\s*\S+|(?<=secret)\s*[:=]\s*\S+",
    re.I,
)


class Sender(Protocol):
    """What is needed of `Transport`."""

    def send(
        self,
        call: Call,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
        service: str = "",
    ) -> Answer:
        """Send a call and return its answer."""
        ...


class Credentials:
    """Identifier, secret and access key, kept as the start of every form."""

    __slots__ = ("_start", "hide")

    def __init__(
        self,
        identifier: str,
        secret: str,
        access_key: str = "",
        others: Iterable[str] = (),
    ) -> None:
        if not identifier or not secret:
            raise ValueError("the API needs an identifier and a secret")
        known = {"identifier": identifier, "secret": secret}
        known |= {"accesskey": access_key} if access_key else {}
        self._start = form({**known, "responsetype": "json"})
        #: Takes them out of a text, and all *others* that must not be shown.
        self.hide = Scrubber([*known.values(), *others], "***")

    def sign(self, action: str, params: Mapping[str, Any]) -> bytes:
        """Return the whole form of a call."""
        if taken := _OURS & params.keys():
            raise TypeError(f"the client itself sets {', '.join(sorted(taken))}")
        return f"{self._start}&{form({'action': action, **params})}".encode("ascii")

    def __repr__(self) -> str:
        return "***"


class WhmcsApi:
    """The calls themselves; `WhmcsClient` is what to use."""

    def __init__(
        self,
        transport: Sender,
        url: str,
        credentials: Credentials,
        *,
        timeout: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        check_address(url)
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("the panel's address has no ? and no #")
        if parts.path.endswith(".php"):
            raise ValueError("the panel's base address names no page (.php)")
        self._transport = transport
        self._credentials = credentials
        self._address = f"{url.rstrip('/')}/includes/api.php"
        self._timeout = timeout
        self._now = now
        self._off: timedelta | None = None
        self._told = ""

    def call(self, action: str, /, **params: Any) -> Any:
        """Call any action and return its whole answer, decoded.

        Flags, days, amounts, lists and maps are written as PHP reads them; None
        is left out. Answers may hold secrets: keep only what is needed. Raises
        `RemoteError`. Nothing is repeated, except a reading call whose kept
        connection was already closed.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = self._credentials.sign(action, params)
        answer = self._transport.send(
            Call("POST", self._address, headers, body),
            deadline=self._timeout,
            idempotent=reads_only(action),
            service=SERVICE,
        )
        self._compare_clocks(answer)
        return self._understand(action, answer)

    def clock_off(self) -> timedelta | None:
        """Return how far our clock was ahead of the panel's at its last answer.

        Below zero it was behind; None where the panel does not tell its time.
        """
        return self._off

    def _compare_clocks(self, answer: Answer) -> None:
        told = answer.header("Date")
        if told == self._told:  # it tells whole seconds, and costs more to read
            return
        with suppress(ValueError, TypeError, OverflowError):
            at = parsedate_to_datetime(told)
            self._off = self._now() - at.replace(tzinfo=at.tzinfo or UTC)
            self._told = told

    def _understand(self, action: str, answer: Answer) -> Any:
        """Return what was answered, or raise what the panel meant by it."""
        try:
            told = answer.json()
            told = nested(told) if isinstance(told, dict) else told
        except ValueError:
            told = None
        if isinstance(told, dict) and _failed(told):
            self._fail(action, answer, str(told.get("message") or "no reason given"))
        self._check_status(action, answer)
        if isinstance(told, dict):
            result = str(told.get("result", "")).casefold()
            if result == "success" or ("result" not in told and _resultless(action)):
                return told
        elif isinstance(told, list) and action == "GetRegistrars":
            return told
        raise unreadable(f"the answer to {action} is not what the API documents")

    def _check_status(self, action: str, answer: Answer) -> None:
        status = answer.status
        wait = answer.retry_after(self._now())
        if status == 429 or (status == 503 and wait is not None):
            raise RemoteError(
                SERVICE,
                Reason.RATE_LIMITED,
                f"HTTP {status} to {action}",
                sent=status != 429,
                retry_after=wait,
            )
        if 300 <= status < 400:
            raise unreadable(
                f"HTTP {status}, a redirect, to {action}: "
                "set the panel's address to where it leads"
            )
        if not 200 <= status < 300:
            raise unreadable(f"HTTP {status} to {action}, and no answer of the API")

    def _fail(self, action: str, answer: Answer, message: str) -> None:
        """Raise what an error message means; see the table at the top."""
        whole = self._credentials.hide(message[: 4 * _MOST_READ])
        message = clean(whole[:_MOST_READ])
        message = " ".join(message.split()).rstrip(".")
        # "Authentication failed" of a server module is not about our credentials.
        modules = bool(_MODULE_SPEAKS.match(action)) and answer.status == 200
        access = None if modules else _access(action, message)
        if access is not None:
            raise RemoteError(SERVICE, *access, sent=False)
        told = self.tidy(message)
        if _NO_MODULE.fullmatch(message):
            raise NoModule(SERVICE, told)
        if _NOT_FOUND.fullmatch(message):
            raise RemoteError(SERVICE, Reason.NOT_FOUND, told, sent=False)
        if answer.status in (429, 503):
            self._check_status(action, answer)
        sent = not _NOTHING_DONE.fullmatch(message)
        raise RemoteError(SERVICE, Reason.REFUSED, told, sent=sent)

    def tidy(self, message: str) -> str:
        """Return a text of the panel that may be shown: short, without secrets."""
        text = re.sub(r"<[^<>]{0,200}>", " ", self._credentials.hide(message))
        text = "".join(c if c.isprintable() else " " for c in text)
        text = " ".join(_HIDDEN.sub("***", text).split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def unreadable(detail: str) -> RemoteError:
    """Make the error for an answer that does not say whether it happened."""
    return RemoteError(SERVICE, Reason.UNREADABLE, detail, sent=True)


def reads_only(action: str) -> bool:
    """Tell whether an action changes nothing, so that it may be asked again."""
    return action.startswith("Get") or action == "WhmcsDetails"


def _failed(told: Mapping[str, Any]) -> bool:
    words = (str(told.get(key, "")).strip().casefold() for key in ("result", "status"))
    return "error" in words


def _resultless(action: str) -> bool:
    return action in _WITHOUT_RESULT


def _access(action: str, message: str) -> tuple[Reason, str] | None:
    """Return what keeps us out, with what to do about it, or None."""
    if match := _ADDRESS.match(message):
        address = _ip(match[1])
        detail = (
            f"the panel takes no calls from {address}: add it under {_ALLOW_AT}, "
            "each address by itself, or use an access key"
        )
        return Reason.DENIED_ADDRESS, detail
    if _CREDENTIALS.fullmatch(message):
        detail = "the panel does not know this identifier and secret"
        return Reason.DENIED_CREDENTIALS, detail
    if _PERMISSION.fullmatch(message):
        detail = f"the API role does not allow {action}: tick it under {_ROLES_AT}"
        return Reason.MISSING_PERMISSION, detail
    return None


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.rstrip(".,")))
    except ValueError:
        return "this machine's address"
