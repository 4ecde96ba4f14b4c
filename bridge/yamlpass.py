"""What stands in a YAML text, seen event by event before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
)

from bridge.errors import Problem

#: A map needs eight levels.
DEPTH_LIMIT = 16

#: Where a value stands: keys and positions from the top.
Place = tuple[str | int, ...]


def spelled(place: Place) -> str:
    """Return a place as people write it: `hooks.InvoicePaid[1].do`."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(words).removeprefix(".")


@dataclass
class _Frame:
    """One open mapping or list: where it stands and the keys it has."""

    place: Place
    mapping: bool
    flow: bool
    keys: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    count: int = 0

    @property
    def wants_key(self) -> bool:
        return self.mapping and self.key is None

    def next_place(self) -> Place:
        """Return the place of the value that comes now."""
        if self.mapping:
            return (*self.place, self.key or "?")
        return (*self.place, self.count)

    def done(self) -> None:
        """A value has been read."""
        self.key = None
        self.count += 1


#: Blanks to the eye, and none to YAML.
ODD_BLANKS = "\u00a0\u2007\u202f\u3000"


def odd_blank(character: str) -> str:
    """Say what to write in the place of such a blank."""
    return (
        f"the blank U+{ord(character):04X} (as copied from a web page or a chat) is "
        "none to YAML: write a plain one"
    )


class Pass:
    """One walk over the parser's events.

    *problems* are what is wrong; *passable*, whether the rest can be built all the
    same; *braces*, line and column of a forgotten quote at which the walk ended.
    """

    def __init__(self, file: str, offset: int) -> None:
        self.file = file
        self.offset = offset
        self.problems: list[Problem] = []
        self.frames: list[_Frame] = []
        self.documents = 0
        self.braces: tuple[int, int] | None = None
        self.passable = True

    def read(self, events: Iterator[Any]) -> None:
        """Walk as far as what follows does not mislead."""
        for event in events:
            if not self._take(event):
                return

    def _take(self, event: Any) -> bool:
        """Look at one event; False ends the walk, what follows would mislead."""
        if isinstance(event, DocumentStartEvent):
            return self._document(event)
        if isinstance(event, CollectionEndEvent):
            self.frames.pop()
            self._value_done()
            return True
        if isinstance(event, AliasEvent):
            self._add(event, "aliases (*) are not used here: write the value out")
            self._scalar(event, "*")
            return True
        if isinstance(event, ScalarEvent | CollectionStartEvent):
            self._marks(event)
        if isinstance(event, CollectionStartEvent):
            return self._open(event)
        if isinstance(event, ScalarEvent):
            self._scalar(event, str(event.value))
        return True

    def _document(self, event: Any) -> bool:
        self.documents += 1
        if self.documents > 1:
            self._add(event, "a second document (---): one file is one document")
            return False
        if event.version or event.tags:
            self._add(event, "directives (%) are not used here")
            return False
        return True

    def _marks(self, event: Any) -> None:
        if event.anchor:
            self._add(event, "anchors (&) are not used here: write the value out")
        if event.tag:
            self._add(event, f"tags are not used here: {str(event.tag)[:60]}")

    def _open(self, event: Any) -> bool:
        frame = self.frames[-1] if self.frames else None
        if frame and frame.wants_key:
            braces = isinstance(event, MappingStartEvent) and frame.flow
            if braces:
                self.braces = (event.start_mark.line, event.start_mark.column)
            self._add(
                event,
                'a value that begins with "{{" needs quotes: "{{ ... }}"'
                if braces
                else "a key must be a plain word",
                frame.place,
            )
            return False
        if len(self.frames) >= DEPTH_LIMIT:
            self._add(event, "nested too deeply")
            return False
        place = frame.next_place() if frame else ()
        mapping = isinstance(event, MappingStartEvent)
        self.frames.append(_Frame(place, mapping, bool(event.flow_style)))
        return True

    def _scalar(self, event: Any, text: str) -> None:
        frame = self.frames[-1] if self.frames else None
        if any("\ud800" <= character <= "\udfff" for character in text):
            self._add(event, "half a character (\\ud800 to \\udfff)")
        if text and text[0] in ODD_BLANKS and event.style is None:
            place = frame.place if frame and frame.wants_key else None
            self._add(event, odd_blank(text[0]), place)
        if frame is None or not frame.wants_key:
            self._value_done()
            return
        if text == "<<":
            what = "merges (<<) are not used here: write the values out"
            self._add(event, what, frame.place)
        elif text in frame.keys:
            first = frame.keys[text]
            what = f'the key "{text[:60]}" stands twice (first on line {first})'
            self._add(event, what, (*frame.place, text), passable=True)
        frame.keys.setdefault(text, event.start_mark.line + 1 + self.offset)
        frame.key = text

    def _value_done(self) -> None:
        if self.frames:
            self.frames[-1].done()

    def _add(
        self,
        event: Any,
        what: str,
        place: Place | None = None,
        *,
        passable: bool = False,
    ) -> None:
        self.passable = self.passable and passable
        if place is None:
            place = self.frames[-1].next_place() if self.frames else ()
        mark = event.start_mark
        line, column = mark.line + 1 + self.offset, mark.column + 1
        where = spelled(place)
        text = f"{where}: {what}" if where else what
        self.problems.append(Problem(self.file, line, column, text))
