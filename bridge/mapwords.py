"""What a mistake in the map is called: marshmallow's faults, in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from bridge.sandbox import cut, meant
from bridge.yamlpass import Place

#: An action's or section's fault: where below it, and what.
Fault = tuple[Place, str]


def said(value: Any) -> str:
    """Return a value as it looks in the map, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return f'"{cut(" ".join(value.split()), 60)}"'
    return "a list" if isinstance(value, list) else "a mapping"


def wrong_kind(field: fields.Field[Any], value: Any) -> str:
    """Return what is wrong with the kind of *value*, or nothing."""
    if value is None:
        return (
            ""
            if field.allow_none
            else "must have a value: leave the key out for the usual one"
        )
    if isinstance(field, fields.Boolean) and not isinstance(value, bool):
        return f"neither true nor false: {said(value)}"
    whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(field, fields.Integer) and not whole:
        return f"not a whole number: {said(value)}"
    if isinstance(field, fields.Float | fields.Decimal):
        return "" if whole or isinstance(value, float) else f"no number: {said(value)}"
    if isinstance(field, fields.String) and not isinstance(value, str):
        hint = ": write it in quotes" if isinstance(value, int | float) else ""
        return f"not a text: {said(value)}{hint}"
    return ""


def load(schema: Schema, data: Any) -> tuple[dict[str, Any], list[Fault]]:
    """Load *data*; return the values and every fault in an operator's words."""
    if not isinstance(data, Mapping):
        return {}, [((), f"must be a mapping of keys, not {said(data)}")]
    known = {field.data_key or name: field for name, field in schema.fields.items()}
    faults: dict[Any, str] = {}
    for key, value in data.items():
        if key in known and (wrong := wrong_kind(known[key], value)):
            faults[key] = wrong
    told: list[Fault] = [((key,), what) for key, what in faults.items()]
    try:
        loaded: dict[str, Any] = schema.load(data)
    except ValidationError as error:
        messages: dict[Any, Any] = error.messages_dict
        left = {key: value for key, value in messages.items() if key not in faults}
        told += _told(left, known, data, ())
        return {}, told
    return ({} if told else loaded), told


def _told(
    messages: Any, known: Mapping[str, Any], data: Any, at: Place
) -> Iterator[Fault]:
    if isinstance(messages, list):
        for message in messages:
            yield at, _words(str(message), data)
        return
    for key, inner in messages.items():
        if inner == ["Unknown field."]:
            yield (*at, key), f"unknown key{meant(key, known)}"
            continue
        value = data.get(key) if isinstance(data, Mapping) else _item(data, key)
        place = at if key in ("_schema", "key", "value") else (*at, key)
        value = data if place == at else value
        yield from _told(inner, _known_below(known.get(key)), value, place)


def _item(data: Any, position: Any) -> Any:
    try:
        return data[position]
    except (TypeError, IndexError, KeyError):
        return None


def _known_below(field: Any) -> Mapping[str, Any]:
    schema = getattr(field, "schema", None)
    if not isinstance(schema, Schema):
        return {}
    return {inner.data_key or name: inner for name, inner in schema.fields.items()}


#: marshmallow's words, in ours.
_WORDS = {
    "Missing data for required field.": "missing: it must be given",
    "Field may not be null.": "must have a value: leave the key out for the usual one",
    "Not a valid string.": "not a text: {said}",
    "Not a valid integer.": "not a whole number: {said}",
    "Not a valid boolean.": "neither true nor false: {said}",
    "Not a valid number.": "no number: {said}",
    "Not a valid list.": "must be a list, not {said}",
    "Not a valid mapping type.": "must be a mapping of keys, not {said}",
    "Invalid input type.": "must be a mapping of keys, not {said}",
}


def _words(message: str, value: Any) -> str:
    if message in _WORDS:
        return _WORDS[message].format(said=said(value))
    message = message.replace("Must be one of: ", "must be one of ").rstrip(".")
    # One that is empty is not written down: the key is left out.
    message = message.replace("must be one of , ", "must be one of ")
    if message.startswith("must be one of ") and isinstance(value, str):
        choices = message.removeprefix("must be one of ").split(", ")
        return f"{message}, not {said(value)}{meant(value, choices)}"
    return message[:1].lower() + message[1:]
