"""Texts, read once and rendered strictly: what a client is written.

The same file is free text and, each placeholder a parameter in order, a provider's
template. What clients or staff typed is only ever a value, never a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.billing.model import Refusal
from bridge.billing.transfer_case import CODES
from bridge.billing.transfers import ANSWERS, TOLD, Form, Gap
from bridge.errors import ConfigError, TextError
from bridge.placeholders import Placeholder, cut_values, fill, flatten, split
from bridge.sandbox import SOURCE_LIMIT, meant
from bridge.templateform import numbered
from bridge.textfiles import Reading, Text, read_all
from bridge.variables import FIELDS

_ABOUT = frozenset({"client", "company"})

#: Texts that the bridge itself sends, whatever the map says, and what each sees.
ENGINE_TEXTS: dict[str, frozenset[str]] = {
    "cancellation_reminder": _ABOUT | {"service", "cancellation"},
    "cancellation_withdrawn": _ABOUT | {"service", "cancellation"},
    "cancellation_moved": _ABOUT | {"service", "cancellation"},
    "cancellation_done": _ABOUT | {"service", "cancellation"},
    "upgrade_invoice": _ABOUT | {"service", "upgrade"},
    "upgrade_done": _ABOUT | {"service", "upgrade"},
    "several": _ABOUT | {"result"},
    "phone_changed_old": _ABOUT,
    "inbound_stopped": frozenset({"company"}),
    "inbound_started": frozenset({"company"}),
    "inbound_how_to_cancel": frozenset({"company"}),
    "inbound_reply": frozenset({"company"}),
    "inbound_passed_on": frozenset({"company"}),
    "inbound_share_number": frozenset({"company"}),
    "inbound_number_known": frozenset({"company"}),
    **{f"refusal_{code.value}": frozenset({"company"}) for code in Refusal},
    "inbound_services": _ABOUT | {"result"},
    "inbound_no_services": _ABOUT,
    "inbound_invoices": _ABOUT | {"result"},
    "inbound_no_invoices": _ABOUT,
    "inbound_help": _ABOUT,
    "domain_not_renewed": _ABOUT | {"domain"},
    "domain_not_renewed_undated": _ABOUT | {"domain"},
    "transfer_request": frozenset({"company", "transfer"}),
    **{f"transfer_{name}": _ABOUT | {"transfer"} for name in TOLD},
    **{f"transfer_refused_{code}": _ABOUT | {"transfer"} for code in CODES},
    **{f"transfer_{name}": frozenset({"company", "transfer"}) for name in ANSWERS},
}
_LISTED = frozenset({"count", "list"})
#: What `result` holds in those of them that see it.
ENGINE_RESULTS = {
    "several": _LISTED,
    "inbound_services": _LISTED,
    "inbound_invoices": _LISTED,
}


#: A text of this ending goes out in place of the one without it, where the panel has
#: no day for one that it names.
UNDATED = "_undated"


@dataclass(frozen=True)
class Rendered:
    """A finished message.

    *values* are the placeholders' values in order, flattened and cut so that the
    whole stays within a template's limit. *button* is (label, address); it is
    not part of *text*. *variables* are those that it was filled from. *body* is the
    text that was filled, its places numbered.
    """

    text: str
    values: tuple[str, ...]
    button: tuple[str, str] | None
    language: str
    name: str
    category: str
    variables: Mapping[str, Any] = field(
        default_factory=dict, repr=False, compare=False
    )
    body: str = ""

    @property
    def whole(self) -> str:
        """The text with its button as a last line, for where there are no buttons."""
        if self.button is None:
            return self.text
        return f"{self.text}\n\n{self.button[0]}: {self.button[1]}"


def _form_part(
    part: str | Placeholder, language: str, known: Mapping[str, Any]
) -> str | Gap:
    if isinstance(part, str):
        return part
    if part.variable in known:
        return flatten(part.value(language, known))
    return Gap(part.field)


class Texts:
    """Every text in every language; never changes once loaded."""

    def __init__(self, reading: Reading) -> None:
        self._texts = dict(reading.texts)
        self._uses: dict[str, frozenset[tuple[str, str]]] = {}
        for (name, _), text in self._texts.items():
            self._uses[name] = self._uses.get(name, frozenset()) | text.uses
        self.version = reading.version[:12]
        found = {language for _, language in self._texts}
        self.languages = tuple(sorted(found, key=lambda name: (name != "es", name)))

    @classmethod
    def load(cls, directory: Path) -> Texts:
        """Read every text below *directory*; raises ConfigError with all problems."""
        reading = read_all(directory)
        errors = [problem for problem in reading.problems if problem.level == "error"]
        if errors:
            raise ConfigError(errors)
        return cls(reading)

    def names(self) -> set[str]:
        """Return the names of all texts."""
        return {name for name, _ in self._texts}

    def text(self, name: str, language: str) -> Text:
        """Return a text in the nearest language there is; raises TextError."""
        for candidate in self._nearest(language):
            found = self._texts.get((name, candidate))
            if found is not None:
                return found
        raise TextError(f'there is no text "{name}"{meant(name, self.names())}')

    def _nearest(self, language: str) -> list[str]:
        stem = language.replace("-", "_").split("_")[0]
        kin = [known for known in self.languages if known.split("_")[0] == stem]
        return [language, *kin, *self.languages]

    def forms(self, name: str, known: Mapping[str, Any]) -> dict[str, Form]:
        """Return a text in each language as a form; *known* are not gaps of it."""
        found: dict[str, Form] = {}
        for (one, language), text in self._texts.items():
            if one == name:
                found[language] = tuple(
                    _form_part(part, language, known) for part in text.parts
                )
        return found

    def typed(self, name: str, known: Mapping[str, Any]) -> dict[str, str]:
        """Return a text in each language with gaps as `{name}`, for others to fill."""
        return {
            language: "".join(
                part if isinstance(part, str) else f"{{{part.name}}}" for part in form
            )
            for language, form in self.forms(name, known).items()
        }

    def category(self, name: str) -> str:
        """Return the category of a text, empty where there is none of that name."""
        found = (text for (one, _), text in self._texts.items() if one == name)
        return next((text.category for text in found), "")

    def uses(self, name: str) -> set[tuple[str, str]]:
        """Return the (variable, field) pairs of a text, over all languages."""
        return set(self._uses.get(name, ()))

    def uses_in(self, name: str, language: str) -> frozenset[tuple[str, str]]:
        """Return the (variable, field) pairs of a text in one language."""
        text = self._texts.get((name, language))
        return text.uses if text is not None else frozenset()

    def undated(self, name: str) -> str | None:
        """Return the name of a text's variant without days, if there is one."""
        variant = f"{name}{UNDATED}"
        return variant if variant in self._uses else None

    def _said(self, name: str, variables: Mapping[str, Any]) -> str:
        variant = self.undated(name)
        if variant is None:
            return name
        days = (
            getattr(variables.get(variable), field, "")
            for variable, field in self.uses(name)
            if FIELDS.get(variable, {}).get(field, ("",))[0] == "day"
        )
        return variant if None in days else name

    def render(
        self, name: str, language: str, variables: Mapping[str, Any]
    ) -> Rendered:
        """Fill a text in a language; raises TextError, never leaves a blank.

        Where a day that it names is missing, its variant without days is filled, if
        there is one. What looking up a fact raises (a panel that is away) passes
        through.
        """
        name = self._said(name, variables)
        text = self.text(name, language)
        try:
            body, values = fill(text.parts, text.language, variables)
            url = fill(text.url, text.language, variables)[0].strip()
        except TextError as error:
            raise TextError(f"text {name} ({text.language}): {error}") from error
        button = (text.label, url) if text.label else None
        cut = tuple(cut_values(text.parts, values, text.language))
        told = (text.language, name, text.category, variables, numbered(text.parts))
        return Rendered(body, cut, button, *told)

    @staticmethod
    def uses_source(source: str) -> set[tuple[str, str]]:
        """Return the (variable, field) pairs of a text that stands in the map."""
        placed = (part for part in split(source)[0] if isinstance(part, Placeholder))
        return {(part.variable, part.field) for part in placed}

    @staticmethod
    def render_source(source: str, language: str, variables: Mapping[str, Any]) -> str:
        """Fill a text that stands in the map itself; raises TextError."""
        parts, mistakes = split(source[: SOURCE_LIMIT + 1])
        if len(source) > SOURCE_LIMIT:
            raise TextError(
                f"a text in the map is longer than {SOURCE_LIMIT} characters"
            )
        if mistakes:
            raise TextError(f"a text in the map: {mistakes[0][1]}")
        return fill(tuple(parts), language, variables)[0]
