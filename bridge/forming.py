"""In which form a message goes: free text, or which approved template."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

import sqlalchemy as sa

from bridge.errors import ErrorClass, Instead, Later, SendError
from bridge.hooks.records import STATUS_OF
from bridge.store import Store, held, outbox, talk
from bridge.store.outbox import NewJob
from bridge.whatsapp import Message, Provider, TemplateState
from bridge.whatsapp.templates import chosen, nearest_held, says, unapproved

#: What waits for a template to be approved again looks for itself so often.
HELD_FOR = timedelta(hours=1)
_OTHERWISE = "says something else than the text: whmcs-bridge templates push"


@dataclass(frozen=True)
class Forms:
    """Chooses a message's form, and another one where that is refused."""

    store: Store
    provider: Provider
    now: Callable[[], datetime]
    language: str

    def first(self, message: Message) -> Message:
        """Return it as free text inside the 24-hour window, else as a template.

        Raises as `_as_template` does.
        """
        if not self.provider.windowed:
            return message
        if message.asks:  # he wrote just now
            return replace(message, free=True)
        with self.store.read() as db:
            if talk.contact(db, message.to).window_open(self.now()):
                return replace(message, free=True)
        return self._as_template(message)

    def _as_template(self, message: Message) -> Message:
        """Return it in the nearest approved language, told in that language.

        Raises Later where its template may be approved again or says something else
        than its text, SendError where there is none.
        """
        with self.store.read() as db:
            rows = talk.templates_named(db, message.name)
        states = [_state(row) for row in rows]
        asked = (message.name, message.language, self.language)
        left, other = [*states], None
        while (found := chosen(left, *asked)) is not None:
            told = _told(message, found.language)
            if says(found, told):
                return _as(found, told)
            left.remove(found)
            other = other or found
        if other is not None:
            self._hold(other, f"the approved one ({other.language}) {_OTHERWISE}")
        if (paused := nearest_held(states, *asked)) is not None:
            status = paused.status.lower().replace("_", " ")
            why = f"{paused.language} is {status}"
            self._hold(paused, f"{why} ({paused.reason})" if paused.reason else why)
        why = f"he did not write within a day, and {unapproved(states, *asked)}"
        raise SendError(self.provider.name, ErrorClass.AS_TEMPLATE, why)

    def _hold(self, one: TemplateState, why: str) -> NoReturn:
        """Raise Later until a fitting one is approved; staff are told each day."""
        now = self.now()
        text = f"{held.held_for(one.name)}{why}"
        key = f"template:{one.name}/{now:%Y-%m-%d}"
        line = f"[bridge] WhatsApp: {text}. Its messages wait until one is approved."
        self.store.write(partial(put_line, key=key, text=line, now=now))
        raise Later(text, now + HELD_FOR)

    def instead(self, message: Message, error: SendError) -> Message:
        """Return what may go in place of a refused message, or raise its error."""
        if not self.provider.windowed or message.asks:
            raise error
        if error.kind is ErrorClass.AS_TEMPLATE and message.free:
            self.store.write(lambda db: talk.close_window(db, message.to))
            return self._as_template(message)
        refused = message.template
        if refused is None or error.instead not in (Instead.LANGUAGE, Instead.APPROVAL):
            raise error
        told = {"status": STATUS_OF[error.instead], "reason": f"code {error.code}"}
        self.store.write(
            lambda db: talk.note_template(
                db, refused.name, refused.language, self.now(), **told
            )
        )
        try:
            return self._as_template(message)
        except SendError as none:
            why = f"{error.detail}; {none.detail}"
            raise SendError(error.provider, error.kind, why, code=error.code) from None


def _told(message: Message, language: str) -> Message:
    """Return it in a template's language: its values, in their own order."""
    if message.told_in is None or language == message.language:
        return message
    return message.told_in(language)


def _as(found: TemplateState, message: Message) -> Message:
    """Return it as a template, with the words that stand on that one's button."""
    button = message.button
    if button is not None and found.label:
        button = (found.label, button[1])
    return replace(message, free=False, template=found.template, button=button)


def form_of(message: Message) -> str:
    """Return in which form a message went out, for who looks at it."""
    if message.template is None:
        return "free"
    return f"template {message.template.name} ({message.template.language})"


def _state(row: sa.Row[tuple[str, ...]]) -> TemplateState:
    return TemplateState(
        row.name,
        row.language,
        row.status,
        row.provider_id,
        row.category,
        row.reason,
        row.body,
        row.label,
        row.url,
    )


def template_of(form: str) -> tuple[str, str] | None:
    """Return name and language of the template in what `form_of` returned."""
    found = re.fullmatch(r"template (\S+) \((\S+)\)", form)
    return None if found is None else (found[1], found[2])


def put_line(db: sa.Connection, *, key: str, text: str, now: datetime) -> None:
    """Have a line written for staff, once under its key."""
    job = NewJob(
        key=key,
        event_id=None,
        action="log_activity",
        rule="whatsapp",
        run_at=now,
        parameters={"text": text, "raw": True},
    )
    outbox.put(db, [job], now)
