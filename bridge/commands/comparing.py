"""Our texts beside the provider's templates, and what is to be submitted of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from bridge.errors import LOCKED_OUT, RemoteError, TextError
from bridge.hookmap import HookMap, Step
from bridge.messages import ENGINE_TEXTS
from bridge.samplefields import examples
from bridge.textfiles import Text
from bridge.views import View
from bridge.whatsapp import Provider, TemplateDraft, TemplateState
from bridge.whatsapp.templates import draft, findings, live

#: Texts of the bridge's that a panel shows: no message is ever made of them.
_SHOWN = "refusal_"


@dataclass(frozen=True)
class Line:
    """One text in one language, and how the provider's template of it stands.

    *state* is approved, pending, rejected, paused or another of the provider's
    words; missing or changed, where it has to be submitted; unfit, where it never
    can be. *reason* is a sentence or empty.
    """

    name: str
    language: str
    state: str
    category: str = ""
    reason: str = ""
    id: str = ""
    draft: TemplateDraft | None = None

    @property
    def wanting(self) -> bool:
        """Whether it is to be submitted."""
        return self.draft is not None and self.state in ("missing", "changed")

    def shown(self) -> dict[str, str]:
        """Return what is printed of it."""
        names = ("name", "language", "state", "category", "reason", "id")
        return {name: getattr(self, name) for name in names}


def in_use(hookmap: HookMap) -> set[str]:
    """Return the names of all texts that a rule, or the bridge itself, sends."""
    found = {name for name in ENGINE_TEXTS if not name.startswith(_SHOWN)}
    for rules in hookmap.rules.values():
        for rule in rules:
            found |= {*_named(rule.parameters), *_after(rule.then)}
    return found | {one for name in found if (one := hookmap.texts.undated(name))}


def _after(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        yield from _named(step.parameters)
        yield from _after(step.then)


def _named(parameters: dict[str, object]) -> Iterator[str]:
    if isinstance(name := parameters.get("message"), str):
        yield name


def compare(
    hookmap: HookMap, states: Sequence[TemplateState], today: date
) -> list[Line]:
    """Return every text in use, in each of its languages, beside its template."""
    known = live(states)
    lines = []
    for name in sorted(in_use(hookmap)):
        for language in hookmap.texts.languages:
            text = hookmap.texts.text(name, language)
            if text.language != language:
                continue
            lines.append(_line(text, hookmap, known.get((name, language), []), today))
    return lines


def _line(
    text: Text, hookmap: HookMap, there: list[TemplateState], today: date
) -> Line:
    here = Line(text.name, text.language, "missing")
    try:
        made = draft_of(text, hookmap, today)
    except TextError as error:
        return replace(here, state="unfit", reason=str(error))
    here = replace(here, draft=made)
    if not there:
        return here
    fitting = (one for one in there if one.status and one.fits(made))
    kept = next(fitting, there[-1])
    here = replace(here, id=kept.id, category=kept.category, reason=kept.reason)
    if not kept.status:
        return replace(here, reason="it was made and never submitted")
    if not kept.fits(made):
        reason = f"the text differs from the {kept.status.lower()} template"
        return replace(here, state="changed", reason=reason)
    return replace(here, state=kept.status.lower())


def draft_of(text: Text, hookmap: HookMap, today: date) -> TemplateDraft:
    """Return a text as it is submitted, with made-up examples; raises TextError."""
    if wrong := [*findings(text)]:
        raise TextError("; ".join(wrong))
    variables = variables_of(text, hookmap, today)
    filled = hookmap.texts.render(text.name, text.language, variables)
    address = filled.button[1] if filled.button else ""
    base = hookmap.company.client_area
    return draft(text, filled.values, address=address, base=base)


def variables_of(text: Text, hookmap: HookMap, today: date) -> Mapping[str, View]:
    """Return what a text names, made up."""
    contact = hookmap.policies.upgrades.contact
    return examples(text, hookmap.company, today, contact)


def submit(
    provider: Provider, lines: Sequence[Line]
) -> Iterator[tuple[Line, TemplateState | RemoteError]]:
    """Submit what is missing or changed; give what came of each.

    What the provider refuses is given too. Raises RemoteError where it cannot be
    asked at all: none of the rest would be taken either.
    """
    for line in lines:
        if line.draft is None:
            continue
        try:
            yield line, provider.push(line.draft, line.id)
        except RemoteError as error:
            if error.transient or error.reason in LOCKED_OUT:
                raise
            yield line, error
