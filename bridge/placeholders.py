"""Texts taken apart: what stands as it is, and each `{{ variable.field | filter }}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from bridge import labels
from bridge.billing.money import Amount
from bridge.errors import TextError
from bridge.filters import FILTERS
from bridge.sandbox import (
    FAILURES,
    OUTPUT_LIMIT,
    MistakeError,
    cut,
    environment,
    filter_mistakes,
    path_of,
    tree_of,
    visible,
)

#: How many filters may follow each other.
FILTER_LIMIT = 8


@dataclass(frozen=True)
class Placeholder:
    """One `{{ variable.field | filter }}` of a text."""

    source: str
    variable: str
    field: str
    filters: tuple[str, ...]

    @property
    def keeps_lines(self) -> bool:
        """Whether line breaks of the value are wanted."""
        return "lines" in self.filters

    def value(self, language: str, variables: Mapping[str, Any]) -> str:
        """Return the value as text; raises TextError that names it."""
        named = f"{{{{ {cut(self.source.strip())} }}}}"
        if self.variable not in variables:
            raise TextError(f'{named}: there is no "{self.variable}" here')
        run = _compiled(self.source, language)
        try:
            value = run(**visible(variables, [self.variable]))
            return finish(value, language)
        except FAILURES as error:
            why = cut(" ".join(str(error).split())) or type(error).__name__
            raise TextError(f"{named}: {why}") from error


def finish(value: Any, language: str) -> str:
    """Return any value as people read it; nothing at all is a dash."""
    filters = environment(language).filters
    if isinstance(value, Amount):
        value = filters["money"](value)
    elif isinstance(value, datetime):
        value = filters["datetime"](value)
    elif isinstance(value, date):
        value = filters["date"](value)
    elif isinstance(value, list | tuple | set | frozenset):
        value = filters["list"](value)
    return "-" if value is None else str(value)[:OUTPUT_LIMIT]


@lru_cache(maxsize=4096)
def _compiled(source: str, language: str) -> Any:
    return environment(language).compile_expression(source, undefined_to_none=False)


@lru_cache(maxsize=4096)
def compile_placeholder(source: str) -> Placeholder:
    """Read what stands between the braces; raises MistakeError with every mistake."""
    node = tree_of(source)
    mistakes: list[str] = []
    filters: list[str] = []
    while isinstance(node, nodes.Filter) and node.node is not None:
        mistakes += filter_mistakes(node, FILTERS)
        filters.insert(0, node.name)
        node = node.node
    if len(filters) > FILTER_LIMIT:
        mistakes = [f"more than {FILTER_LIMIT} filters"]
    path = path_of(node)
    if path is None:
        mistakes.append("only {{ variable.field }} or {{ variable.field | filter }}")
    elif len(path) == 1:
        mistakes.append(f'"{path[0]}" alone says nothing: write {path[0]}.<field>')
    elif len(path) > 2:
        mistakes.append(f'"{".".join(path)}" goes too deep: write variable.field')
    if mistakes or path is None:
        raise MistakeError(mistakes)
    return Placeholder(source, path[0], path[1], tuple(filters))


_ONE_BRACE = re.compile(r"(?<!\{)\{\s*[a-z_]+\.[a-z_]+[^{}]*\}(?!\})")


def split(source: str) -> tuple[list[str | Placeholder], list[tuple[int, str]]]:
    """Split a text into what stands as it is and its placeholders.

    Also returns every mistake, with its offset in *source*.
    """
    parts: list[str | Placeholder] = []
    mistakes: list[tuple[int, str]] = []
    opened: int | None = None
    inside, offset = "", 0
    try:
        for _, kind, value in environment("es").lex(source):
            if kind == "variable_begin":
                opened, inside = offset, ""
                if value != "{{":
                    mistakes.append((offset, f'write "{{{{" instead of "{value}"'))
            elif kind == "variable_end" and opened is not None:
                try:
                    parts.append(compile_placeholder(inside))
                except MistakeError as error:
                    mistakes += [(opened, what) for what in error.mistakes]
                opened = None
            elif opened is not None:
                inside += value
            elif kind == "data":
                mistakes += _data_mistakes(value, offset)
                parts.append(value)
            else:
                what = "only {{ }} in texts, no {% %} and no {# #}: a variant is "
                mistakes.append((offset, what + "another rule with another when"))
                break
            offset += len(value)
    except (TemplateSyntaxError, RecursionError, ValueError) as error:
        where = offset if opened is None else opened
        message = getattr(error, "message", None) or "cannot be read"
        mistakes.append((where, cut(" ".join(str(message).split()))))
        opened = None
    if opened is not None:
        mistakes.append((opened, '"{{" without "}}"'))
    return parts, mistakes


def _data_mistakes(text: str, offset: int) -> Iterator[tuple[int, str]]:
    for match in _ONE_BRACE.finditer(text):
        yield offset + match.start(), 'one brace: write "{{ ... }}"'
    if "}}" in text:
        yield offset + text.index("}}"), '"}}" without "{{"'


#: Longest body of a provider's template.
BODY_LIMIT = 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def fill(
    parts: tuple[str | Placeholder, ...], language: str, variables: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """Return a text with its places filled, and what each was filled with."""
    filled: list[str] = []
    values: list[str] = []
    for part in parts:
        if isinstance(part, str):
            filled.append(part)
            continue
        value = part.value(language, variables)
        values.append(_lines(value) if part.keeps_lines else flatten(value))
        filled.append(values[-1])
    text = "".join(filled)
    if len(text) > OUTPUT_LIMIT:
        raise TextError(f"longer than {OUTPUT_LIMIT} characters when filled")
    return text, values


def flatten(value: str) -> str:
    """Return a value on one line, single blanks, without controls; a dash for none."""
    return " ".join(_CONTROL.sub(" ", value).split()) or "-"


def _lines(value: str) -> str:
    lines = (flatten(line) for line in value.splitlines() if line.strip())
    return "\n".join(lines) or "-"


def cut_values(
    parts: tuple[str | Placeholder, ...], values: list[str], language: str
) -> Iterator[str]:
    """Return values on one line, the longest cut until a template holds them.

    Of a list whole lines are left out, and their number is told.
    """
    fixed = sum(len(part) for part in parts if isinstance(part, str))
    room = max(BODY_LIMIT - fixed, len(values))
    limit, left = room, len(values)
    for length in sorted(map(len, values)):
        limit = room // left
        if length > limit:
            break
        room -= length
        left -= 1
    else:
        limit = BODY_LIMIT
    for value in values:
        lines = value.split("\n")
        if len(value) <= limit:
            yield " ".join(lines)
        else:
            yield _cut_lines(lines, limit, language)


def _cut_lines(lines: list[str], limit: int, language: str) -> str:
    """Return as many lines as *limit* characters hold, and how many others there are.

    At least the first one, cut; a text of one line is only cut.
    """
    others = labels.told_by(lines[-1]) if len(lines) > 1 else 0
    told = lines[:-1] if others else lines
    for kept in range(len(told) - 1, 0, -1):
        rest = labels.more(len(told) - kept + others, language)
        if len(found := " ".join([*told[:kept], rest])) <= limit:
            return found
    others += len(told) - 1
    rest = f" {labels.more(others, language)}" if others else ""
    rest = rest if len(rest) < limit // 2 else ""
    return told[0][: limit - 1 - len(rest)].rstrip() + f"…{rest}"
