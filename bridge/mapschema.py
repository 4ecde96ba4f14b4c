"""What `policies:` and `company:` may hold, and what a mistake in them is called.

The marshmallow schemas are the only source; the JSON Schema for editors is made
from them. Kinds are exact: a text is never taken for a number or a yes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from bridge.mapwords import said, wrong_kind
from bridge.policies import (
    AlertPolicy,
    CancellationPolicy,
    Company,
    InboundPolicy,
    Policies,
    StaffPolicy,
    TransferPolicy,
    UpgradePolicy,
)

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):(?!\s)")
_HOUR = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class Whole(fields.Integer):
    """A whole number, written as one."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if wrong := wrong_kind(self, value):
            raise ValidationError(wrong)
        return int(value)


class Words(fields.String):
    """A text, written as one."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if wrong := wrong_kind(self, value):
            raise ValidationError(wrong)
        return str(value)


class Hour(Words):
    """An hour of the panel's day, as "20:00"."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            if len(text) != 5 or text[2] != ":" or not text.isascii():
                raise ValueError
            return time(int(text[:2]), int(text[3:]))
        except ValueError as error:
            what = f'not an hour from "00:00" to "23:59": {said(text)}'
            raise ValidationError(what) from error


def _between(least: int, most: int) -> validate.Range:
    return validate.Range(
        least, most, error=f"must be from {least} to {most}, not {{input}}"
    )


def _one_of(*words: str) -> validate.OneOf:
    return validate.OneOf(words, error=f"must be one of {', '.join(words)}")


def _id(**settings: Any) -> Whole:
    return Whole(validate=_between(1, 2**31), **settings)


class QuietHours(Schema):
    """Between which hours ordinary alerts wait."""

    begin = Hour(data_key="from", required=True, metadata={"pattern": _HOUR})
    end = Hour(data_key="to", required=True, metadata={"pattern": _HOUR})

    @validates_schema
    def _some_hours(self, data: Mapping[str, Any], **_: Any) -> None:
        if "begin" in data and data["begin"] == data.get("end"):
            what = "the same hour twice: for no quiet hours write quiet_hours: null"
            raise ValidationError(what, "to")


class Alerts(Schema):
    """`policies.alerts`"""

    quiet_hours = fields.Nested(QuietHours, allow_none=True)
    group_after = Whole(validate=_between(1, 100))


def _contact(value: str) -> None:
    """Refuse an address that a client must not be sent to; plain words are fine."""
    found = _SCHEME.match(value)
    scheme = found[1].casefold() if found else ""
    if scheme in ("http", "https"):
        _address(value)
    elif scheme not in ("", "mailto", "tel"):
        what = f'must begin with "https://", "mailto:" or "tel:": {said(value)}'
        raise ValidationError(what)


class Upgrades(Schema):
    """`policies.upgrades`"""

    charge = Words(validate=_one_of("difference"))
    paid_basis = Words(validate=_one_of("invoice", "recurring"))
    contact = Words(
        validate=[
            validate.Length(max=200, error="at most 200 characters"),
            _contact,
        ]
    )
    paths = fields.Dict(keys=_id(), values=fields.List(_id()))
    ladders = fields.List(
        fields.List(
            _id(), validate=validate.Length(min=2, error="needs two plans or more")
        )
    )

    max_orders_per_hour = Whole(validate=_between(1, 500))
    max_orders_per_day = Whole(validate=_between(1, 2000))
    max_orders_per_client_per_day = Whole(validate=_between(1, 2000))

    @validates_schema
    def _each_plan_once(self, data: Mapping[str, Any], **_: Any) -> None:
        plans = [plan for ladder in data.get("ladders", []) for plan in ladder]
        twice = sorted({plan for plan in plans if plans.count(plan) > 1})
        if twice:
            what = f"plan {twice[0]} stands twice: nobody can say how it ranks"
            raise ValidationError(what, "ladders")


class Cancellations(Schema):
    """`policies.cancellations`"""

    immediate_at = Hour(metadata={"pattern": _HOUR})
    end_of_day = Hour(metadata={"pattern": _HOUR})
    remind_days = fields.List(
        Whole(validate=_between(1, 90)),
        validate=validate.Length(max=10, error="at most 10 reminders"),
    )

    @validates_schema
    def _each_day_once(self, data: Mapping[str, Any], **_: Any) -> None:
        days = data.get("remind_days", [])
        twice = sorted({day for day in days if days.count(day) > 1})
        if twice:
            raise ValidationError(f"{twice[0]} stands twice", "remind_days")

    max_terminations_per_hour = Whole(validate=_between(1, 500))
    max_terminations_per_day = Whole(validate=_between(1, 2000))
    max_terminations_per_client_per_day = Whole(validate=_between(1, 2000))


class Transfers(Schema):
    """`policies.transfers`"""

    expires_hours = Whole(validate=_between(1, 720))
    approval = Words(validate=_one_of("automatic", "staff"))
    verified_field = _id(allow_none=True)
    ticket_department = _id()
    max_transfers_per_hour = Whole(validate=_between(1, 500))
    max_transfers_per_day = Whole(validate=_between(1, 2000))
    max_transfers_per_client_per_day = Whole(validate=_between(1, 2000))


class Staff(Schema):
    """`policies.staff`"""

    ticket_department = _id(allow_none=True)


class PoliciesSchema(Schema):
    """`policies`"""

    alerts = fields.Nested(Alerts)
    upgrades = fields.Nested(Upgrades)
    cancellations = fields.Nested(Cancellations)
    transfers = fields.Nested(Transfers)
    staff = fields.Nested(Staff)


class InboundSchema(Schema):
    """`inbound`"""

    other = Words(validate=_one_of("reply", "open_ticket", "ignore"))
    department = _id()


def _address(value: str) -> None:
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    local = host in ("localhost", "127.0.0.1", "::1")
    if not host or (parts.scheme != "https" and not (local and parts.scheme == "http")):
        raise ValidationError(f'must begin with "https://": {said(value)}')


def _telephone(value: str) -> None:
    from phonenumbers import NumberParseException, is_possible_number, parse

    try:
        possible = not value or is_possible_number(parse(value, None))
    except NumberParseException:
        possible = False
    if not possible:
        raise ValidationError(
            f'no telephone in international form, as "+54 9 11 ...": {said(value)}'
        )


class CompanySchema(Schema):
    """`company`"""

    name = Words(
        required=True, validate=validate.Length(1, 100, error="1 to 100 characters")
    )
    client_area = Words(required=True, validate=_address)
    whatsapp = Words(validate=_telephone)


def read_policies(data: Mapping[str, Any]) -> Policies:
    """Make the policies out of loaded values; what is absent keeps its default."""
    alerts = dict(data.get("alerts", {}))
    if "quiet_hours" in alerts:
        hours = alerts.pop("quiet_hours") or {}
        alerts["quiet_from"] = hours.get("begin")
        alerts["quiet_to"] = hours.get("end")
    upgrades = dict(data.get("upgrades", {}))
    if "paths" in upgrades:
        upgrades["paths"] = {k: tuple(v) for k, v in upgrades["paths"].items()}
    if "ladders" in upgrades:
        upgrades["ladders"] = tuple(map(tuple, upgrades["ladders"]))
    cancellations = dict(data.get("cancellations", {}))
    if "remind_days" in cancellations:
        days = sorted(set(cancellations["remind_days"]), reverse=True)
        cancellations["remind_days"] = tuple(days)
    return Policies(
        AlertPolicy(**alerts),
        UpgradePolicy(**upgrades),
        CancellationPolicy(**cancellations),
        TransferPolicy(**data.get("transfers", {})),
        StaffPolicy(**data.get("staff", {})),
    )


def read_inbound(data: Mapping[str, Any]) -> InboundPolicy:
    """Make the policy of incoming messages out of loaded values."""
    return InboundPolicy(**data)


def read_company(data: Mapping[str, Any]) -> Company:
    """Make the company out of loaded values."""
    return Company(**data)


@cache
def _schema_of(names: tuple[str, ...], kinds: tuple[fields.Field[Any], ...]) -> Schema:
    return Schema.from_dict(dict(zip(names, kinds, strict=True)))()


def schema_of(parameters: Mapping[str, fields.Field[Any]]) -> Schema:
    """Return the schema of an action's parameters."""
    return _schema_of(tuple(parameters), tuple(parameters.values()))
