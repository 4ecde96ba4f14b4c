"""YAML that remembers its lines, read as data and nothing else.

YAML 1.2 by ruamel.yaml's round-trip loader. What a hook map never needs and an
attacker does (anchors, aliases, tags, merges, directives, depth, size) is refused
before anything is built. Only plain whole numbers, plain decimals, `true`,
`false` and `null` are not text: `no`, `0123`, `2026-01-01` stay as they are written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
)

from bridge import regular
from bridge.errors import ConfigError, Problem

#: Larger files are not even parsed.
SIZE_LIMIT = 256 * 1024
#: A map needs eight levels.
DEPTH_LIMIT = 16

#: Where a value stands: keys and positions from the top.
Place = tuple[str | int, ...]

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_NOT_CLOSED = "found unexpected end of stream"
_HINTS = {
    "mapping values are not allowed here": 'a ": " in a text without quotes, or an '
    "indentation that does not fit the line above",
    "found character '\\t' that cannot start any token": "a tab: indent with blanks",
    _NOT_CLOSED: "a quote or bracket is not closed",
}


@dataclass(frozen=True)
class Document:
    """A read file: *data* is dicts, lists and scalars that know their lines.

    *offset* is added to every line, for YAML that begins further down in a file.
    """

    file: str
    data: Any
    offset: int = 0

    def mark(self, place: Place) -> tuple[int, int]:
        """Return line and column (from 1) of a key or list item.

        For a place that does not exist, those of the nearest one around it.
        """
        line, column = 0, 0
        here = self.data
        for step in place:
            lines = getattr(here, "lc", None)
            try:
                line, column = _step(lines, here, step)
                here = here[step]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
        return line + 1 + self.offset, column + 1

    def problem(self, place: Place, what: str, level: str = "error") -> Problem:
        """Return the problem *what* of the value at *place*."""
        where = spelled(place)
        line, column = self.mark(place)
        text = f"{where}: {what}" if where else what
        return Problem(self.file, line, column, text, level)


def _step(lines: Any, here: Any, step: str | int) -> tuple[int, int]:
    line, column = lines.item(step) if isinstance(here, list) else lines.key(step)
    return line, column


def spelled(place: Place) -> str:
    """Return a place as people write it: `hooks.InvoicePaid[1].do`."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(words).removeprefix(".")


def shown(path: Path) -> str:
    """Return a path as a person at this prompt would type it."""
    text = str(path)
    try:
        absolute, here = os.path.abspath(path), os.getcwd()
        if os.path.commonpath([absolute, here]) == here:
            text = os.path.relpath(absolute, here)
    except (OSError, ValueError):  # the directory we are in is gone
        pass
    return text.encode("utf-8", "replace").decode("utf-8")


def read_text(path: Path) -> str:
    """Return a file's text, or raise ConfigError: absent, too large, not UTF-8."""
    try:
        raw = regular.read(path, SIZE_LIMIT)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _refused(path, f"cannot be read: {reason}") from error
    if len(raw) > SIZE_LIMIT:
        raise _refused(path, f"larger than {SIZE_LIMIT // 1024} KiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = "not UTF-8: save the file in that encoding"
        raise ConfigError([Problem(shown(path), line, 1, what)]) from error


def _refused(path: Path, what: str) -> ConfigError:
    return ConfigError([Problem(shown(path), 0, 0, what)])


def parse(text: str, file: str, offset: int = 0) -> Document:
    """Read one YAML document; raises ConfigError with every problem found.

    *file* is the name shown in problems.
    """
    if len(text.encode("utf-8", "replace")) > SIZE_LIMIT:
        what = f"larger than {SIZE_LIMIT // 1024} KiB"
        raise ConfigError([Problem(file, 0, 0, what)])
    pass_ = _Pass(file, offset)
    try:
        pass_.read(_yaml().parse(text))
    except _BROKEN as error:
        if not pass_.problems:
            pass_.problems.append(_syntax(error, file, offset))
    if pass_.problems:
        raise ConfigError(pass_.problems)
    try:
        return Document(file, _yaml().load(text), offset)
    except _BROKEN as error:
        raise ConfigError([_syntax(error, file, offset)]) from error


#: What the parser raises on text that is no YAML; the last are its own slips.
_BROKEN = (
    YAMLError,
    RecursionError,
    ValueError,
    AttributeError,
    LookupError,
    TypeError,
    AssertionError,
    NotImplementedError,
)


def _syntax(error: Exception, file: str, offset: int) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None or getattr(error, "problem", "") == _NOT_CLOSED:
        mark = getattr(error, "context_mark", None) or mark
    line, column = (mark.line + 1 + offset, mark.column + 1) if mark else (0, 0)
    if isinstance(error, RecursionError):
        return Problem(file, line, column, "nested too deeply")
    what = "not YAML"
    if isinstance(error, MarkedYAMLError) and error.problem:
        what = f"not YAML: {error.problem}"
        hint = _HINTS.get(error.problem)
        what = f"{what} ({hint})" if hint else what
    elif (character := getattr(error, "character", None)) is not None:
        number = character if isinstance(character, int) else ord(character[:1] or "?")
        what = f"not YAML: the character U+{number:04X} may not stand here"
    return Problem(file, line, column, " ".join(what.split()))


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    yaml.allow_duplicate_keys = True  # reported by the pass before, all of them
    yaml.Constructor = _PlainConstructor
    return yaml


class _PlainConstructor(RoundTripConstructor):
    """Builds text from everything but plain numbers, true, false and null."""


def _number(loader: Any, node: Any) -> int | float | str:
    text = str(node.value)
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _plain(loader: Any, node: Any) -> str:
    return str(node.value)


for _tag in ("int", "float"):
    _PlainConstructor.add_constructor(f"tag:yaml.org,2002:{_tag}", _number)
for _tag in ("timestamp", "value", "merge"):
    _PlainConstructor.add_constructor(f"tag:yaml.org,2002:{_tag}", _plain)


@dataclass
class _Frame:
    """One open mapping or list: where it stands and the keys it has."""

    place: Place
    mapping: bool
    flow: bool
    keys: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    count: int = 0

    @property
    def wants_key(self) -> bool:
        return self.mapping and self.key is None

    def next_place(self) -> Place:
        """Return the place of the value that comes now."""
        if self.mapping:
            return (*self.place, self.key or "?")
        return (*self.place, self.count)

    def done(self) -> None:
        """A value has been read."""
        self.key = None
        self.count += 1


class _Pass:
    """One walk over the parser's events, before anything is built."""

    def __init__(self, file: str, offset: int) -> None:
        self.file = file
        self.offset = offset
        self.problems: list[Problem] = []
        self.frames: list[_Frame] = []
        self.documents = 0

    def read(self, events: Iterator[Any]) -> None:
        for event in events:
            if not self._take(event):
                return

    def _take(self, event: Any) -> bool:
        """Look at one event; False ends the walk, what follows would mislead."""
        if isinstance(event, DocumentStartEvent):
            return self._document(event)
        if isinstance(event, CollectionEndEvent):
            self.frames.pop()
            self._value_done()
            return True
        if isinstance(event, AliasEvent):
            self._add(event, "aliases (*) are not used here: write the value out")
            self._scalar(event, "*")
            return True
        if isinstance(event, ScalarEvent | CollectionStartEvent):
            self._marks(event)
        if isinstance(event, CollectionStartEvent):
            return self._open(event)
        if isinstance(event, ScalarEvent):
            self._scalar(event, str(event.value))
        return True

    def _document(self, event: Any) -> bool:
        self.documents += 1
        if self.documents > 1:
            self._add(event, "a second document (---): one file is one document")
            return False
        if event.version or event.tags:
            self._add(event, "directives (%) are not used here")
            return False
        return True

    def _marks(self, event: Any) -> None:
        if event.anchor:
            self._add(event, "anchors (&) are not used here: write the value out")
        if event.tag:
            self._add(event, f"tags are not used here: {str(event.tag)[:60]}")

    def _open(self, event: Any) -> bool:
        frame = self.frames[-1] if self.frames else None
        if frame and frame.wants_key:
            braces = isinstance(event, MappingStartEvent) and frame.flow
            self._add(
                event,
                'a value that begins with "{{" needs quotes: "{{ ... }}"'
                if braces
                else "a key must be a plain word",
                frame.place,
            )
            return False
        if len(self.frames) >= DEPTH_LIMIT:
            self._add(event, "nested too deeply")
            return False
        place = frame.next_place() if frame else ()
        mapping = isinstance(event, MappingStartEvent)
        self.frames.append(_Frame(place, mapping, bool(event.flow_style)))
        return True

    def _scalar(self, event: Any, text: str) -> None:
        frame = self.frames[-1] if self.frames else None
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._add(event, "half a character (\\ud800 to \\udfff)")
        if frame is None or not frame.wants_key:
            self._value_done()
            return
        if text == "<<":
            what = "merges (<<) are not used here: write the values out"
            self._add(event, what, frame.place)
        elif text in frame.keys:
            first = frame.keys[text]
            what = f'the key "{text[:60]}" stands twice (first on line {first})'
            self._add(event, what, (*frame.place, text))
        frame.keys.setdefault(text, event.start_mark.line + 1 + self.offset)
        frame.key = text

    def _value_done(self) -> None:
        if self.frames:
            self.frames[-1].done()

    def _add(self, event: Any, what: str, place: Place | None = None) -> None:
        if place is None:
            place = self.frames[-1].next_place() if self.frames else ()
        mark = event.start_mark
        line, column = mark.line + 1 + self.offset, mark.column + 1
        where = spelled(place)
        text = f"{where}: {what}" if where else what
        self.problems.append(Problem(self.file, line, column, text))
