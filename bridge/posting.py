"""The post that actions are given: the texts, and the provider that sends them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from bridge.billing.money import Amount
from bridge.billing.transfers import Form
from bridge.errors import BridgeError, ErrorClass, RemoteError, SendError
from bridge.filters import money
from bridge.messages import Rendered, Texts
from bridge.placeholders import finish, split
from bridge.whatsapp import Message, Provider, Receipt

#: What stands in a job of a finished text.
_KEPT = ("text", "values", "button", "language", "name", "category", "body")


class StorePost:
    """`Post` over the texts and a provider. Remembers what it sent."""

    def __init__(
        self,
        texts: Texts,
        deliver: Callable[[Message], Receipt],
        provider: Provider,
        event_id: str,
        known: Mapping[str, Any] | None = None,
        other_form_of: str = "",
        halt: Callable[[str, str, datetime | None], None] = lambda *_: None,
    ) -> None:
        self._texts = texts
        self._deliver = deliver
        self._provider = provider
        self._event_id = event_id
        self._known = known or {}
        self._other_form_of = other_form_of
        self._halt = halt
        self.sent: list[dict[str, Any]] = []
        #: Whether something was handed over that may have left.
        self.handed = False

    def render(
        self, name: str, language: str, variables: Mapping[str, Any]
    ) -> Rendered:
        """Return the finished text. Raises TextError."""
        return self._texts.render(name, language, variables)

    def render_source(
        self, source: str, language: str, variables: Mapping[str, Any]
    ) -> str:
        """Return a text that stands in the map itself, finished."""
        return self._texts.render_source(source, language, variables)

    def uses(self, name: str) -> set[str]:
        """Return the variables that a text names, or its variant without days."""
        variant = self._texts.undated(name) or name
        both = self._texts.uses(name) | self._texts.uses(variant)
        return {variable for variable, _ in both}

    def category(self, name: str) -> str:
        """Return the category of a text, empty where there is none of that name."""
        return self._texts.category(name)

    def uses_source(self, source: str) -> set[str]:
        """Return the variables that a text of the map names."""
        parts, _ = split(source)
        return {part.variable for part in parts if not isinstance(part, str)}

    def day(self, day: date, language: str) -> str:
        """Return a day as people write it."""
        return finish(day, language)

    def money(self, amount: Amount, language: str) -> str:
        """Return an amount as people write it."""
        return money(amount, language)

    def forms(self, name: str) -> dict[str, Form]:
        """Return a text in each language as a form that answers are read by."""
        return self._texts.forms(name, self._known)

    def kept(self, text: Rendered) -> dict[str, Any]:
        """Return a finished text as a job's parameters can hold it."""
        return {name: getattr(text, name) for name in _KEPT}

    def finished(self, kept: Mapping[str, Any]) -> Rendered:
        """Return the finished text out of what `kept` made of it."""
        button = kept.get("button")
        return Rendered(
            text=str(kept["text"]),
            values=tuple(kept["values"]),
            button=(button[0], button[1]) if button else None,
            language=str(kept["language"]),
            name=str(kept["name"]),
            category=str(kept["category"]),
            body=str(kept.get("body") or ""),
        )

    def number_of(self, user: str) -> str | None:
        """Return the number behind an identity that hides it, if the provider tells.

        Raises RemoteError where the provider is away.
        """
        try:
            return self._provider.find_number(user)
        except RemoteError as error:
            if error.transient:
                raise
            return None

    @property
    def asks(self) -> bool:
        """Whether somebody without a number can be asked to share it."""
        return self._provider.asks

    def ask_number(self, user: str, text: Rendered, *, key: str) -> str:
        """Ask the one with this identity for his number. Raises SendError."""
        return self._send(replace(self._message(user, text, key), asks=True), None)

    def halt(self, why: str, key: str, sent_at: datetime | None) -> None:
        """Send nothing for now: what was taken then failed, as anything would."""
        self._halt(why, key, sent_at)

    def send(self, to: str, text: Any, *, key: str, client_id: int | None) -> str:
        """Send it and return the state the provider confirmed. Raises SendError."""
        return self._send(self._message(to, text, key), client_id)

    def _send(self, message: Message, client_id: int | None) -> str:
        self.handed = True
        try:
            receipt = self._deliver(message)
        except BridgeError as error:
            kind = error.kind if isinstance(error, SendError) else None
            self.handed = kind is ErrorClass.UNSURE
            if self.handed:  # what a state says of it finds it
                self._keep(message, client_id, "unsure", Receipt("", ()))
            raise
        state = receipt.states[-1].value if receipt.states else "dry run"
        self._keep(message, client_id, state, receipt)
        return state

    def _message(self, to: str, text: Any, key: str) -> Message:
        def told_in(language: str) -> Message:
            told = self._texts.render(text.name, language, text.variables)
            return self._message(to, told, key)

        # What was finished long ago has nothing any more to be told anew with.
        again = bool(text.variables) or not text.values

        return Message(
            to=to,
            text=text.text,
            language=text.language,
            name=text.name,
            tag=key,
            event=self._event_id,
            category=text.category,
            values=text.values,
            button=text.button,
            other_form=to == self._other_form_of,
            body=text.body,
            told_in=told_in if again else None,
        )

    def _keep(
        self, message: Message, client_id: int | None, state: str, receipt: Receipt
    ) -> None:
        went = receipt.detail  # how it went before, where that was settled just now
        self.sent.append(
            {
                "key": message.tag,
                "client_id": client_id,
                "name": message.name,
                "language": went.get("language") or message.language,
                "to": went.get("to") or message.to,
                "text": went.get("text") or message.whole,
                "provider": self._provider.name,
                "provider_id": receipt.id,
                "state": state,
                "states": [one.value for one in receipt.states],
                "form": went.get("form") or "free",
                "other_form": bool(went.get("number")),
                "reached": went.get("reached") or None,
            }
        )
