"""Show WhatsApp messages instead of sending them: on a stream and in a file.

It refuses what real providers refuse, else a trial run against it proves nothing.
"""

from __future__ import annotations

import json
import os
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TextIO

from bridge.errors import ErrorClass, SendError
from bridge.whatsapp import Message, Provider, Receipt, State
from bridge.whatsapp.phones import normalise

_COLUMNS = 72
#: Longest text that the Cloud API takes, as do the providers on top of it:
#: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages
_LONGEST = 4096


class ConsoleProvider(Provider):
    """A provider that writes every message to *stream*, and to *file* as JSON lines.

    *refuse* is number -> error, to see what happens when a provider refuses.
    Safe to use from several threads.
    """

    name = "console"
    number = "console"
    per_second = 1000.0

    def __init__(
        self,
        stream: TextIO,
        file: Path | None,
        now: Callable[[], datetime],
        *,
        refuse: Mapping[str, ErrorClass] | None = None,
    ) -> None:
        self._stream = stream
        self._file = file
        self._now = now
        self._refuse = dict(refuse or {})
        self._lock = threading.Lock()

    def send(self, message: Message) -> Receipt:
        """Write the message down; it counts as delivered at once.

        Raises SendError for what a real provider refuses, RETRY where it could
        not be written.
        """
        self._check(message)
        try:
            with self._lock:
                self._show(message)
                self._record(message)
        except (OSError, ValueError) as error:
            detail = f"the message could not be written: {type(error).__name__}"
            raise SendError(self.name, ErrorClass.RETRY, detail) from error
        states = (State.ACCEPTED, State.SENT, State.DELIVERED)
        return Receipt(f"local-{uuid.uuid4()}", states)

    def _check(self, message: Message) -> None:
        if kind := self._refuse.get(message.to):
            raise SendError(self.name, kind, "told to refuse this number")
        if normalise(message.to, "") != message.to:
            raise SendError(self.name, ErrorClass.NEVER, "not a valid number")
        if not message.text.strip():
            raise self._fix("the text is empty")
        if len(message.text) > _LONGEST:
            raise self._fix(f"the text is longer than {_LONGEST} characters")
        if not all(value.strip() for value in message.values):
            raise self._fix("a value of the text is empty")
        if message.button and not all(part.strip() for part in message.button):
            raise self._fix("the button has no label or no address")

    def _fix(self, detail: str) -> SendError:
        return SendError(self.name, ErrorClass.FIX, detail)

    def _show(self, message: Message) -> None:
        lines = "".join(f"{line}\n" for line in _bubble(message, self._now()))
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(lines.encode(encoding, "replace").decode(encoding))
        self._stream.flush()

    def _record(self, message: Message) -> None:
        """Append one line in one write, on disk when this returns."""
        if self._file is None:
            return
        line = _json_line(message)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self._file, flags, 0o600)
        try:
            if os.write(file, line) != len(line):
                raise OSError("the disk took a part of the line only")
            os.fsync(file)
        finally:
            os.close(file)


def _json_line(message: Message) -> bytes:
    fields = {
        "to": message.to,
        "text": message.whole,
        "language": message.language,
        "event": message.event,
        "message": message.name,
    }
    text = json.dumps(fields, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _bubble(message: Message, now: datetime) -> Iterator[str]:
    """Yield a box open to the right: emoji have no width that can be relied on."""
    what = f"{message.name}, {message.language}"
    head = f"╭─ {_plain(message.to)} ─ {_plain(what)} ─ {now:%Y-%m-%d %H:%M} "
    yield head.ljust(_COLUMNS, "─")
    for paragraph in message.text.splitlines():
        for line in textwrap.wrap(_plain(paragraph), _COLUMNS - 2) or [""]:
            yield f"│ {line}".rstrip()
    if message.button:
        label, address = message.button
        yield f"├─ [ {_plain(label)} ] {_plain(address)}"
    yield "╰" + "─" * (_COLUMNS - 1)


def _plain(text: str) -> str:
    """Return *text* without what would steer the terminal."""
    return "".join(
        c if c.isprintable() or c == "\u200d" else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
