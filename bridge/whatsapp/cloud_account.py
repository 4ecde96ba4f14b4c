"""The Cloud API's account: its number, its webhook and its templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from bridge.errors import RemoteError, SendError
from bridge.transport import Answer, Call
from bridge.whatsapp import Health, TemplateDraft, TemplateState
from bridge.whatsapp.line import Line
from bridge.whatsapp.reading import TEXT_LIMIT, each, pick, text, word

#: https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status
_NUMBER = (
    "verified_name",
    "quality_rating",
    "messaging_limit_tier",
    "status",
    "throughput",
    "webhook_configuration",
)
_TEMPLATE = ("id", "name", "language", "status", "category", "rejected_reason")
#: An account holds a few thousand templates at most; this many pages of 100.
_PAGES = 200


class Account:
    """Asks about a number and an account (*ids*), and keeps its templates."""

    def __init__(
        self,
        line: Line,
        base: str,
        auth: dict[str, str],
        ids: tuple[str, str],
        webhook: str,
        judge: Callable[[Answer], SendError],
    ) -> None:
        self._line = line
        self._base = base
        self._auth = auth
        self._number, self._waba = ids
        self._webhook = webhook
        self._judge = judge

    def health(self) -> list[Health]:
        """Return what Meta tells of number and account."""
        try:
            found = self._get(self._number, fields=",".join(_NUMBER))
            apps = self._get(f"{self._waba}/subscribed_apps")
        except RemoteError as error:
            return [Health("error", error.detail)]
        here = [Health("ok", "the token is accepted"), *self._about(found)]
        if not any(True for _ in each(apps, "data")):
            what = "no app is subscribed to the account: nothing will come in"
            here.append(Health("error", what))
        return here

    def _about(self, found: Any) -> list[Health]:
        name = self._line.scrub(text(found, "verified_name", limit=TEXT_LIMIT))
        status = word(found, "status")
        level = "ok" if status in ("CONNECTED", "") else "error"
        here = [Health(level, f"number of {name or '?'}: {status or 'status unknown'}")]
        quality = word(found, "quality_rating") or "unknown"
        level = {"RED": "error", "YELLOW": "warning"}.get(quality, "ok")
        here.append(Health(level, f"quality {quality}"))
        limit = word(found, "messaging_limit_tier") or "unknown"
        speed = word(found, "throughput", "level") or "unknown"
        here.append(Health("ok", f"messaging limit {limit}, throughput {speed}"))
        hooks = pick(found, "webhook_configuration")
        known = [text(hooks, where) for where in ("phone_number", "application")]
        known = [address for address in known if address]
        if not self._webhook:
            what = "BRIDGE_PUBLIC_URL is not set: states and replies cannot come in"
            here.append(Health("warning", what))
        elif not known:
            what = f"no webhook address is set at Meta; it should be {self._webhook}"
            here.append(Health("error", what))
        elif known[0] != self._webhook:
            what = f"webhooks go elsewhere; the address should be {self._webhook}"
            here.append(Health("warning", what))
        else:
            here.append(Health("ok", "webhooks come here"))
        return here

    def people_a_day(self) -> int | None:
        """Return the messaging limit, 0 where there is none, None where untold."""
        found = self._get(self._number, fields="messaging_limit_tier")
        return tier(word(found, "messaging_limit_tier"))

    def templates(self) -> list[TemplateState]:
        """Return every template, page by page.

        Raises RemoteError, also where the list has no end.
        """
        found: list[TemplateState] = []
        after: dict[str, str] = {}
        for _ in range(_PAGES):
            page = self._get(
                f"{self._waba}/message_templates",
                fields=",".join((*_TEMPLATE, "components")),
                limit="100",
                **after,
            )
            found += [_state(one) for one in self._line.rows(page, "data")]
            cursor = text(page, "paging", "cursors", "after", limit=2000)
            if not cursor or not text(page, "paging", "next", limit=4000):
                return found
            if after.get("after") == cursor:
                break
            after = {"after": cursor}
        raise self._line.unreadable("the list of templates has no end")

    def push(self, draft: TemplateDraft, id: str) -> TemplateState:
        """Create a template; with *id*, replace the components of that one."""
        body: dict[str, Any] = {"components": _components(draft)}
        path = id
        if not id:
            path = f"{self._waba}/message_templates"
            body = {
                "name": draft.name,
                "language": draft.language,
                "category": draft.category.upper(),
            } | body
        call = Call.post(f"{self._base}/{path}", json=body, headers=self._auth)
        found = self._line.ask(call, self._judge, again=False)
        return TemplateState(
            draft.name,
            draft.language,
            word(found, "status") or "PENDING",
            text(found, "id") or id,
            word(found, "category") or draft.category.upper(),
            body=draft.body,
            label=draft.label,
            url=draft.url,
        )

    def _get(self, path: str, **query: str) -> Any:
        tail = f"?{urlencode(query)}" if query else ""
        call = Call.get(f"{self._base}/{path}{tail}", headers=self._auth)
        return self._line.ask(call, self._judge)


def tier(said: str) -> int | None:
    """Read Meta's word for a limit: TIER_250, TIER_2K, ..., TIER_UNLIMITED."""
    if said == "TIER_UNLIMITED":
        return 0
    found = re.fullmatch(r"TIER_([0-9]{1,6})(K?)", said, re.ASCII)
    return int(found[1]) * (1000 if found[2] else 1) if found else None


def _components(draft: TemplateDraft) -> list[dict[str, Any]]:
    """Return a template's parts as they are submitted.

    https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates/components
    """
    body: dict[str, Any] = {"type": "BODY", "text": draft.body}
    if draft.examples:
        body["example"] = {"body_text": [list(draft.examples)]}
    found = [body]
    if draft.label:
        button: dict[str, Any] = {"type": "URL", "text": draft.label, "url": draft.url}
        if "{{" in draft.url:
            button["example"] = [draft.url_example]
        found.append({"type": "BUTTONS", "buttons": [button]})
    return found


def _state(found: Any) -> TemplateState:
    body = label = url = ""
    for part in each(found, "components"):
        kind = text(part, "type").upper()
        if kind == "BODY":
            body = text(part, "text", limit=TEXT_LIMIT)
        elif kind == "BUTTONS":
            button = pick(part, "buttons", 0)
            label, url = text(button, "text"), text(button, "url", limit=2000)
    reason = word(found, "rejected_reason")
    return TemplateState(
        text(found, "name"),
        text(found, "language"),
        word(found, "status").upper(),
        text(found, "id"),
        word(found, "category"),
        "" if reason == "NONE" else reason,
        body,
        label,
        url,
    )
