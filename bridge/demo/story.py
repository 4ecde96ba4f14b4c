"""The frame of the demo's story: who plays, what is expected, and who judges it.

The story drives the simulated panel and looks at the bridge from the outside only,
through `Hands`: messages that were sent, answers that were given, what the panel
itself counted. What happens stands in the ``story_*`` modules.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import Panel
from bridge.demo.panel_wire import Answer
from bridge.demo.world import World

LANGUAGES = ("es", "en")
_DAYS = (
    ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
)
_COLUMNS, _WIDTH = 72, 96
_NOTHING = "—"
#: Steps in which the bridge was not done in time, after which the story breaks off.
_GIVES_UP = 3


@dataclass(frozen=True)
class Words:
    """A text of the narrator in both of his languages."""

    es: str
    en: str


@dataclass(frozen=True)
class Sent:
    """A message that left the bridge, and how the provider drew it."""

    to: str
    name: str
    text: str
    language: str
    bubble: str = ""


class Hands(Protocol):
    """What the story may do with the bridge; it knows nothing else of it."""

    def work(self) -> None:
        """Wait until the bridge has done all that is due. Raises TimeoutError."""
        ...

    def messages(self) -> list[Sent]:
        """Return the messages sent since this was asked last, oldest first."""
        ...

    def restart(self) -> None:
        """End the bridge and begin a new one on the same store."""
        ...

    def reconcile(self) -> list[str]:
        """Have it compare itself with the panel; return what it mended."""
        ...

    def order_upgrade(self, service_id: int, product_id: int, cycle: str) -> None:
        """Order a plan change as the account executive does."""
        ...

    def typed(self, service_id: int, email: str) -> str:
        """Return the text of a change of owner, as its link types it."""
        ...

    def write(self, number: str, text: str) -> None:
        """Have a WhatsApp message come in from a number."""
        ...

    def stop_renewal(self, domain_id: int) -> None:
        """Leave a domain unrenewed, as staff do."""
        ...

    def became(self, event_id: str) -> list[str]:
        """Return what became of a delivery: "state: reason" for each job."""
        ...

    def get(self, path: str) -> Answer:
        """Ask the bridge's own address; raises WireError."""
        ...

    def post(
        self, id: str, body: bytes, *, secret: str = "", late: float = 0.0
    ) -> Answer:
        """Post a delivery by hand, signed with another *secret* or *late* seconds."""
        ...

    def keeps(self, text: str) -> bool:
        """Tell whether *text* stands anywhere in the bridge's store."""
        ...


@dataclass(frozen=True)
class Verdict:
    """One expectation and what was seen instead, or as it should be."""

    step: str
    what: str
    wanted: str
    seen: str

    @property
    def good(self) -> bool:
        """Whether it came out as the story says."""
        return self.wanted == self.seen


@dataclass
class Play:
    """What a step is given: the panel's side, the bridge's hands, the judge.

    *show* prints a line, *pause* lets a reader follow; *language* is the narrator's.
    *patience* is how long a message is waited for in real time, in seconds.
    """

    hands: Hands
    world: World
    panel: Panel
    outbox: Outbox
    start: date
    show: Callable[[str], None]
    language: str = "es"
    pause: Callable[[], None] = lambda: None
    patience: float = 5.0
    verdicts: list[Verdict] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    step: str = ""
    _seen: set[str] = field(default_factory=set)

    @property
    def clock(self) -> Clock:
        """The panel's clock, which is the bridge's too."""
        return self.world.clock

    def words(self, words: Words) -> str:
        """Return a text in the narrator's language."""
        return words.en if self.language == "en" else words.es

    def tell(self, es: str, en: str) -> None:
        """Say something that is not judged."""
        self.show(_wrapped(f"· {self.words(Words(es, en))}"))

    def until(self, day: int, hour: int, minute: int = 0) -> None:
        """Move the clock on to a wall time of a day of the story, never back."""
        target = self.clock.at(self.start + timedelta(days=day), hour, minute)
        if target > self.clock.now():
            self.clock.set(target)

    def later(self, minutes: float) -> None:
        """Let some minutes pass."""
        self.clock.advance(timedelta(minutes=minutes))

    def offset(self, day: date) -> int:
        """Return which day of the story a date is."""
        return (day - self.start).days

    def now_sent(self) -> list[Sent]:
        """Let the bridge do all that is due; show and return the new messages."""
        self.hands.work()
        return self.collect()

    def collect(self) -> list[Sent]:
        """Show and return the messages sent meanwhile."""
        new = self.hands.messages()
        for message in new:
            self._draw(message)
        self.sent += new
        return new

    def expect(self, es: str, en: str, wanted: object, seen: object) -> None:
        """Judge one thing and print the judgement."""
        self._judge(self.words(Words(es, en)), shown(wanted), shown(seen), ": ")

    def claim(self, es: str, en: str, holds: bool) -> None:
        """Judge a sentence that should be true."""
        yes, no = ("yes", "no") if self.language == "en" else ("sí", "no")
        self._judge(self.words(Words(es, en)), yes, yes if holds else no, "")

    def arrives(self, *wanted: str) -> list[Sent]:
        """Work, and expect just these messages, each ``who text``; in any order."""
        return self.came(self.now_sent(), *wanted)

    def came(self, sent: list[Sent], *wanted: str) -> list[Sent]:
        """Expect just these messages, each ``who text``, to have been sent."""
        seen = [f"{self.who(message.to)} {message.name}" for message in sent]
        if wanted:
            what, colon = self.words(Words("mensajes", "messages")), ": "
        else:
            what, colon = self.words(Words("ningún mensaje", "no message")), ""
        self._judge(what, shown(Counter(wanted)), shown(Counter(seen)), colon)
        return sent

    def says(self, sent: Iterable[Sent], *pieces: str) -> None:
        """Expect that the messages hold each of these pieces of text."""
        everything = " ".join(" ".join(one.text.split()) for one in sent)
        seen = [piece.strip() for piece in pieces if piece in everything]
        wanted = [piece.strip() for piece in pieces]
        self.expect("en el texto", "in the text", wanted, seen)

    def _judge(self, what: str, wanted: str, seen: str, colon: str) -> None:
        verdict = Verdict(self.step, what, wanted, seen)
        self.verdicts.append(verdict)
        if verdict.good:
            more = f"{colon}{seen}" if colon and seen != _NOTHING else ""
            self.show(_wrapped(f"✓ {what}{more}"))
            return
        labels = ("expected", "seen") if self.language == "en" else (
            "esperado", "visto")  # fmt: skip
        self.show(f"  ✗ {what}")
        self.show(f"      {labels[0]}: {wanted}")
        self.show(f"      {labels[1]}: {seen}")

    def who(self, number: str) -> str:
        """Return the first name of the client with this number, else the number."""
        for client in list(self.world.clients.values()):
            if client.phonenumber and client.phonenumber.replace(".", "") == number:
                return client.firstname
        return number

    def fails(self, error: Exception) -> None:
        """Note that a step did not come to its end."""
        what = self.words(Words("el paso llega al final", "the step ends"))
        self._judge(what, _NOTHING, f"{type(error).__name__}: {error}", "")

    def _draw(self, message: Sent) -> None:
        """Show a bubble: whole the first time, later its head and how it begins."""
        lines = message.bubble.splitlines()
        key = f"{message.name}/{message.language}"
        if key in self._seen and len(lines) > 2:
            begins = textwrap.shorten(message.text, _COLUMNS - 3, placeholder=" …")
            lines = [lines[0], f"╰─ {begins}"]
        self._seen.add(key)
        for line in lines:
            self.show(f"    {line}")


@dataclass(frozen=True)
class Step:
    """One step of the story: on which day of it, when, what, and how it is played."""

    day: int
    at: str
    title: Words
    run: Callable[[Play], None]

    @property
    def hour(self) -> tuple[int, int]:
        """The wall time at which it begins."""
        hour, minute = self.at.split(":")
        return int(hour), int(minute)


def tell_story(play: Play, steps: Sequence[Step]) -> list[Verdict]:
    """Play all steps in the order of their times; return every judgement.

    A step that raises has failed, and the story goes on; a bridge that is not done
    in time is given up after some such steps.
    """
    today, late = -1, 0
    for step in sorted(steps, key=lambda one: (one.day, one.hour)):
        play.until(step.day, *step.hour)
        if step.day != today:
            today = step.day
            play.show("")
            play.show(_heading(play, play.start + timedelta(days=today)))
        play.step = play.words(step.title)
        play.show("")
        play.show(f"{step.at}  {play.step}")
        try:
            step.run(play)
        except Exception as error:  # whatever it is, the step did not come out
            play.fails(error)
            late += isinstance(error, TimeoutError)
        if late >= _GIVES_UP:
            break
        play.pause()
    return play.verdicts


def wait_for(true: Callable[[], bool], seconds: float) -> bool:
    """Wait in real time until something holds; false if it never did."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def shown(value: object) -> str:
    """Return a value as it stands in a judgement."""
    if isinstance(value, Counter):
        rows = sorted(value.items())
        return ", ".join(f"{k} ×{n}" if n > 1 else str(k) for k, n in rows) or _NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value) or _NOTHING
    return str(value)


def _wrapped(line: str) -> str:
    """Return a line of the narrator's, set in, of a width that can be read."""
    return textwrap.fill(
        line, _WIDTH, initial_indent="  ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _heading(play: Play, day: date) -> str:
    number = play.offset(day) + 1
    name = _DAYS[play.language == "en"][day.weekday()]
    word = "Day" if play.language == "en" else "Día"
    written = f"{day:%Y-%m-%d}" if play.language == "en" else f"{day:%d/%m/%Y}"
    return f"━━ {word} {number} · {name} {written} ".ljust(76, "━")
