"""In which form a message goes: free text, or which approved template.

Who wrote lately, and which templates there are, is asked before every message: both
are remembered for a second. Where that would be too long, the store is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NoReturn

import sqlalchemy as sa

from bridge.errors import ErrorClass, Instead, Later, SendError
from bridge.hooks.records import STATUS_OF
from bridge.recent import Recent
from bridge.store import Store, held, outbox, talk
from bridge.store.outbox import NewJob
from bridge.whatsapp import Message, Provider, TemplateState
from bridge.whatsapp.phones import other_form
from bridge.whatsapp.templates import chosen, nearest_held, says, unapproved

#: What waits for a template to be approved again looks for itself so often.
HELD_FOR = timedelta(hours=1)
_PLACE = re.compile(r"\{\{(\d+)\}\}", re.ASCII)
_OTHERWISE = "says something else than the text: whmcs-bridge templates push"


class Forms:
    """Chooses a message's form, and another one where that is refused.

    *language* is the last one that is tried. Safe to share by threads.
    """

    def __init__(
        self,
        store: Store,
        give: Callable[[], Provider],
        now: Callable[[], datetime],
        language: str,
    ) -> None:
        self.store = store
        self.give = give
        self.now = now
        self.language = language
        self._wrote = Recent(self._read_wrote)
        self._templates = Recent(self._read_templates)
        #: To be called when a template is another now.
        self.forget = self._templates.forget

    @property
    def provider(self) -> Provider:
        """The provider that messages are formed for."""
        return self.give()

    def first(self, message: Message, *, exactly: bool = True) -> Message:
        """Return it as free text inside the 24-hour window, else as a template.

        *exactly*: not by what is a second old. Raises as `_as_template` does.
        """
        if not self.provider.windowed:
            return message
        if message.asks:  # he wrote just now
            return replace(message, free=True)
        if self._open(message.to) if exactly else self._was_open(message.to):
            return replace(message, free=True)
        try:
            return self._as_template(message, exactly=exactly)
        except (Later, SendError):
            if not exactly and self._open(message.to):  # since a moment ago
                return replace(message, free=True)
            raise

    def _was_open(self, number: str) -> bool:
        wrote_at = self._wrote().get(number)
        return wrote_at is not None and self.now() - wrote_at < talk.WINDOW

    def _open(self, number: str) -> bool:
        with self.store.read() as db:
            return talk.contact(db, number).window_open(self.now())

    def _read_wrote(self) -> dict[str, datetime]:
        with self.store.read() as db:
            return talk.wrote_since(db, self.now() - talk.WINDOW)

    def _read_templates(self) -> dict[str, list[TemplateState]]:
        found: dict[str, list[TemplateState]] = {}
        with self.store.read() as db:
            for row in talk.known_templates(db):
                found.setdefault(row.name, []).append(_state(row))
        return found

    def _named(self, name: str) -> list[TemplateState]:
        with self.store.read() as db:
            return [_state(row) for row in talk.templates_named(db, name)]

    def _as_template(self, message: Message, *, exactly: bool = True) -> Message:
        """Return it in the nearest approved language, told in that language.

        Raises Later where its template may be approved again or says something else
        than its text, SendError where there is none.
        """
        name = message.name
        asked = (name, message.language, self.language)
        states = self._named(name) if exactly else self._templates().get(name, [])
        found, other = self._fitting(message, states)
        if found is None and not exactly:
            states = self._named(name)  # one may have been approved a moment ago
            found, other = self._fitting(message, states)
        if found is not None:
            return found
        if other is not None:
            self._hold(other, f"the approved one ({other.language}) {_OTHERWISE}")
        if (paused := nearest_held(states, *asked)) is not None:
            status = paused.status.lower().replace("_", " ")
            why = f"{paused.language} is {status}"
            self._hold(paused, f"{why} ({paused.reason})" if paused.reason else why)
        why = f"he did not write within a day, and {unapproved(states, *asked)}"
        raise SendError(self.provider.name, ErrorClass.AS_TEMPLATE, why)

    def _fitting(
        self, message: Message, states: list[TemplateState]
    ) -> tuple[Message | None, TemplateState | None]:
        """Return it as a template that says the same, if one of its name does.

        Then the nearest approved one that does not.
        """
        left, other = [*states], None
        asked = (message.name, message.language, self.language)
        while (one := chosen(left, *asked)) is not None:
            told = _told(message, one.language)
            if says(one, told):
                return _as(one, told), other
            left.remove(one)
            other = other or one
        return None, other

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
            now = self.now()
            self.store.write(lambda db: talk.close_window(db, message.to, now))
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
        self.forget()
        try:
            return self._as_template(message)
        except SendError as none:
            why = f"{error.detail}; {none.detail}"
            raise SendError(error.provider, error.kind, why, code=error.code) from None


def to_other_form(message: Message, error: SendError) -> Message | None:
    """Return a refused message as it goes to its number's other form, once.

    None where the refusal does not call for that, or the number has no other form.
    """
    if error.instead is not Instead.NUMBER or message.other_form or message.asks:
        return None
    return replace(message, other_form=True) if other_form(message.to) else None


def _told(message: Message, language: str) -> Message:
    """Return it in a template's language: its values, in their own order."""
    if message.told_in is None or language == message.language:
        return message
    return replace(message.told_in(language), other_form=message.other_form)


def _as(found: TemplateState, message: Message) -> Message:
    """Return it as a template, with the words that stand on that one's button."""
    button = message.button
    if button is not None and found.label:
        button = (found.label, button[1])
    return replace(message, free=False, template=found.template, button=button)


def within(message: Message, longest: int) -> Message:
    """Return free text that is too long with the values of its template: cut to fit."""
    if message.template is not None or len(message.whole) <= longest:
        return message
    values = dict(enumerate(message.values, 1))
    if not values or len(_PLACE.findall(message.body)) != len(values):
        return message
    return replace(message, text=_PLACE.sub(lambda m: values[int(m[1])], message.body))


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
