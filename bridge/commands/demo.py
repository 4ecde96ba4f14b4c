"""demo: the whole bridge and a simulated panel, in this process, for a month."""

from __future__ import annotations

import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from bridge import logs, signing
from bridge import settings as environment
from bridge.commands.demohands import BridgeHands
from bridge.commands.demophone import PROVIDERS, Telephone
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.story import LANGUAGES, Play
from bridge.demo.story_phone import Chapter
from bridge.demo.story_script import LAST_DAY
from bridge.demo.story_stage import Tape, advise, perform
from bridge.demo.world import World
from bridge.environ import read_environment
from bridge.errors import ConfigError, Problem
from bridge.settings import Secret, Settings

#: Threads that act: few, so that a restart finds work that was not begun.
WORKERS = 4
#: What a reader gets between two steps on a terminal, in seconds.
PAUSE = 0.4


@click.command("demo")
@click.option("--once", is_flag=True, help="End after the story; status 0 if all is ✓.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the bridge listens; default: any free port.",
)
@click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    help="With this provider's adapter, against a simulated vendor.",
)
def demo_command(once: bool, port: int, provider: str | None) -> int:
    """Play a month of a simulated panel's life, with everything real but the world.

    Receiver, worker and scheduler run as in `run`, WhatsApp on the console or with
    --provider, on a temporary SQLite file. Of the settings, BRIDGE_LANG (the
    narrator's language), BRIDGE_CONFIG_DIR and LOG_LEVEL count.
    """
    environ = read_environment()
    level = environ.get("LOG_LEVEL", "error")
    logs.configure(level if level in environment.LEVELS else "error")
    signal.signal(signal.SIGTERM, _interrupt)
    # The story ends yesterday, so that what is tried afterwards has today's date.
    start = Clock.real().today() - timedelta(days=LAST_DAY + 1)
    pace = PAUSE if sys.stdout.isatty() and not once else 0.0
    with theatre(environ, port, start, pace, provider) as stage:
        good = perform(stage.play, Chapter(stage.phone) if stage.phone else None)
        if not once:
            with suppress(KeyboardInterrupt):
                stage.stay()
    return 0 if good else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@dataclass
class Stage:
    """The play, and the bridge and panel it is played with."""

    play: Play
    hands: BridgeHands
    tape: Tape
    panel_url: str
    directory: Path
    phone: Telephone | None = None

    def stay(self) -> None:
        """Stay up with the real time, say what to try, and wait for Ctrl-C."""
        self.play.clock.set(datetime.now(UTC))
        self.hands.beat()
        self.tape.live = True
        self.play.outbox.start()
        if self.phone is not None:
            self.phone.stay(_show)
        command = "./run.sh" if Path("run.sh").exists() else "whmcs-bridge"
        password = self.hands.let_in("demo")
        advise(self.play, self.hands.url, self._environment(), command, password)
        threading.Event().wait()

    def _environment(self) -> Path:
        """Write what other commands need to work beside this one; return the file."""
        settings = self.hands.settings
        values = {
            "BRIDGE_SIGNING_SECRETS": self.play.outbox.secret,
            "BRIDGE_DATABASE_URL": settings.database_url,
            "BRIDGE_CONFIG_DIR": str(settings.config_dir.resolve()),
            "BRIDGE_LISTEN": f"{settings.listen_host}:{settings.listen_port}",
            "BRIDGE_LANG": settings.language,
            "BRIDGE_DRY_RUN": "false",
            "WHMCS_URL": self.panel_url,
            "WHMCS_API_IDENTIFIER": IDENTIFIER,
            "WHMCS_API_SECRET": SECRET,
        }
        if self.phone is not None:
            values |= {"WHATSAPP_PROVIDER": self.phone.name}
            values |= {"BRIDGE_PUBLIC_URL": self.phone.public_url}
            values |= self.phone.environ()
        file = self.directory / "demo.env"
        text = "".join(f"export {name}='{value}'\n" for name, value in values.items())
        file.write_text(text, encoding="utf-8")
        return file


@contextmanager
def theatre(
    environ: Mapping[str, str],
    port: int,
    start: date,
    pace: float = 0.0,
    provider: str | None = None,
) -> Iterator[Stage]:
    """Set everything up in a temporary directory; clear it away afterwards.

    The story's clock begins on *start*, at nine; it moves on with real time, too.
    With a *provider* messages go through its adapter to a simulated vendor.
    """
    clock = Clock(datetime.now(UTC), ticking=True)
    clock.set(clock.at(start, 9))
    language = environ.get("BRIDGE_LANG", "").strip() or "es"
    if language not in environment.LANGUAGES:
        told = f'"{language}" is none of {", ".join(environment.LANGUAGES)}'
        raise ConfigError([Problem("environment", 0, 0, f"BRIDGE_LANG: {told}")])
    world = World.example(clock)
    panel, tape = Panel(world), Tape(_show)
    secret = signing.new_secret()
    panel.install_addon(secret)
    phone = Telephone(provider, clock, port := port or _free()) if provider else None
    with (
        tempfile.TemporaryDirectory(prefix="whmcs-bridge-demo-") as name,
        PanelServer(panel) as server,
        phone.server if phone else nullcontext(),
    ):
        directory = Path(name)
        settings = Settings(
            signing_secrets=(Secret(secret),),
            database_url=f"sqlite:///{directory}/bridge.db",
            config_dir=_config(environ),
            listen_port=port,
            language=language,
            dry_run=False,
            workers=WORKERS,
            whmcs_url=server.url,
            whmcs_identifier=Secret(IDENTIFIER),
            whmcs_secret=Secret(SECRET),
            whatsapp_console_file=directory / "messages.jsonl",
        )
        if phone is not None:
            settings = phone.settings(settings)
        hands = BridgeHands(settings, clock, tape, phone)
        hooks = Outbox(world, hands.url, settings.signing_secrets[0].reveal())
        hands.panel_outbox = hooks
        play = Play(
            hands, world, panel, hooks, start, show=_show,
            language=language if language in LANGUAGES else "es",
            pause=lambda: time.sleep(pace),
        )  # fmt: skip
        try:
            yield Stage(play, hands, tape, server.url, directory, phone)
        finally:
            hooks.stop()
            hands.close()


def _free() -> int:
    """Return a port that is free: callbacks name it before the bridge listens."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def _config(environ: Mapping[str, str]) -> Path:
    """Return the folder of the map: as set, here, or beside the source."""
    if given := environ.get("BRIDGE_CONFIG_DIR"):
        return Path(given)
    here, beside = Path("config"), Path(__file__).parents[2] / "config"
    return here if here.exists() or not beside.exists() else beside


def _show(line: str) -> None:
    color = {"  ✓": "green", "  ✗": "red"}.get(line[:3])
    click.secho(line, fg=color, bold=line.startswith("━━") or None)
