"""Twilio's Content templates: https://www.twilio.com/docs/content/content-api-resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from bridge.errors import SendError
from bridge.transport import Answer, Call
from bridge.whatsapp import TemplateDraft, TemplateState
from bridge.whatsapp.line import Line
from bridge.whatsapp.reading import TEXT_LIMIT, each, pick, text, word

_TEXT, _ACTION = "twilio/text", "twilio/call-to-action"
_PAGES = 200


class Content:
    """Lists templates and submits them; Twilio keeps the language in each."""

    def __init__(
        self,
        line: Line,
        base: str,
        auth: dict[str, str],
        judge: Callable[[Answer], SendError],
    ) -> None:
        self._line = line
        self._base = base
        self._auth = auth
        self._judge = judge

    def templates(self) -> list[TemplateState]:
        """Return every template with its approval, page by page."""
        found: list[TemplateState] = []
        tail = "/v1/ContentAndApprovals?PageSize=100"
        for _ in range(_PAGES):
            call = Call.get(f"{self._base}{tail}", headers=self._auth)
            page = self._line.ask(call, self._judge)
            found += [_state(one) for one in each(page, "contents")]
            # The next page is asked for at our own address, whatever host it names.
            following = text(page, "meta", "next_page_url", limit=4000)
            if not following:
                break
            parts = urlsplit(following)
            tail = f"{parts.path}?{parts.query}"
        return found

    def push(self, draft: TemplateDraft, id: str) -> TemplateState:
        """Create a template and submit it; the one it replaces is deleted after."""
        url = f"{self._base}/v1/Content"
        made = self._post(url, _content(draft))
        sid = text(made, "sid")
        asked = {"name": draft.name, "category": draft.category.upper()}
        found = self._post(f"{url}/{sid}/ApprovalRequests/whatsapp", asked)
        if id and id != sid:
            call = Call("DELETE", f"{url}/{id}", self._auth)
            self._line.ask(call, self._judge, empty=True)
        return TemplateState(
            draft.name,
            draft.language,
            (word(found, "status") or "PENDING").upper(),
            sid,
            word(found, "category") or draft.category.upper(),
            self._line.scrub(text(found, "rejection_reason", limit=TEXT_LIMIT)),
            draft.body,
            draft.label,
            draft.url,
        )

    def _post(self, url: str, body: dict[str, Any]) -> Any:
        call = Call.post(url, json=body, headers=self._auth)
        return self._line.ask(call, self._judge, again=False)


def _content(draft: TemplateDraft) -> dict[str, Any]:
    """Return a template as it is created: the button's place counts on."""
    variables = {str(n): value for n, value in enumerate(draft.examples, 1)}
    types: dict[str, Any] = {_TEXT: {"body": draft.body}}
    if draft.label:
        url, mark, _ = draft.url.partition("{{")
        if mark:
            place = str(len(variables) + 1)
            variables[place] = draft.url_example.removeprefix(url)
            url = f"{url}{{{{{place}}}}}"
        action = {"type": "URL", "title": draft.label, "url": url}
        types = {_ACTION: {"body": draft.body, "actions": [action]}}
    return {
        "friendly_name": draft.name,
        "language": draft.language,
        "variables": variables,
        "types": types,
    }


def _state(found: Any) -> TemplateState:
    approval = pick(found, "approval_requests")
    kind = _ACTION if pick(found, "types", _ACTION) else _TEXT
    shape = pick(found, "types", kind)
    button = pick(shape, "actions", 0)
    status = word(approval, "status").upper()
    return TemplateState(
        text(approval, "name") or text(found, "friendly_name"),
        text(found, "language"),
        {"UNSUBMITTED": "", "RECEIVED": "PENDING"}.get(status, status),
        text(found, "sid"),
        word(approval, "category"),
        text(approval, "rejection_reason"),
        text(shape, "body", limit=TEXT_LIMIT),
        text(button, "title"),
        text(button, "url", limit=2000),
    )
