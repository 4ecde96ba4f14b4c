"""config/hooks.yaml: which hook does what. Loaded whole or not at all.

A map that cannot be read is never used: `LiveMap` keeps the last good one.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge import regular
from bridge.errors import ConfigError, Problem
from bridge.mapeditor import json_schema
from bridge.mapread import DecisionRule, MapReader, Rule, Step
from bridge.mapschema import (
    CompanySchema,
    InboundSchema,
    PoliciesSchema,
    read_company,
    read_inbound,
    read_policies,
)
from bridge.mapwords import load, said
from bridge.messages import ENGINE_RESULTS, ENGINE_TEXTS, Texts
from bridge.policies import Company, Policies
from bridge.sandbox import meant
from bridge.textfiles import name_mistakes, read_all
from bridge.yamlfile import SIZE_LIMIT, Document, parse, read_text, shown

__all__ = [
    "DecisionRule",
    "HookMap",
    "LiveMap",
    "Rule",
    "Seen",
    "Step",
    "check_map",
    "json_schema",
    "load_map",
    "look",
]

#: The only form of map there is so far.
VERSION = 1
_KEYS = ("version", "hooks", "decisions", "policies", "inbound", "company")


@dataclass(frozen=True)
class HookMap:
    """A good map with its texts; *version* is a digest over both."""

    version: str
    rules: dict[str, tuple[Rule, ...]]
    decisions: dict[str, DecisionRule]
    policies: Policies
    company: Company
    texts: Texts
    warnings: tuple[Problem, ...] = ()


def load_map(config_dir: Path) -> HookMap:
    """Read map and texts below *config_dir*; raises ConfigError with all problems."""
    found, problems = _read(config_dir, config_dir / "hooks.yaml")
    if found is None:
        raise ConfigError(problems)
    return found


def check_map(config_dir: Path, file: Path | None = None) -> list[Problem]:
    """Return every problem and warning of map and texts, sorted.

    *file* is a map to check in place of the directory's own.
    """
    return _read(config_dir, file or config_dir / "hooks.yaml")[1]


def _read(config_dir: Path, file: Path) -> tuple[HookMap | None, list[Problem]]:
    reading = read_all(config_dir / "messages")
    texts = Texts(reading)
    problems = [*reading.problems, *_engine_problems(texts, config_dir / "messages")]
    found: HookMap | None = None
    try:
        source = read_text(file)
        document = parse(source, shown(file), lenient=True)
    except ConfigError as error:
        problems += [_and_no_further(problem) for problem in error.problems]
    else:
        digest = hashlib.sha256(f"{reading.version}\0{source}".encode()).hexdigest()
        problems += document.problems
        found = _build(document, texts, digest[:12], problems)
    problems.sort()
    if found is None or any(problem.level == "error" for problem in problems):
        return None, problems
    return replace(found, warnings=tuple(problems)), problems


def _and_no_further(problem: Problem) -> Problem:
    if ": not YAML" not in f": {problem.what}":
        return problem
    return replace(problem, what=f"{problem.what}; what follows is not checked")


def _build(
    document: Document, texts: Texts, version: str, problems: list[Problem]
) -> HookMap | None:
    data = document.data
    if not isinstance(data, Mapping):
        what = (
            "the map is empty" if data is None else "the map must have keys at its top"
        )
        problems.append(document.problem((), what))
        return None
    for key in data:
        if key not in _KEYS:
            what = f"unknown key{meant(str(key), _KEYS)}"
            problems.append(document.problem((key,), what))
    wanted = data.get("version", VERSION)
    if isinstance(wanted, bool) or wanted != VERSION:
        what = f"this bridge reads maps of version {VERSION}, not {said(wanted)}"
        problems.append(document.problem(("version",), what))
    reader = MapReader(document, texts)
    rules = reader.hooks(data["hooks"]) if "hooks" in data else {}
    answers = reader.decisions(data["decisions"]) if "decisions" in data else {}
    problems += reader.problems
    policies = _section(document, "policies", PoliciesSchema(), read_policies, problems)
    inbound = _section(document, "inbound", InboundSchema(), read_inbound, problems)
    if policies is not None and inbound is not None:
        policies = replace(policies, inbound=inbound)
    company = _section(document, "company", CompanySchema(), read_company, problems)
    if not data:
        problems.append(document.problem((), "hooks: is missing: nothing would happen"))
    return HookMap(version, rules, answers, policies, company, texts)


def _section(
    document: Document,
    key: str,
    schema: Any,
    make: Callable[[Mapping[str, Any]], Any],
    problems: list[Problem],
) -> Any:
    if key not in document.data:
        return make({})
    values, faults = load(schema, document.data[key])
    problems += [document.problem((key, *below), what) for below, what in faults]
    return make({} if faults else values)


def _engine_problems(texts: Texts, directory: Path) -> list[Problem]:
    """Hold the texts that the bridge sends by itself against what it offers them."""
    problems: list[Problem] = []
    if not texts.names():
        return problems
    for name, offered in ENGINE_TEXTS.items():
        if name not in texts.names():
            what = f'no text "{name}": the bridge sends it by itself'
            problems.append(Problem(shown(directory), 0, 0, what))
        for language in texts.languages:
            pairs = texts.uses_in(name, language)
            for variable, field in sorted(pairs):
                extra = ENGINE_RESULTS.get(name, frozenset())
                wrong = [*name_mistakes(variable, field, extra)] if extra else []
                if variable not in offered:
                    wrong = [f"this text sees {', '.join(sorted(offered))} only"]
                file = directory / language / f"{name}.txt"
                problems += [
                    Problem(shown(file), 1, 1, f"{variable}.{field}: {what}")
                    for what in wrong
                ]
    return problems


def look(config_dir: Path) -> str:
    """Return a digest of everything that makes the map, wherever it stands."""
    digest = hashlib.sha256()
    texts = sorted((config_dir / "messages").glob("*/*.txt"))
    for path in (config_dir / "hooks.yaml", *texts):
        try:
            content = regular.read(path, SIZE_LIMIT)
        except OSError as error:
            content = f"{type(error).__name__} {error.errno}".encode()
        head = f"\0{path.relative_to(config_dir)}\0{len(content)}\0"
        digest.update(head.encode("utf-8", "surrogateescape") + content)
    return digest.hexdigest()


@dataclass(frozen=True)
class Seen:
    """A map, and what `look` returned of its directory just before it was read."""

    digest: str
    map: HookMap


class LiveMap:
    """The map in use: read again when it or a text changes, however it was saved.

    *on_change* is called with this object after every reading. *settle* waits a
    moment: a file is believed when two looks, a moment apart, see the same. *first*
    is what the directory held, where somebody read it already.
    """

    def __init__(
        self,
        config_dir: Path,
        on_change: Callable[[LiveMap], None] | None = None,
        settle: Callable[[], None] = lambda: time.sleep(0.1),
        first: Seen | None = None,
    ) -> None:
        self._directory = config_dir
        self._on_change = on_change
        self._settle = settle
        self._lock = threading.Lock()
        self._seen = first.digest if first else look(config_dir)
        self._current = first.map if first else load_map(config_dir)
        self._problems: tuple[Problem, ...] = ()

    @property
    def current(self) -> HookMap:
        """The newest good map."""
        return self._current

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the newest files; empty while they are in use."""
        return self._problems

    def refresh(self) -> bool:
        """Look at the files; return whether another map is in use now."""
        with self._lock:
            seen = look(self._directory)
            if seen == self._seen or not self._still(seen):
                return False
            self._seen = seen
            before = self._current.version
            try:
                self._current = load_map(self._directory)
                self._problems = ()
            except ConfigError as error:
                self._problems = tuple(error.problems)
            changed = self._current.version != before
        if self._on_change is not None:
            self._on_change(self)
        return changed

    def _still(self, seen: str) -> bool:
        """Tell whether nobody is writing: the next refresh looks again if not."""
        self._settle()
        return look(self._directory) == seen
