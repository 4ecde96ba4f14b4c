"""In which form a message goes: free text, or which approved template."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from bridge.errors import ErrorClass, Instead, Later, SendError
from bridge.hooks.records import STATUS_OF
from bridge.store import Store, held, outbox, talk
from bridge.store.outbox import NewJob
from bridge.whatsapp import Message, Provider, TemplateState
from bridge.whatsapp.templates import akin, chosen, nearest_held, unapproved

#: What waits for a template to be approved again looks for itself so often.
HELD_FOR = timedelta(hours=1)


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

        Raises Later where its template may be approved again, SendError where there
        is none.
        """
        with self.store.read() as db:
            rows = talk.templates_named(db, message.name)
        states = [_state(row) for row in rows]
        given = (states, message.name, message.language, self.language)
        found = chosen(*given)
        if found is None:
            if (paused := nearest_held(*given)) is not None:
                self._hold(paused)
            why = f"he did not write within a day, and {unapproved(*given)}"
            raise SendError(self.provider.name, ErrorClass.AS_TEMPLATE, why)
        template = found.template
        if message.told_in is not None and not akin(found.language, message.language):
            message = message.told_in(found.language)  # its values, in its own order
        return replace(message, free=False, template=template)

    def _hold(self, paused: TemplateState) -> None:
        """Raise Later until a template is approved again; staff are told each day."""
        now = self.now()
        why = f"{paused.language} is {paused.status.lower()}"
        if paused.reason:
            why += f" ({paused.reason})"
        text = f"{held.held_for(paused.name)}{why}"
        key = f"template:{paused.name}/{now:%Y-%m-%d}"
        line = f"[bridge] WhatsApp: {text}. Its messages wait until it is approved."
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
