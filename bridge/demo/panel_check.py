"""How strictly the simulated panel reads a call: what a careless client gets wrong.

The real panel is lenient and does something else than was meant; this one refuses.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from datetime import date
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

ALWAYS = ("action", "identifier", "secret", "responsetype", "accesskey")
NUMBERED = re.compile(r"(item(?:description|amount|taxed))[1-9]\d*")
KEYED = re.compile(r"(\w+)\[(\w+)\]")
INT = re.compile(r"\d{1,18}")
MONEY = re.compile(r"-?\d{1,15}(\.\d{1,2})?")
RATE = re.compile(r"\d{1,3}(\.\d{1,3})?")
NEVER = ("None", "True", "False", "NaN", "Infinity", "undefined")
DATES = frozenset(
    {
        "date", "duedate", "datepaid", "regdate", "nextduedate", "terminationdate",
        "expirydate", "overidesuspenduntil", "created", "datecreated",
        "lastmodified", "validuntil",
    }
)  # fmt: skip
NOT_SIMULATED = {
    "GetQuotes": {"datecreated", "lastmodified", "validuntil"},
    "OpenTicket": {"attachments", "customfields", "created", "contactid", "domainid"},
    "UpdateClientDomain": {
        "domain", "type", "autorecalc", "updatens", "ns1", "ns2", "ns3", "ns4", "ns5"},
    "UpdateClientProduct": {"customfields", "configoptions", "unset"},
    "UpdateInvoice": {"datepaid", "taxrate", "taxrate2", "itemtaxed", "newitemtaxed"},
    "UpgradeProduct": {"promocode", "configoptions"},
}  # fmt: skip
CHOICES = {
    ("AddCancelRequest", "type"): ("Immediate", "End of Billing Period"),
    ("UpgradeProduct", "type"): ("product",),
    ("GetInvoices", "orderby"): (
        "id", "invoicenumber", "date", "duedate", "total", "status"),
    ("GetInvoices", "order"): ("asc", "desc"),
    ("GetClients", "sorting"): ("ASC", "DESC"),
    ("GetUsers", "sorting"): ("ASC", "DESC"),
    ("OpenTicket", "priority"): ("Low", "Medium", "High"),
    ("UpdateClientProduct", "status"): (
        "Pending", "Active", "Completed", "Suspended", "Terminated", "Cancelled",
        "Fraud"),
}  # fmt: skip


class WrongCallError(Exception):
    """The call is not as the vendor documents it; the text says what is wrong."""


@functools.cache
def actions() -> dict[str, dict[str, Any]]:
    """Return the implemented actions: documented ``params`` (! = required), errors."""
    text = files("bridge.demo").joinpath("actions.json").read_text("utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return known


def read_form(
    method: str, query: str, content_type: str, body: bytes
) -> dict[str, str]:
    """Return the fields of a call; WrongCallError if it is no plain form post."""
    if method != "POST":
        raise WrongCallError(f"{method} instead of POST")
    if query:
        raise WrongCallError("parameters in the address; they end up in access logs")
    if content_type.partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise WrongCallError(f"content type {content_type!r}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict",
        )  # fmt: skip
    except ValueError as error:
        raise WrongCallError(f"not a form: {error}") from None
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise WrongCallError(f"sent twice: {', '.join(twice)}")
    return dict(pairs)


def check(action: str, params: dict[str, str]) -> None:
    """Raise WrongCallError for a parameter that is unknown, malformed or missing.

    A missing one for which the vendor documents an error is left to the action.
    """
    known: dict[str, str] = actions()[action]["params"]
    wrong = [_wrong(action, known, *pair) for pair in params.items()]
    if sentences := [sentence for sentence in wrong if sentence]:
        raise WrongCallError("; ".join(sentences))
    documented = " ".join(actions()[action]["errors"]).lower()
    for name, kind in known.items():
        said = f"{name} is required" in documented or name in ("serviceid", "setting")
        if kind.endswith("!") and name not in params and not said:
            raise WrongCallError(f"{name} is missing")


def _wrong(action: str, known: dict[str, str], name: str, value: str) -> str:
    plain, kind = _kind(known, name)
    if not kind:
        return f"unknown parameter {name}"
    if plain in NOT_SIMULATED.get(action, ()):
        return f"{name} is not simulated here"
    if value in NEVER and kind != "bool":
        return f"{name} is the text {value}"
    options = CHOICES.get((action, plain))
    if options and value not in options:
        return f"{name} is {value!r}, not one of {', '.join(options)}"
    if plain in DATES and not _is_date(value):
        return f"{name} is no date: {value!r}"
    return _wrong_type(plain, kind, name, value)


def _wrong_type(plain: str, kind: str, name: str, value: str) -> str:
    if kind == "int" and not INT.fullmatch(value):
        return f"{name} is no whole number: {value!r}"
    if kind == "bool" and value not in ("0", "1"):
        return f"{name} is neither 0 nor 1: {value!r}"
    form = RATE if plain.startswith("taxrate") else MONEY
    if kind == "float" and not form.fullmatch(value):
        return f"{name} is no amount: {value!r}"
    if kind == "int|string" and not all(map(INT.fullmatch, value.split(","))):
        return f"{name} is no list of numbers: {value!r}"
    return ""


def _kind(known: dict[str, str], name: str) -> tuple[str, str]:
    """Return the parameter's documented name and type, or "" if there is none."""
    if NUMBERED.fullmatch(name):
        plain = NUMBERED.sub(r"\1x", name)
        return plain, known.get(plain, "").rstrip("!")
    keyed = KEYED.fullmatch(name)
    plain = keyed[1] if keyed else name
    kind = known.get(plain, "").rstrip("!")
    if plain.startswith("item") and plain.endswith("x"):
        return plain, ""
    many = kind.endswith("[]") or kind == "array"
    if many != bool(keyed):
        return plain, ""
    return plain, "string" if kind == "array" else kind.removesuffix("[]")


def _is_date(value: str) -> bool:
    if value in ("0000-00-00", ""):
        return True
    try:
        return date.fromisoformat(value[:10]).isoformat() == value[:10]
    except ValueError:
        return False


def without_secrets(
    params: dict[str, str], hidden: Iterable[str] = ()
) -> dict[str, str]:
    """Return the parameters that may be kept and shown."""
    away = {*ALWAYS, "servicepassword", *hidden}
    return {name: value for name, value in params.items() if name not in away}
