"""The story's stage: the tape of messages, the bridge's door, curtain and applause."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.demo.clock import Clock
from bridge.demo.hooks import sign
from bridge.demo.panel_wire import Answer, Wire
from bridge.demo.story import Play, Sent, Words, tell_story
from bridge.demo.story_phone import Chapter
from bridge.demo.story_script import script

#: How long the bridge may take over an answer, in seconds.
_PATIENCE = 5.0
_OPENING = Words(
    "Un panel simulado y un mes de su vida. Nada sale de esta máquina.",
    "A simulated panel and a month of its life. Nothing leaves this machine.",
)
_SUMMARY = Words(
    "{good} de {all} comprobaciones salieron como dice la historia, en {s:.0f} s.",
    "{good} of {all} checks came out as the story says, in {s:.0f} s.",
)
_FAILED = Words("No salió como dice la historia:", "Not as the story says:")
_STAYS = Words(
    "El puente sigue en marcha en {url}, ahora con la hora real.\n"
    "Para probar, en otra terminal:",
    "The bridge stays up at {url}, now with the real time.\n"
    "To try, in another terminal:",
)
_QUIET = Words(
    "Son horas de silencio: los avisos comunes esperan hasta las 08:00.",
    "These are quiet hours: ordinary alerts wait until 08:00.",
)
_END = Words("Ctrl-C termina y borra todo.", "Ctrl-C ends it and deletes everything.")
#: What may be tried, with the client, service or invoice of the example.
_TRIES = (
    ("curl -s {url}/readyz", Words("¿está todo bien?", "is all well?")),
    ("{command} events list", Words("qué llegó", "what came in")),
    ("{command} cancellations list --all", Words("qué terminó", "what ended")),
    ("{command} upgrade quote 4 --to 25 --cycle annually",
     Words("la diferencia, explicada", "the difference, worked out")),
    ("{command} trigger UserChangePassword --set userid=1",
     Words("un gancho a mano, urgente", "a hook by hand, urgent")),
    ("{command} trigger InvoiceCreated --set invoiceid=1",
     Words("y uno común", "and an ordinary one")),
    ("{url}/console/",
     Words("en un navegador: demo, {password}", "in a browser: demo, {password}")),
)  # fmt: skip


class Tape:
    """The stream a console provider writes on: kept, or printed when *live*."""

    encoding = "utf-8"

    def __init__(self, show: Callable[[str], None]) -> None:
        self.live = False
        self._show = show
        self._bubbles: list[str] = []
        self._told = 0

    def write(self, text: str) -> int:
        """Take one bubble: the provider writes each in one piece."""
        if self.live:
            self._show(text.rstrip("\n"))
        self._bubbles.append(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def messages(self, file: Path) -> list[Sent]:
        """Return what stands in *file*, a line each, since this was asked last.

        The provider may be at work on the last line: it counts when it has its end.
        """
        written = file.read_bytes() if file.exists() else b""
        lines = written.decode("utf-8", "ignore").split("\n")[:-1]
        new = list(zip(lines, self._bubbles, strict=False))[self._told :]
        self._told += len(new)
        return [_sent(line, bubble) for line, bubble in new]


def _sent(line: str, bubble: str) -> Sent:
    row = json.loads(line)
    return Sent(row["to"], row["message"], row["text"], row["language"], bubble)


@dataclass(frozen=True)
class Door:
    """The bridge's address, for requests by hand."""

    url: str
    secret: str
    clock: Clock

    def get(self, path: str) -> Answer:
        """Ask one of the bridge's own addresses; raises WireError."""
        return Wire.to(self.url).send("GET", path, b"", {}, _PATIENCE)

    def post(
        self, id: str, body: bytes, *, secret: str = "", late: float = 0.0
    ) -> Answer:
        """Post a delivery with a signature of one's own; raises WireError."""
        stamp = int(self.clock.now().timestamp() - late)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(secret or self.secret, id, stamp, body),
        }
        wire = Wire.to(self.url)
        return wire.send("POST", "/hooks/whmcs", body, headers, _PATIENCE)


def perform(play: Play, chapter: Chapter | None = None) -> bool:
    """Play the whole story and sum it up; true if all came out as it says.

    *chapter* is what is told with a provider besides.
    """
    began = time.monotonic()
    play.show(play.words(_OPENING))
    verdicts = tell_story(play, script(play.world, play.start, chapter))
    bad = [verdict for verdict in verdicts if not verdict.good]
    good, took = len(verdicts) - len(bad), time.monotonic() - began
    play.show("")
    play.show(play.words(_SUMMARY).format(good=good, all=len(verdicts), s=took))
    if bad:
        play.show(play.words(_FAILED))
    for one in bad:
        play.show(f"  ✗ {one.step} · {one.what}: {one.seen} (✓ = {one.wanted})")
    return not bad


def advise(
    play: Play, url: str, environment: Path, command: str, password: str
) -> None:
    """Say what to try while everything stays up; *password* is the console's."""
    play.show("")
    play.show(play.words(_STAYS).format(url=url))
    play.show("")
    play.show(f"  . {environment}")
    for text, why in _TRIES:
        line = text.format(url=url, command=command)
        about = play.words(why).format(password=password)
        play.show(f"  {line:<62} # {about}")
    play.show("")
    if not 8 <= play.clock.local().hour < 22:
        play.show(play.words(_QUIET))
    play.show(play.words(_END))
