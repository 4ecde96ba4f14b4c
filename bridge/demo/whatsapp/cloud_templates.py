"""The templates of the simulated Cloud API: creating, editing, listing, approving.

By https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.demo.whatsapp.stub import Ask, Malformed, Reply

_PLACE = re.compile(r"\{\{([0-9]+)\}\}")
_KEYS = {"name", "language", "category", "components", "parameter_format"}
_EDITABLE = ("APPROVED", "REJECTED", "PAUSED")
_PAGE = 3


@dataclass
class Kept:
    """A template."""

    id: str
    name: str
    language: str
    category: str
    components: list[dict[str, Any]]
    status: str = "PENDING"
    reason: str = "NONE"

    @property
    def body(self) -> str:
        """Return its text."""
        return next(str(c["text"]) for c in self.components if c["type"] == "BODY")

    @property
    def places(self) -> int:
        """Return how many values its text takes."""
        return len(_PLACE.findall(self.body))

    @property
    def button_place(self) -> bool:
        """Whether its button takes a value."""
        buttons = [c["buttons"] for c in self.components if c["type"] == "BUTTONS"]
        return any("{{" in str(button["url"]) for row in buttons for button in row)


class Templates:
    """What an account holds."""

    def __init__(self, waba: str) -> None:
        self.waba = waba
        self.kept: dict[tuple[str, str], Kept] = {}
        #: How many templates it takes before it says that these are enough for now.
        self.limit: int | None = None

    def add(
        self,
        name: str,
        language: str,
        body: str,
        url: str = "",
        status: str = "APPROVED",
    ) -> None:
        """Put a template in, approved."""
        parts: list[dict[str, Any]] = [{"type": "BODY", "text": body}]
        if url:
            button = {"type": "URL", "text": "Ver", "url": url}
            parts.append({"type": "BUTTONS", "buttons": [button]})
        id = str(900_000 + len(self.kept))
        self.kept[name, language] = Kept(id, name, language, "UTILITY", parts, status)

    def approved(self, name: Any, language: Any) -> Kept | None:
        """Return a template that can be sent."""
        found = self.kept.get((name, language)) if isinstance(name, str) else None
        return found if found and found.status == "APPROVED" else None

    def review(self, name: str, language: str, event: str, reason: str) -> str:
        """Change a template's status and return its id."""
        found = self.kept[name, language]
        found.status, found.reason = event, reason
        return found.id

    def handle(self, ask: Ask, id: str, what: str | None) -> Reply | None:
        """Answer what is about templates, None for anything else."""
        if (id, what) == (self.waba, "message_templates"):
            return self._list(ask) if ask.method == "GET" else self._create(ask)
        one = next((kept for kept in self.kept.values() if kept.id == id), None)
        if one is None or what is not None or ask.method != "POST":
            return None
        body = ask.json()
        if not isinstance(body, dict) or set(body) != {"components"}:
            raise _bad(100, "an edit holds components only")
        if one.status not in _EDITABLE:
            raise _bad(2388039, "not in a state that can be edited")
        _check(body["components"])
        one.components, one.status = body["components"], "PENDING"
        return Reply.of(200, {"success": True})

    def _create(self, ask: Ask) -> Reply:
        body = ask.json()
        if not isinstance(body, dict) or set(body) - _KEYS:
            raise _bad(100, "unknown keys, or no JSON")
        name, language = body.get("name"), body.get("language")
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]{1,512}", name):
            raise _bad(100, "the name")
        if not isinstance(language, str) or not re.fullmatch(
            r"[a-z]{2,3}(_[A-Z]{2})?", language
        ):
            raise _bad(100, "the language")
        if self.limit is not None and len(self.kept) >= self.limit:
            found = {"message": "(#80008) too many calls", "code": 80008}
            return Reply.of(400, {"error": found})
        if body.get("category") not in ("UTILITY", "MARKETING"):
            raise _bad(100, "the category")
        if (name, language) in self.kept:
            raise _bad(2388024, "there is content in this language already")
        _check(body.get("components"))
        id = str(900_000 + len(self.kept))
        category = str(body["category"])
        kept = Kept(id, name, language, category, body["components"])
        self.kept[name, language] = kept
        return Reply.of(200, {"id": id, "status": "PENDING", "category": category})

    def _list(self, ask: Ask) -> Reply:
        """Give a few at a time, whatever limit was asked for."""
        after = ask.one("after")
        start = int(after) if after.isdigit() else 0
        rows = [
            {
                "id": kept.id,
                "name": kept.name,
                "language": kept.language,
                "status": kept.status,
                "category": kept.category,
                "rejected_reason": kept.reason,
                "components": kept.components,
            }
            for kept in self.kept.values()
        ]
        page: dict[str, Any] = {"data": rows[start : start + _PAGE]}
        ends = min(start + _PAGE, len(rows))
        page["paging"] = {"cursors": {"before": str(start), "after": str(ends)}}
        if ends < len(rows):
            page["paging"]["next"] = f"https://graph.facebook.com/next?after={ends}"
        return Reply.of(200, page)


def filled(body: str, values: Sequence[str]) -> str:
    """Return a text with its values."""
    return _PLACE.sub(lambda match: values[int(match.group(1)) - 1], body)


def wrong_value(value: str) -> str:
    """Return what is wrong with a value, or nothing."""
    if not value.strip():
        return "a value is empty"
    if re.search(r"[\n\t\r]| {5}", value):
        return "a value has a new line, a tab or more than four blanks"
    return ""


def _bad(code: int, why: str) -> Malformed:
    found = {"message": why, "code": 100, "error_subcode": code, "error_data": why}
    return Malformed(Reply.of(400, {"error": found}), why)


def _check(components: Any) -> None:
    """Judge the parts of a template."""
    if not isinstance(components, list):
        raise _bad(100, "components is no list")
    for part in components:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "BODY":
            _check_body(part)
        elif kind == "BUTTONS":
            _check_buttons(part)
        else:
            raise _bad(100, f"a component {kind}")
    if sum(part["type"] == "BODY" for part in components) != 1:
        raise _bad(100, "not one body")


def _check_body(part: dict[str, Any]) -> None:
    text = part.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= 1024:
        raise _bad(2388040, "the body is not 1 to 1024 characters")
    places = [int(number) for number in _PLACE.findall(text)]
    if places != list(range(1, len(places) + 1)):
        raise _bad(2388073, "the places are not numbered from 1")
    if text.lstrip().startswith("{{") or text.rstrip(" .,!?").endswith("}}"):
        raise _bad(2388299, "a variable at the start or the end")
    if re.search(r"\}\}\s*\{\{", text):
        raise _bad(2388073, "two variables side by side")
    if len(_PLACE.sub(" ", text).split()) < 2 * len(places) + 1:
        raise _bad(2388293, "too many variables for the length")
    examples = part.get("example", {}).get("body_text", [[]])
    if len(examples[0]) != len(places) or not all(examples[0]):
        raise _bad(2388043, "an example for every variable")


def _check_buttons(part: dict[str, Any]) -> None:
    buttons = part.get("buttons")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 10:
        raise _bad(100, "not 1 to 10 buttons")
    for button in buttons:
        if button.get("type") != "URL" or not 1 <= len(button.get("text", "")) <= 25:
            raise _bad(100, "a button that is no URL, or its label")
        url = str(button.get("url"))
        fixed, mark, rest = url.partition("{{")
        if not url.startswith("https://") or len(url) > 2000 or len(fixed) < 10:
            raise _bad(100, "the button's address")
        if mark and (rest != "1}}" or len(button.get("example", [])) != 1):
            raise _bad(100, "a button's variable stands at the end, with an example")
