"""The files `config/messages/<language>/<name>.txt`: front matter, body, mistakes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError, Problem
from bridge.events import SECRET_NAME, catalogue
from bridge.filters import WANTS
from bridge.placeholders import Placeholder, split
from bridge.requestform import form_problems
from bridge.sandbox import SOURCE_LIMIT, meant
from bridge.templateform import body_findings, button_findings, category_findings
from bridge.variables import FIELDS
from bridge.yamlfile import Document, parse, read_text, shown

#: Longest label of a button, and its longest address.
LABEL_LIMIT, URL_LIMIT = 25, 2000

_NAME = re.compile(r"[a-z0-9_]{1,100}")
#: Front matter that would be read as part of the text, and sent to clients.
_HEAD_ASTRAY = re.compile(r"\s*([-\u2013\u2014]+[^\S\n]*\n|(category|button)\s*:)")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
_CATEGORIES = ("utility", "authentication", "marketing")
_KEYS = ("category", "button")

#: Both sides ask for a change of owner by this text; their messages are read by it.
REQUEST = "transfer_request"

Parts = tuple[str | Placeholder, ...]


@dataclass(frozen=True)
class Text:
    """One file, read: its parts and what its front matter says."""

    name: str
    language: str
    parts: Parts
    category: str = "utility"
    label: str = ""
    url: Parts = ()

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders of the body, in order."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @cached_property
    def uses(self) -> frozenset[tuple[str, str]]:
        """Every (variable, field) of body and button."""
        both = (*self.parts, *self.url)
        found = (part for part in both if isinstance(part, Placeholder))
        return frozenset((part.variable, part.field) for part in found)


@dataclass(frozen=True)
class Reading:
    """What stands below one directory: usable texts, all problems, a digest."""

    texts: Mapping[tuple[str, str], Text]
    problems: list[Problem]
    version: str


def read_all(directory: Path) -> Reading:
    """Read every text below *directory*."""
    problems: list[Problem] = []
    texts: dict[tuple[str, str], Text] = {}
    doubtful: set[tuple[str, str]] = set()
    digest = hashlib.sha256()
    folders = sorted({path.parent for path in directory.glob("*/*.txt")})
    for folder in folders:
        if not _is_language(folder.name):
            what = f'"{folder.name}" is no language: name the folder es, en, pt_BR, ...'
            problems.append(Problem(shown(folder), 0, 0, what))
            continue
        for path in sorted(folder.glob("*.txt")):
            key = (path.stem, folder.name)
            try:
                content = read_text(path)
            except ConfigError as error:
                problems += error.problems
                doubtful.add(key)
                continue
            part = f"{folder.name}/{path.name}\0{content}\0"
            digest.update(part.encode("utf-8", "surrogatepass"))
            texts[key], found = _read_one(*key, content)
            if found:
                file = shown(path)
                problems += [replace(problem, file=file) for problem in found]
            if any(problem.level == "error" for problem in found):
                doubtful.add(key)
    if not texts and not problems:
        what = "no texts here: there must be <language>/<name>.txt"
        problems.append(Problem(shown(directory), 0, 0, what))
    problems += _compare(texts, doubtful, directory)
    return Reading(texts, problems, digest.hexdigest())


def _is_language(name: str) -> bool:
    if name in ("es", "en", "pt_BR"):
        return True
    from babel import Locale, UnknownLocaleError

    try:
        return bool(_LANGUAGE.fullmatch(name)) and Locale.parse(name) is not None
    except (UnknownLocaleError, ValueError):
        return False


def _compare(
    texts: Mapping[tuple[str, str], Text],
    doubtful: set[tuple[str, str]],
    directory: Path,
) -> Iterator[Problem]:
    """Hold the languages against each other, Spanish first."""
    every = {*texts, *doubtful}
    languages = sorted({key[1] for key in every}, key=lambda word: (word != "es", word))
    for name in sorted({key[0] for key in every}):
        there = [language for language in languages if (name, language) in every]
        sound = [word for word in there if (name, word) not in doubtful]
        for language in languages:
            path = directory / language / f"{name}.txt"
            if language not in there:
                has = "has" if len(there) == 1 else "have"
                what = f"missing: {' and '.join(there)} {has} this text"
                yield Problem(shown(path), 0, 0, what)
            elif language in sound[1:]:
                odd = texts[name, language].uses ^ texts[name, sound[0]].uses
                named = ", ".join(sorted(".".join(pair) for pair in odd))
                what = f"differs from {sound[0]}/{name}.txt in {named}"
                if odd:
                    yield Problem(shown(path), 1, 1, what, "warning")


@lru_cache(maxsize=512)
def _read_one(
    name: str, language: str, content: str
) -> tuple[Text, tuple[Problem, ...]]:
    """Read one file's content; what did not change is not taken apart again.

    The problems name no file: the same content may stand in several directories.
    """
    reader = _Reader(name, language)
    text = reader.read(content)
    return text, tuple(reader.problems)


@lru_cache(maxsize=512)
def _front_matter(header: str) -> Document:
    """Parse front matter, once for the many files that share it."""
    return parse(header, "", offset=1)


class _Reader:
    """Reads one text file and keeps what is wrong with it."""

    def __init__(self, name: str, language: str) -> None:
        self.name, self.language = name, language
        self.problems: list[Problem] = []

    def read(self, content: str) -> Text:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
        header, body, skipped = self._cut(content)
        if not _NAME.fullmatch(self.name):
            self._add(1, 1, "the file's name may hold a-z, 0-9 and _ only")
        category, label, url = self._header(header)
        if len(body) > SOURCE_LIMIT:
            self._add(skipped + 1, 1, f"longer than {SOURCE_LIMIT} characters")
            body = ""
        elif not body.strip():
            self._add(skipped + 1, 1, "the text is empty")
        parts = self._parts(body, skipped)
        text = Text(self.name, self.language, parts, category, label, url)
        self._template(text, 2 if header else 1, skipped)
        return text

    def _cut(self, content: str) -> tuple[str, str, int]:
        """Return front matter, body, and how many lines stand above the body."""
        if not content.startswith("---\n"):
            lead = len(content) - len(content.lstrip("\n"))
            if _HEAD_ASTRAY.match(content):
                what = 'front matter begins with "---", alone in the first line'
                self._add(lead + 1, 1, what)
            return "", content.strip("\n"), lead
        end = content.find("\n---\n", 3)
        if end < 0:
            self._add(
                1, 1, 'front matter begins with "---" and no second "---" ends it'
            )
            return "", content[4:].strip("\n"), 1
        rest = content[end + 5 :]
        skipped = content.count("\n", 0, end + 5) + len(rest) - len(rest.lstrip("\n"))
        return content[4 : end + 1], rest.strip("\n"), skipped

    def _header(self, header: str) -> tuple[str, str, tuple[str | Placeholder, ...]]:
        try:
            document = _front_matter(header)
        except ConfigError as error:
            self.problems += error.problems
            return "utility", "", ()
        data = document.data if document.data is not None else {}
        if not isinstance(data, dict):
            self._add(2, 1, "front matter is lines of the form key: value")
            return "utility", "", ()
        for key in data:
            if key not in _KEYS:
                what = f"unknown key{meant(key, _KEYS)}"
                self.problems.append(document.problem((key,), what))
        category = data.get("category", "utility")
        if category not in _CATEGORIES:
            what = (
                f"must be one of {', '.join(_CATEGORIES)}{meant(category, _CATEGORIES)}"
            )
            self.problems.append(document.problem(("category",), what))
        if "button" not in data:
            return str(category), "", ()
        return str(category), *self._button(document, data["button"])

    def _button(
        self, document: Any, button: Any
    ) -> tuple[str, tuple[str | Placeholder, ...]]:
        if not isinstance(button, dict) or not all(
            isinstance(button.get(key), str) and button[key] for key in ("text", "url")
        ):
            what = 'must be {text: "...", url: "..."}'
            self.problems.append(document.problem(("button",), what))
            return "", ()
        for key in button.keys() - {"text", "url"}:
            what = f"unknown key{meant(key, ('text', 'url'))}"
            self.problems.append(document.problem(("button", key), what))
        label, url = str(button["text"]), str(button["url"])
        if len(label) > LABEL_LIMIT or "{" in label:
            what = f"at most {LABEL_LIMIT} characters, without {{{{ }}}}: {label}"
            self.problems.append(document.problem(("button", "text"), what))
        line, column = document.mark(("button", "url"))
        parts, mistakes = split(url)
        for _, what in mistakes:
            self._add(line, column, f"button.url: {what}")
        self._names(parts, lambda _: (line, column))
        if len(url) > URL_LIMIT or any(c.isspace() for c in _fixed(parts)):
            self._add(line, column, "button.url: an address without blanks")
        return label, tuple(parts)

    def _parts(self, body: str, skipped: int) -> Parts:
        def where(offset: int) -> tuple[int, int]:
            line = body.count("\n", 0, offset)
            return skipped + line + 1, offset - (body.rfind("\n", 0, offset) + 1) + 1

        parts, mistakes = split(body)
        for offset, what in mistakes:
            self._add(*where(offset), what)
        self._names(parts, where)
        for offset, what in form_problems(parts) if self.name == REQUEST else ():
            self._add(*where(offset), what)
        return tuple(parts)

    def _names(
        self, parts: list[str | Placeholder], where: Callable[[int], tuple[int, int]]
    ) -> None:
        offset = 0
        for part in parts:
            if isinstance(part, Placeholder):
                for what in placeholder_mistakes(part):
                    self._add(*where(offset), what)
            offset += len(part) if isinstance(part, str) else len(part.source) + 4

    def _template(self, text: Text, header: int, skipped: int) -> None:
        """Warn of what cannot be submitted as a provider's template."""
        for what in body_findings(text.parts):
            self._add(skipped + 1, 1, what, "warning")
        for what in (*button_findings(text.url), *category_findings(text.category)):
            self._add(header, 1, what, "warning")

    def _add(self, line: int, column: int, what: str, level: str = "error") -> None:
        self.problems.append(Problem("", line, column, what, level))


def _fixed(parts: Any) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def placeholder_mistakes(part: Placeholder) -> Iterator[str]:
    """Yield what is wrong with a placeholder's variable, field and filter kinds."""
    yield from name_mistakes(part.variable, part.field)
    kind = FIELDS.get(part.variable, {}).get(part.field, ("", ""))[0]
    for name in part.filters[:1]:
        wanted, words = WANTS.get(name, (kind, ""))
        if kind and wanted != kind:
            yield f'"{name}" wants {words}, {part.variable}.{part.field} is {kind}'


def name_mistakes(
    variable: str, field: str | None, extra: frozenset[str] | None = None
) -> Iterator[str]:
    """Yield what is wrong with a variable's or field's name.

    *extra* are further fields of `event` and `result`; without it, any that some
    hookpoint carries.
    """
    if variable not in FIELDS:
        yield f'no variable "{variable}"{meant(variable, FIELDS)}'
        return
    if field is None:
        yield f'"{variable}" alone says nothing: write {variable}.<field>'
        return
    if SECRET_NAME.search(field):
        yield f"{variable}.{field} sounds like a secret: no message ever holds one"
        return
    known = set(FIELDS[variable])
    if variable == "event":
        known |= event_fields() if extra is None else extra
    if variable == "result" and extra is None:
        return
    if variable == "result" and extra is not None:
        known = set(extra)
    if field not in known:
        yield f'{variable} has no field "{field}"{meant(field, known)}'


def event_fields(hookpoint: str | None = None) -> frozenset[str]:
    """Return the fields of `event` that a hookpoint, or any of them, carries."""
    points = catalogue()
    chosen = points.values() if hookpoint is None else [points[hookpoint]]
    names = (name for point in chosen for name in point.fields)
    plain = {name.rpartition(".")[2] for name in names}
    return frozenset(name for name in plain if name.isidentifier())
