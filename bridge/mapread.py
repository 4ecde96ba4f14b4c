"""The rules and decisions of a hook map: read, and held against what there is.

Every mistake is kept with its place, so that one reading tells them all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import Problem
from bridge.events import catalogue
from bridge.hooks import Registered, actions, decisions
from bridge.mapschema import schema_of
from bridge.mapscope import Names, Scope, reachable, wrong_names
from bridge.mapwords import load, said
from bridge.messages import Texts
from bridge.placeholders import Placeholder, split
from bridge.sandbox import SOURCE_LIMIT, Expression, MistakeError, compile_when, meant
from bridge.textfiles import event_fields, name_mistakes, placeholder_mistakes
from bridge.yamlfile import Document
from bridge.yamlpass import Place

#: Keys of a rule that are not parameters of its action.
RULE_KEYS = ("name", "when", "do", "then")
#: The parameter that names a text, and those that are texts themselves.
MESSAGE, INLINE = "message", ("text", "subject")
#: How many steps may follow each other, and stand in one `then`.
STEPS_DEEP, STEPS_WIDE = 5, 20

#: Actions that do nothing without a service of the event's.
NEEDS_SERVICE = ("schedule_cancellation", "terminate_service")

_RULE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True)
class Step:
    """What follows a rule's action when it worked."""

    name: str
    do: str
    parameters: dict[str, Any]
    then: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One entry below a hookpoint; *line* is where it stands in the map."""

    name: str
    hookpoint: str
    when: Expression | None
    do: str
    parameters: dict[str, Any]
    then: tuple[Step, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class DecisionRule:
    """What answers a hookpoint that waits."""

    hookpoint: str
    do: str
    parameters: dict[str, Any]


class MapReader:
    """Reads `hooks:` and `decisions:` of one document."""

    def __init__(self, document: Document, texts: Texts) -> None:
        self.document = document
        self.texts = texts
        self.problems: list[Problem] = []
        self._named: dict[str, int] = {}

    def hooks(self, data: Any) -> dict[str, tuple[Rule, ...]]:
        """Read `hooks:`."""
        place: Place = ("hooks",)
        if not isinstance(data, Mapping):
            self._add(place, f"must be a mapping of hookpoints, not {said(data)}")
            return {}
        read: dict[str, tuple[Rule, ...]] = {}
        for hookpoint, rules in data.items():
            here = (*place, str(hookpoint))
            self._hookpoint(here, str(hookpoint))
            if not isinstance(rules, list) or not rules:
                self._add(
                    here, f'must be a list of rules ("- do: ..."), not {said(rules)}'
                )
                continue
            read[str(hookpoint)] = tuple(
                self._rule((*here, number), str(hookpoint), rule)
                for number, rule in enumerate(rules)
            )
        return read

    def _hookpoint(self, place: Place, name: str) -> None:
        known = catalogue().get(name)
        if known is None:
            what = f'no hookpoint "{name}" is documented{meant(name, catalogue())}'
            self._add(place, what, "warning")
        elif known.answers:
            self._add(
                place,
                "the panel waits for an answer here: write it under decisions:",
            )
        elif known.deprecated:
            instead = f": use {known.replacement}" if known.replacement else ""
            self._add(
                place, f"the panel is giving this hookpoint up{instead}", "warning"
            )

    def _rule(self, place: Place, hookpoint: str, data: Any) -> Rule:
        number = int(place[-1]) + 1
        line = self.document.mark(place)[0]
        default = f"{hookpoint}-{number}"
        fields = event_fields(hookpoint) if hookpoint in catalogue() else None
        scope = Scope(hookpoint, reachable(hookpoint), fields)
        if not isinstance(data, Mapping):
            self._add(place, f"must be a mapping with do:, not {said(data)}")
            return Rule(default, hookpoint, None, "", {}, (), line)
        name = self._name(place, data, default)
        when = self._when(place, data, scope)
        do, parameters, then = self._doing(place, data, scope, name, 0)
        return Rule(name, hookpoint, when, do, parameters, then, line)

    def _name(self, place: Place, data: Mapping[str, Any], default: str) -> str:
        name = data.get("name", default)
        where = (*place, "name") if "name" in data else place
        if not isinstance(name, str) or not _RULE_NAME.fullmatch(name):
            what = f"must be letters, digits, - . _ only, at most 64, not {said(name)}"
            self._add(where, what)
            return default
        line = self.document.mark(where)[0]
        if name in self._named:
            what = f'the rule name "{name}" is taken (line {self._named[name]})'
            self._add(where, what)
        self._named.setdefault(name, line)
        return name

    def _when(
        self, place: Place, data: Mapping[str, Any], scope: Scope
    ) -> Expression | None:
        if "when" not in data:
            return None
        source, where = data["when"], (*place, "when")
        if not isinstance(source, str) or not source.strip():
            what = f"must be a condition in quotes, not {said(source)}"
            self._add(where, what)
            return None
        try:
            expression = compile_when(source)
        except MistakeError as error:
            for what in error.mistakes:
                self._add(where, what)
            return None
        self._names(where, expression.names, scope)
        return expression

    def _doing(
        self,
        place: Place,
        data: Mapping[str, Any],
        scope: Scope,
        name: str,
        depth: int,
    ) -> tuple[str, dict[str, Any], tuple[Step, ...]]:
        """Read `do`, its parameters and `then` of a rule or step."""
        known = {n: a for n, a in actions().items() if not a.internal}
        action = self._registered(place, data, known, "action")
        keys = RULE_KEYS if depth == 0 else ("do", "then")
        given = {key: value for key, value in data.items() if key not in keys}
        parameters: dict[str, Any] = {}
        if action is not None:
            parameters = self._parameters(place, given, action, keys)
            self._texts(place, given, action, scope)
            self._needs(place, action, scope)
        result = frozenset(action.result) if action else frozenset()
        after = Scope(scope.hookpoint, scope.reaches, scope.fields, result)
        then: tuple[Step, ...] = ()
        if "then" in data:
            then = self._then((*place, "then"), data["then"], after, name, depth + 1)
        return (action.name if action else ""), parameters, then

    def _then(
        self, place: Place, data: Any, scope: Scope, name: str, depth: int
    ) -> tuple[Step, ...]:
        if not isinstance(data, list) or not 0 < len(data) <= STEPS_WIDE:
            what = f"must be a list of 1 to {STEPS_WIDE} steps, not {said(data)}"
            self._add(place, what)
            return ()
        if depth > STEPS_DEEP:
            self._add(place, "steps follow each other too deeply")
            return ()
        steps = []
        for number, step in enumerate(data):
            here = (*place, number)
            if not isinstance(step, Mapping):
                self._add(here, f"must be a mapping with do:, not {said(step)}")
                continue
            own = f"{name}.{number + 1}"
            steps.append(Step(own, *self._doing(here, step, scope, own, depth)))
        return tuple(steps)

    def _registered(
        self,
        place: Place,
        data: Mapping[str, Any],
        known: Mapping[str, Registered],
        kind: str,
    ) -> Registered | None:
        if "do" not in data:
            self._add(place, f"do: is missing: name the {kind}")
            return None
        name = data["do"]
        if isinstance(name, str) and name in known:
            return known[name]
        what = f"no {kind} {said(name)}{meant(str(name), known)}"
        if kind == "action" and isinstance(name, str) and name in actions():
            what = f'"{name}" is the bridge\'s own step: a map cannot ask for it'
        self._add((*place, "do"), what)
        return None

    def _parameters(
        self,
        place: Place,
        given: Mapping[str, Any],
        action: Registered,
        keys: Collection[str],
    ) -> dict[str, Any]:
        values, faults = load(schema_of(action.parameters), given)
        for below, what in faults:
            if what.startswith("unknown key") and len(below) == 1:
                near = meant(str(below[0]), [*keys, *action.parameters])
                what = f"{action.name} has no such key{near}"
            missing = len(below) == 1 and below[0] not in given
            if missing:
                what = f"{below[0]}: is missing: {action.name} needs it"
            self._add(place if missing else (*place, *below), what)
        return values

    def _texts(
        self, place: Place, given: Mapping[str, Any], action: Registered, scope: Scope
    ) -> None:
        name = given.get(MESSAGE)
        if MESSAGE in action.parameters and isinstance(name, str):
            where = (*place, MESSAGE)
            if scope.reaches is not None and "client" not in scope.reaches:
                what = f"{scope.hookpoint} leads to no client: nobody to write to"
                self._add(where, what)
                return
            if name not in self.texts.names():
                what = f'no text "{name}"{meant(name, self.texts.names())}'
                self._add(where, what)
            for one in filter(None, (name, self.texts.undated(name))):
                sound = {  # the others are reported where the text stands
                    (variable, field)
                    for variable, field in self.texts.uses(one)
                    if not any(name_mistakes(variable, field))
                }
                self._names(where, sound, scope, f'text "{one}": ')
        for key in INLINE:
            if key in action.parameters and isinstance(given.get(key), str):
                self._inline((*place, key), given[key], scope)

    def _needs(self, place: Place, action: Registered, scope: Scope) -> None:
        there = scope.reaches is None or "service" in scope.reaches
        if action.name in NEEDS_SERVICE and not there:
            what = f"{scope.hookpoint} leads to no service: nothing for {action.name}"
            self._add((*place, "do"), what)

    def _inline(self, place: Place, source: str, scope: Scope) -> None:
        if len(source) > SOURCE_LIMIT:
            self._add(place, f"longer than {SOURCE_LIMIT} characters")
            return
        parts, mistakes = split(source)
        for _, what in mistakes:
            self._add(place, what)
        placed = [part for part in parts if isinstance(part, Placeholder)]
        names = {(part.variable, part.field) for part in placed}
        told = self._names(place, names, scope)
        for part in placed:
            for what in placeholder_mistakes(part):
                if what not in told:
                    self._add(place, what)

    def _names(
        self, place: Place, names: Names, scope: Scope, lead: str = ""
    ) -> list[str]:
        told = wrong_names(names, scope)
        for what in told:
            self._add(place, lead + what)
        return told

    def decisions(self, data: Any) -> dict[str, DecisionRule]:
        """Read `decisions:`."""
        if not isinstance(data, Mapping):
            self._add(("decisions",), f"must be a mapping, not {said(data)}")
            return {}
        read: dict[str, DecisionRule] = {}
        answering = [name for name, point in catalogue().items() if point.answers]
        for key, rule in data.items():
            hookpoint, place = str(key), ("decisions", str(key))
            known = catalogue().get(hookpoint)
            if known is None or not known.answers:
                why = (
                    "the panel does not wait here: write it under hooks:"
                    if known
                    else "no such hookpoint"
                )
                self._add(place, f"{why}{meant(hookpoint, answering)}")
            if not isinstance(rule, Mapping):
                self._add(place, f"must be {{do: ...}}, not {said(rule)}")
                continue
            found = self._registered(place, rule, decisions(), "decision")
            if found is not None:
                given = {name: value for name, value in rule.items() if name != "do"}
                values = self._parameters(place, given, found, ("do",))
                read[hookpoint] = DecisionRule(hookpoint, found.name, values)
        return read

    def _add(self, place: Place, what: str, level: str = "error") -> None:
        self.problems.append(self.document.problem(place, what, level))
