"""The template form of a text: what is submitted for approval, made of its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bridge.errors import TextError
from bridge.placeholders import Placeholder, flatten
from bridge.templateform import (
    body_findings,
    button_findings,
    category_findings,
    numbered,
)
from bridge.textfiles import Text
from bridge.whatsapp import Message, TemplateDraft, TemplateState

#: States in which a template is being looked at, or was approved and may be so again.
_HELD = ("PENDING", "RECEIVED", "IN_APPEAL", "PAUSED", "DISABLED")
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


def live(
    states: Sequence[TemplateState],
) -> dict[tuple[str, str], list[TemplateState]]:
    """Return of each name and language the newest approved one, and what is newer.

    *states* are the oldest first; without an approved one it is all there are.
    """
    found: dict[tuple[str, str], list[TemplateState]] = {}
    for one in states:
        if one.approved:
            found[one.name, one.language] = []
        found.setdefault((one.name, one.language), []).append(one)
    return found


def current(states: Sequence[TemplateState]) -> list[TemplateState]:
    """Return one of each name and language: the newest approved, else the newest."""
    every = live(states).values()
    return [some[0] if some[0].approved else some[-1] for some in every]


def chosen(
    states: Sequence[TemplateState], name: str, language: str, default: str = ""
) -> TemplateState | None:
    """Return the approved template of a name in the nearest language.

    That is the language itself, then its stem (es for es_AR), then one of the
    same stem, then *default*.
    """
    return _first(states, name, language, default, ("APPROVED",))


def nearest_held(
    states: Sequence[TemplateState], name: str, language: str, default: str = ""
) -> TemplateState | None:
    """Return the nearest one that may be approved without anybody submitting it."""
    return _first(states, name, language, default, _HELD)


def _first(
    states: Sequence[TemplateState],
    name: str,
    language: str,
    default: str,
    status: tuple[str, ...],
) -> TemplateState | None:
    fits = (one for one in states if one.name == name and one.status in status)
    usable = {one.language: one for one in fits}
    return next(
        (usable[word] for word in nearest(usable, language, default) if word in usable),
        None,
    )


def nearest(known: Iterable[str], language: str, default: str = "") -> list[str]:
    """Return the languages that somebody may be written to in, the best first."""
    stem = language.split("_")[0]
    kin = sorted(word for word in known if word.split("_")[0] == stem)
    return [*dict.fromkeys(word for word in (language, stem, *kin, default) if word)]


def says(state: TemplateState, message: Message) -> bool:
    """Tell whether a template says what a message's text says, as far as is known.

    The values of a message stand right in a template of its own text alone. The words
    on its button may be others: where it leads to is what counts.
    """
    if not (state.body and message.body):
        return True
    address = message.button[1] if message.button else ""
    fixed, mark, _ = state.url.partition("{{")
    leads = address.rstrip("/") == fixed.rstrip("/")
    if mark:
        leads = address.startswith(fixed) and address != fixed
    return leads and state.body.strip() == message.body.strip()


def unapproved(
    states: Sequence[TemplateState], name: str, language: str, default: str = ""
) -> str:
    """Say why there is no template to send: what is missing, what there is, what to do.

    It is the end of a sentence.
    """
    there = {one.language: one for one in states if one.name == name}
    wanted = [word for word in (language, default) if word]
    asked = " or ".join(dict.fromkeys(wanted))
    if not there:
        return f'there is no template "{name}": whmcs-bridge templates push'
    useful = [word for word in nearest(there, language, default) if word in there]
    told = [f"{word} is {there[word].status.lower()}" for word in useful]
    approved = sorted(word for word, one in there.items() if one.approved)
    said = "; ".join(told) or "it is missing"
    if approved:
        said += f"; approved is only {', '.join(approved)}, which he does not read"
    push = f"whmcs-bridge templates push --name {name}"
    return f'the template "{name}" is not approved in {asked} ({said}): {push}'
