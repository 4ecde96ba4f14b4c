"""The JSON Schema of the hook map (draft 7), for completion in editors.

Made by apispec from the marshmallow schemas and the registered actions; nothing
of it is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from bridge.events import Hookpoint, catalogue
from bridge.hooks import Registered, actions, decisions
from bridge.mapread import RULE_KEYS
from bridge.mapschema import CompanySchema, InboundSchema, PoliciesSchema

_RULE_TEXTS = {
    "name": "a name of its own; default: <hookpoint>-<position>",
    "when": 'a condition, as "invoice.total > 0"; without it: always',
    "then": "what follows when it worked, in order; texts see `result`",
}

#: What an editor shows of each key of `policies`, `inbound` and `company`.
_ABOUT = {
    "policies.alerts": "when alerts wait, and how many become one message",
    "policies.alerts.quiet_hours": "between these hours of the panel's day only urgent "
    "alerts go out; null: at any hour",
    "policies.alerts.quiet_hours.from": 'as "22:00"',
    "policies.alerts.quiet_hours.to": 'as "08:00"',
    "policies.alerts.group_after": "more waiting alerts of one rule to one client than "
    "these become one message",
    "policies.upgrades": "how plan changes are priced, and how many may be ordered",
    "policies.upgrades.charge": "the difference between the plans; days never count",
    "policies.upgrades.paid_basis": "what counts as paid: the invoice of the running "
    "period, or the service's recurring amount",
    "policies.upgrades.contact": "whom a client asks for what has no price: an "
    "address, mailto:, tel: or plain words",
    "policies.upgrades.paths": "product: [what it may become]; {}: the panel's list",
    "policies.upgrades.ladders": "products of one kind, the lowest plan first",
    "policies.upgrades.max_orders_per_hour": "what is over it is not ordered",
    "policies.upgrades.max_orders_per_day": "what is over it is not ordered",
    "policies.upgrades.max_orders_per_client_per_day": "what is over it is not ordered",
    "policies.cancellations": "at which hour services end, reminders, and caps",
    "policies.cancellations.immediate_at": "hour at which immediate ones end, the same "
    "day",
    "policies.cancellations.end_of_day": "hour at which the others end, on the last "
    "day paid for",
    "policies.cancellations.remind_days": "how many days before the end clients are "
    "reminded",
    "policies.cancellations.max_terminations_per_hour": "what is over it waits",
    "policies.cancellations.max_terminations_per_day": "what is over it waits "
    "for staff",
    "policies.cancellations.max_terminations_per_client_per_day": "what is over it "
    "waits for staff",
    "policies.transfers": "how a change of owner is agreed, and caps",
    "policies.transfers.expires_hours": "how long the first side's word waits for the "
    "other's, in hours",
    "policies.transfers.approval": "whether staff have to move each service",
    "policies.transfers.verified_field": "number of the custom field that marks a "
    "verified account; null: the panel's own mark of the e-mail",
    "policies.transfers.ticket_department": "number of the department that moves "
    "services",
    "policies.transfers.max_transfers_per_hour": "what is over it waits",
    "policies.transfers.max_transfers_per_day": "what is over it waits for staff",
    "policies.transfers.max_transfers_per_client_per_day": "of the one who gives; what "
    "is over it waits for staff",
    "policies.staff": "how staff hear of what waits for them",
    "policies.staff.ticket_department": "number of a department that gets tickets; "
    "null: a line in the panel's activity log",
    "inbound": "what becomes of messages that no known word answers",
    "inbound.other": "one answer a day; that and a ticket; or nothing",
    "inbound.department": "number of the department of that ticket",
    "company": "who writes to the clients",
    "company.name": "as clients know it",
    "company.client_area": "the client area's address, https://...",
    "company.whatsapp": 'the number clients write to, as "+54 9 11 5555-0100"',
}


def json_schema() -> dict[str, Any]:
    """Return the map's JSON Schema, made from the marshmallow schemas."""
    convert = _Converter()
    known = {n: action for n, action in actions().items() if not action.internal}
    points = catalogue()
    rule = convert.doing(known, _RULE_TEXTS)
    step = convert.doing(known, {"then": _RULE_TEXTS["then"]})
    rules = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/rule"}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hook map",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            "hooks": {
                "type": "object",
                "properties": {
                    name: {"$ref": "#/definitions/rules", "description": _about(point)}
                    for name, point in points.items()
                    if not point.answers
                },
                "additionalProperties": {"$ref": "#/definitions/rules"},
            },
            "decisions": {
                "type": "object",
                "properties": {
                    name: {"$ref": "#/definitions/decision"}
                    for name, point in points.items()
                    if point.answers
                },
                "additionalProperties": False,
            },
            "policies": convert.whole(PoliciesSchema(), "policies"),
            "inbound": convert.whole(InboundSchema(), "inbound"),
            "company": convert.whole(CompanySchema(), "company"),
        },
        "definitions": {
            "rules": rules,
            "rule": rule,
            "step": step,
            "decision": convert.doing(decisions(), {}),
        },
    }


def _about(point: Hookpoint) -> str:
    names = ", ".join(sorted(point.fields)) or "nothing"
    return f"{point.category}; carries {names}"


class _Converter:
    """Turns marshmallow fields into JSON Schema by way of apispec."""

    def __init__(self) -> None:
        from apispec import APISpec
        from apispec.ext.marshmallow import MarshmallowPlugin

        plugin = MarshmallowPlugin()
        APISpec("map", "1", "3.1.0", plugins=[plugin])
        assert plugin.converter is not None  # set by the line above
        self._apispec = plugin.converter

    def field(self, field: fields.Field[Any], path: str = "") -> dict[str, Any]:
        """Return the JSON Schema of one field, with what is said of its *path*."""
        if isinstance(field, fields.Nested):
            made = self.whole(field.schema, path)
            made = {"anyOf": [made, {"type": "null"}]} if field.allow_none else made
        else:
            made = dict(self._apispec.field2property(field))
        return made | ({"description": _ABOUT[path]} if path in _ABOUT else {})

    def whole(self, schema: Schema, path: str) -> dict[str, Any]:
        """Return the JSON Schema of a whole schema; unknown keys are errors."""
        known = {f.data_key or name: f for name, f in schema.fields.items()}
        made: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: self.field(field, f"{path}.{name}")
                for name, field in known.items()
            },
        }
        if path in _ABOUT:
            made["description"] = _ABOUT[path]
        required = sorted(name for name, field in known.items() if field.required)
        return made | ({"required": required} if required else {})

    def doing(
        self, known: Mapping[str, Registered], texts: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the JSON Schema of an entry with `do` and that one's parameters."""
        own: dict[str, dict[str, Any]] = {
            key: {"description": texts[key]} for key in RULE_KEYS if key in texts
        }
        for key in own.keys() & {"name", "when"}:
            own[key]["type"] = "string"
        if "then" in own:
            items = {"$ref": "#/definitions/step"}
            own["then"] |= {"type": "array", "minItems": 1, "items": items}
        every = {key for found in known.values() for key in found.parameters}
        properties: dict[str, Any] = {
            **{key: {} for key in sorted(every - own.keys())},
            **own,
        }
        names = sorted(known)
        do = {
            "description": "what is done",
            "enum": names,
            "markdownEnumDescriptions": [known[name].summary for name in names],
        }
        return {
            "type": "object",
            "required": ["do"],
            "additionalProperties": False,
            "properties": {"do": do} | properties,
            "allOf": [self._if(found, every) for found in known.values()],
        }

    def _if(self, found: Registered, every: set[str]) -> dict[str, Any]:
        """Return what holds for an entry that does *found*."""
        given = {key: self.field(field) for key, field in found.parameters.items()}
        absent = dict.fromkeys(sorted(every - given.keys()), False)
        required = sorted(k for k, field in found.parameters.items() if field.required)
        then: dict[str, Any] = {"properties": {**given, **absent}}
        if required:
            then["required"] = required
        condition = {"properties": {"do": {"const": found.name}}, "required": ["do"]}
        return {"if": condition, "then": then, "description": found.summary}
