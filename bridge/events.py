"""Event, and how a body is read into one: only known, harmless fields are kept.

The catalogue of hookpoints stands in `hookpoints.json` beside this module. A
field that is not listed there for the hookpoint, or whose name sounds like a
secret, is dropped while reading: it never reaches the store or a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from bridge.errors import Refused

#: Longest text kept of one field, in characters.
TEXT_LIMIT = 2000
#: Names that are never kept, whatever the catalogue says.
SECRET_NAME = re.compile(
    r"passw|secret|token|hash|authdata|cvv|cardnum|ccnumber|ccexp|eppcode|"
    r"access_?key|api_?key|private_?key|securityq|userinput|mergefield|credential|"
    r"cookie|configoption",
    re.IGNORECASE,
)
#: What an unknown hookpoint keeps: numbers under names that end in "id".
_ID_NAME = re.compile(r"[A-Za-z_]{0,40}id\Z", re.IGNORECASE)
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ID_LIMIT = 2**63
_NAME_LIMIT = 64


@dataclass(frozen=True)
class Hookpoint:
    """What the catalogue knows of a hookpoint.

    *fields* maps a name, dotted where nested (`params.serviceid`), to its type.
    *answers* tells whether the panel waits for a return value.
    """

    name: str
    category: str
    fields: dict[str, str]
    answers: bool = False
    deprecated: bool = False
    replacement: str = ""


@dataclass(frozen=True)
class Event:
    """One accepted delivery, as it is kept.

    *occurred_at* is the panel's own time (aware UTC), *seq* the store's order.
    """

    id: str
    panel: str
    hookpoint: str
    data: dict[str, Any]
    context: dict[str, Any]
    occurred_at: datetime
    received_at: datetime
    seq: int = 0

    def value(self, name: str) -> Any:
        """Return a field by its dotted name, or None."""
        found: Any = self.data
        for part in name.split("."):
            if not isinstance(found, Mapping):
                return None
            found = found.get(part)
        return found

    def identifier(self, name: str) -> int | None:
        """Return a field as a positive id, or None for anything else at all."""
        return read_id(self.value(name))


@dataclass(frozen=True)
class Subject:
    """The objects that an event's own ids name; *claims* is the client it names."""

    client: int | None = None
    user: int | None = None
    service: int | None = None
    invoice: int | None = None
    domain: int | None = None
    quote: int | None = None
    claims: int | None = None


@dataclass(frozen=True)
class Body:
    """A read delivery body: redacted, but not yet stored."""

    hookpoint: str
    occurred_at: datetime | None
    data: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


@cache
def catalogue() -> dict[str, Hookpoint]:
    """Return every documented hookpoint by name."""
    text = files("bridge").joinpath("hookpoints.json").read_text(encoding="utf-8")
    return {
        name: Hookpoint(
            name,
            entry["category"],
            entry["fields"],
            entry.get("returns", False),
            entry.get("deprecated", False),
            entry.get("replacement", "") or "",
        )
        for name, entry in json.loads(text)["hookpoints"].items()
    }


def read_id(value: Any) -> int | None:
    """Read a positive id: an int, or plain ASCII digits; nothing else is one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            return None
        value = int(value)
    return value if 0 < value < _ID_LIMIT else None


def read_body(raw: bytes) -> Body:
    """Read a delivery's JSON and keep only what its hookpoint may carry.

    Raises Refused (400) with the field named: not JSON, no object, no `type`.
    """
    try:
        document = json.loads(
            raw.decode("utf-8"), parse_constant=_no_constant, parse_float=str
        )
    except (ValueError, RecursionError) as error:
        raise Refused(400, "Not JSON", "The body is not valid UTF-8 JSON.") from error
    if not isinstance(document, dict):
        raise Refused(400, "Not an object", "The body must be a JSON object.")
    hookpoint = document.get("type")
    if not isinstance(hookpoint, str) or not _TYPE_NAME.match(hookpoint):
        raise Refused(
            400,
            "No type",
            'The field "type" must be the hookpoint\'s name: letters, digits and _.',
        )
    data = document.get("data", {})
    if data == []:  # PHP writes an empty map as a list
        data = {}
    if not isinstance(data, dict):
        raise Refused(400, "Bad data", 'The field "data" must be an object.')
    context = document.get("context")
    return Body(
        hookpoint,
        _instant(document.get("timestamp")),
        redact(hookpoint, data),
        _context(context) if isinstance(context, dict) else {},
    )


def redact(hookpoint: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the fields that the hookpoint is known to carry, as scalars."""
    known = catalogue().get(hookpoint)
    if known is None:
        return {
            name: value
            for name, value in data.items()
            if _ID_NAME.match(name)
            and not SECRET_NAME.search(name)
            and read_id(value) is not None
        }
    kept: dict[str, Any] = {}
    for name in known.fields:
        holder, _, leaf = name.rpartition(".")
        source: Any = data.get(holder) if holder else data
        if not isinstance(source, Mapping) or leaf not in source:
            continue
        if SECRET_NAME.search(leaf):
            continue
        value = _scalar(source[leaf])
        if value is not None:
            (kept.setdefault(holder, {}) if holder else kept)[leaf] = value
    return kept


def subject(event: Event) -> Subject:
    """Return which objects of the panel the event is about."""
    hookpoint = catalogue().get(event.hookpoint)
    category = hookpoint.category if hookpoint else ""
    first = _first(event)
    service = first("params.serviceid", "serviceid", "serviceId")
    if event.hookpoint == "CancellationRequest":
        service = first("relid")
    if event.hookpoint == "ShoppingCartValidateUpgrade":
        service = first("id")
    if service is None and event.hookpoint == "OrderProductUpgradeOverride":
        service = read_id(event.context.get("service_id"))
    upgrade = event.context.get("upgrade")
    if service is None and isinstance(upgrade, dict):
        service = read_id(upgrade.get("relid"))
    invoice = first("invoiceid", "invoiceId")
    quote = first("quoteid")
    domain = first("domainid", "domainId", "params.domainid")
    named = first("client_id", "clientid", "clientId", "params.userid")
    user = first("user_id", "userId")
    if category == "User":
        user = first("user_id", "userid", "userId")
    elif named is None:
        named = first("userid")
    owned = service or invoice or quote or domain
    return Subject(
        client=None if owned else named,
        user=user,
        service=service,
        invoice=invoice,
        domain=domain,
        quote=quote,
        claims=named if owned else None,
    )


def _first(event: Event) -> Any:
    def first(*names: str) -> int | None:
        for name in names:
            found = event.identifier(name)
            if found is not None:
                return found
        return None

    return first


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < _ID_LIMIT else str(value)[:40]
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return clean(value)[:TEXT_LIMIT]
    return None


def clean(text: str) -> str:
    """Replace what no database or log line should hold: surrogates and controls.

    Nothing is just left out: "1", NUL, "1" must not become the id 11.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("\ufffd", text)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    # Far from any panel's time, arithmetic with it overflows sooner or later.
    if read.tzinfo is None or not 2000 <= read.year < 2200:
        return None
    return read.astimezone(UTC)


_UPGRADE = ("relid", "type", "originalvalue", "newvalue", "amount", "status")
_LINE = ("relid", "type", "amount", "duedate")
_ACTORS = ("client", "admin", "api", "system", "unknown")


def _context(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what `context` may hold; anything of another kind is left out."""
    kept: dict[str, Any] = {}
    if raw.get("actor") in _ACTORS:
        kept["actor"] = raw["actor"]
    if isinstance(raw.get("changed"), list):
        words = [n for n in raw["changed"] if isinstance(n, str)]
        kept["changed"] = [
            clean(n)[:_NAME_LIMIT] for n in words[:100] if not SECRET_NAME.search(n)
        ]
    for name in ("old_phonenumber", "domain", "billing_cycle"):
        if isinstance(raw.get(name), str):
            kept[name] = clean(raw[name])[:255]
    if read_id(raw.get("service_id")):
        kept["service_id"] = read_id(raw["service_id"])
    if isinstance(raw.get("upgrade_targets"), list):
        ids = [read_id(target) for target in raw["upgrade_targets"][:500]]
        kept["upgrade_targets"] = [target for target in ids if target]
    if isinstance(raw.get("upgrade"), Mapping):
        kept["upgrade"] = _only(raw["upgrade"], _UPGRADE)
    if isinstance(raw.get("invoice_lines"), list):
        lines = [row for row in raw["invoice_lines"][:500] if isinstance(row, Mapping)]
        kept["invoice_lines"] = [_only(row, _LINE) for row in lines]
    return kept


def _only(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    kept = {}
    for name in names:
        value = _scalar(row.get(name))
        if value is not None:
            kept[name] = value
    return kept
