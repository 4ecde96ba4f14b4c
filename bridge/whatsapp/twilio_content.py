"""Twilio's Content templates: https://www.twilio.com/docs/content/content-api-resources."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from bridge.errors import RemoteError, SendError
from bridge.transport import Answer, Call
from bridge.whatsapp import TemplateDraft, TemplateState
from bridge.whatsapp.line import Line
from bridge.whatsapp.reading import TEXT_LIMIT, pick, text, word

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
        """Return every template with its approval, the oldest first.

        Raises RemoteError, also where the list has no end.
        """
        found: list[tuple[str, TemplateState]] = []
        tail = "/v1/ContentAndApprovals?PageSize=100"
        for _ in range(_PAGES):
            call = Call.get(f"{self._base}{tail}", headers=self._auth)
            page = self._line.ask(call, self._judge)
            rows = self._line.rows(page, "contents")
            found += [(text(one, "date_created"), _state(one)) for one in rows]
            # The next page is asked for at our own address, whatever host it names.
            following = text(page, "meta", "next_page_url", limit=4000)
            if not following:
                return [state for _, state in sorted(found, key=lambda one: one[0])]
            parts = urlsplit(following)
            tail = f"{parts.path}?{parts.query}"
        raise self._line.unreadable(f"the list of templates has over {_PAGES} pages")

    def push(self, draft: TemplateDraft, id: str) -> TemplateState:
        """Create a template and submit it. An approved one stays until this is, too.

        What is older than that one goes, and with *id* what it replaces and was not
        approved.
        """
        url = f"{self._base}/v1/Content"
        made = self._post(url, _content(draft))
        sid = text(made, "sid")
        asked = {"name": draft.name, "category": draft.category.upper()}
        found = self._post(f"{url}/{sid}/ApprovalRequests/whatsapp", asked)
        if id and id != sid:
            with suppress(RemoteError):  # what is left now goes with the next one
                self._clear(draft, id, sid)
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

    def _clear(self, draft: TemplateDraft, old: str, new: str) -> None:
        """Delete what nobody sends or waits for any more. Raises RemoteError."""
        every = [
            one
            for one in self.templates()
            if (one.name, one.language) == (draft.name, draft.language)
            and (one.status or one.id == old)  # never what somebody is still writing
        ]
        approved = [one.id for one in every if one.approved][-1:]
        for one in every:
            if one.id not in (new, *approved):
                url = f"{self._base}/v1/Content/{one.id}"
                call = Call("DELETE", url, self._auth)
                self._line.ask(call, self._judge, empty=True)

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
