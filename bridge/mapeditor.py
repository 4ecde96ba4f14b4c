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
            "policies": convert.schema(PoliciesSchema()),
            "inbound": convert.schema(InboundSchema()),
            "company": convert.schema(CompanySchema()),
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

    def field(self, field: fields.Field[Any]) -> dict[str, Any]:
        """Return the JSON Schema of one field."""
        if isinstance(field, fields.Nested):
            made = self.schema(field.schema)
            return {"anyOf": [made, {"type": "null"}]} if field.allow_none else made
        return dict(self._apispec.field2property(field))

    def schema(self, schema: Schema) -> dict[str, Any]:
        """Return the JSON Schema of a whole schema; unknown keys are errors."""
        known = {f.data_key or name: f for name, f in schema.fields.items()}
        made: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: self.field(field) for name, field in known.items()},
        }
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
        return {
            "type": "object",
            "required": ["do"],
            "additionalProperties": False,
            "properties": {"do": {"enum": sorted(known)}} | properties,
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
