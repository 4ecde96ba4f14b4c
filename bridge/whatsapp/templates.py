"""The template form of a text: what is submitted for approval, made of its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.errors import TextError
from bridge.placeholders import Placeholder, flatten
from bridge.templateform import (
    body_findings,
    button_findings,
    category_findings,
    numbered,
)
from bridge.textfiles import Text
from bridge.whatsapp import TemplateDraft, TemplateState

#: Longest address of a button, with its variable.
_URL_LIMIT = 2000


def findings(text: Text) -> Iterator[str]:
    """Yield why a text cannot be a template; what yields nothing can be one."""
    yield from body_findings(text.parts)
    yield from button_findings(text.url)
    yield from category_findings(text.category)


def draft(
    text: Text, examples: Sequence[str], *, address: str = "", base: str = ""
) -> TemplateDraft:
    """Return the template form of a text, its places numbered in order.

    *examples* are made-up values, one for each placeholder of the body;
    *address* is the button's address filled with such values, *base* the fixed
    start of every address of the client area. Raises TextError with all that is
    wrong.
    """
    wrong = [*findings(text)]
    if len(examples) != len(text.placeholders):
        wrong.append(f"{len(text.placeholders)} examples are needed")
    url = example = ""
    if text.label:
        url, trouble = _button(text, address, base)
        wrong += trouble
        example = address if "{{" in url else ""
    if wrong:
        where = f"text {text.name} ({text.language})"
        raise TextError(f"{where}: {'; '.join(wrong)}")
    return TemplateDraft(
        text.name,
        text.language,
        text.category,
        numbered(text.parts),
        tuple(flatten(value) for value in examples),
        text.label,
        url,
        example,
    )


def _button(text: Text, address: str, base: str) -> tuple[str, list[str]]:
    """Return a button's address with its place, and what is wrong with it."""
    fixed = "".join(part for part in text.url if isinstance(part, str))
    placed = [part for part in text.url if isinstance(part, Placeholder)]
    if not placed:
        return fixed, []
    if all(part.variable == "company" for part in placed):
        # The same address for everybody: it needs no place.
        fits = address.startswith("https://")
        return address, [] if fits else ["the button's address must be https://"]
    start = fixed or f"{base.rstrip('/')}/"
    if not start.startswith("https://"):
        return "", ["the button's address must begin with https://"]
    if not address.startswith(start) or address == start:
        return "", [f"the button's address does not lie below {start}"]
    url = f"{start}{{{{1}}}}"
    long = max(len(url), len(address)) > _URL_LIMIT
    return url, ["the button's address is too long"] if long else []


def chosen(
    states: Sequence[TemplateState], name: str, language: str, default: str = ""
) -> TemplateState | None:
    """Return the approved template of a name in the nearest language.

    That is the language itself, then its stem (es for es_AR), then one of the
    same stem, then *default*.
    """
    usable = {one.language: one for one in states if one.approved and one.name == name}
    stem = language.split("_")[0]
    kin = sorted(word for word in usable if word.split("_")[0] == stem)
    order = [language, stem, *kin, default]
    return next((usable[word] for word in order if word in usable), None)
