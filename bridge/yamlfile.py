"""YAML that remembers its lines, read as data and nothing else.

YAML 1.2 by ruamel.yaml's round-trip loader. What a hook map never needs and an
attacker does (anchors, aliases, tags, merges, directives, depth, size) is refused
before anything is built. Only plain whole numbers, plain decimals, `true`,
`false` and `null` are not text: `no`, `0123`, `2026-01-01` stay as they are written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bridge import regular
from bridge.errors import ConfigError, Problem
from bridge.yamlbraces import quoted
from bridge.yamlpass import ODD_BLANKS, Pass, Place, odd_blank, spelled

#: Larger files are not even parsed.
SIZE_LIMIT = 256 * 1024
#: So many forgotten quotes are passed over.
_MENDED = 40

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_NOT_CLOSED = "found unexpected end of stream"
_NO_COLON = "could not find expected ':'"
#: These are found further down than the slip: it stands where what is read began.
_BEGAN_ABOVE = re.compile(rf"{_NOT_CLOSED}|{_NO_COLON}|expected ',' or '[]}}]'")
_HINTS = {
    "mapping values are not allowed here": 'a ": " in a text without quotes, or an '
    "indentation that does not fit the line above",
    "found character '\\t' that cannot start any token": "a tab: indent with blanks",
    _NOT_CLOSED: "a quote or bracket is not closed",
    _NO_COLON: "a key needs a colon and a plain blank after it",
}
_ODD_BLANK = re.compile(rf"^ *([{ODD_BLANKS}])", re.MULTILINE)
_IN_BRACKETS = "a bracket that begins here is not closed, or a comma is missing in it"


@dataclass(frozen=True)
class Document:
    """A read file: *data* is dicts, lists and scalars that know their lines.

    *offset* is added to every line, for YAML that begins further down in a file.
    *problems* are what had to be passed over to read it at all.
    """

    file: str
    data: Any
    offset: int = 0
    problems: tuple[Problem, ...] = ()

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


def parse(text: str, file: str, offset: int = 0, *, lenient: bool = False) -> Document:
    """Read one YAML document; raises ConfigError with every problem found.

    *file* is the name shown in problems. With *lenient*, forgotten quotes around
    {{ }} and keys written twice do not end the reading: they are the document's
    problems, for which it may not be used.
    """
    if len(text.encode("utf-8", "replace")) > SIZE_LIMIT:
        what = f"larger than {SIZE_LIMIT // 1024} KiB"
        raise ConfigError([Problem(file, 0, 0, what)])
    found: list[Problem] = []
    for _ in range(_MENDED):
        seen = Pass(file, offset)
        try:
            seen.read(_yaml().parse(text))
        except _BROKEN as error:
            if not seen.problems or seen.passable:
                slip = _odd_blank(text, file, offset) or _syntax(error, file, offset)
                seen.problems.append(slip)
                seen.passable = False
        found += [problem for problem in seen.problems if problem not in found]
        mended = quoted(text, *seen.braces) if seen.braces and lenient else None
        if mended is None:
            break
        text = mended
    if found and not (lenient and seen.passable):
        raise ConfigError(found)
    try:
        return Document(file, _yaml().load(text), offset, tuple(found))
    except _BROKEN as error:
        raise ConfigError([*found, _syntax(error, file, offset)]) from error


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


def _odd_blank(text: str, file: str, offset: int) -> Problem | None:
    """Find an indentation with such a blank: the slip is there, not further down."""
    match = _ODD_BLANK.search(text)
    if match is None:
        return None
    line = text.count("\n", 0, match.start()) + 1 + offset
    what = f"not YAML: {odd_blank(match[1])}"
    return Problem(file, line, match.start(1) - match.start() + 1, what)


def _syntax(error: Exception, file: str, offset: int) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None or _BEGAN_ABOVE.match(getattr(error, "problem", None) or ""):
        mark = getattr(error, "context_mark", None) or mark
    line, column = (mark.line + 1 + offset, mark.column + 1) if mark else (0, 0)
    if isinstance(error, RecursionError):
        return Problem(file, line, column, "nested too deeply")
    what = "not YAML"
    if isinstance(error, MarkedYAMLError) and error.problem:
        what = f"not YAML: {error.problem}"
        in_brackets = error.problem.startswith("expected ',' or")
        hint = _IN_BRACKETS if in_brackets else _HINTS.get(error.problem)
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
