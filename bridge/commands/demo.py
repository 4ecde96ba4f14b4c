"""demo: the whole bridge and a simulated panel, in this process, for a month."""

from __future__ import annotations

import dataclasses
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bridge import logs, signing, wiring
from bridge import settings as environment
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.panel_wire import Answer
from bridge.demo.story import LANGUAGES, Play, Sent
from bridge.demo.story_script import LAST_DAY
from bridge.demo.story_stage import Door, Tape, advise, perform
from bridge.demo.world import World
from bridge.environ import read_environment
from bridge.errors import ConfigError, Problem
from bridge.reconcile import reconcile
from bridge.schedule import Schedule
from bridge.server import Server
from bridge.settings import Secret, Settings
from bridge.store import engines, outbox, reports
from bridge.store.outbox import NewJob
from bridge.whatsapp.console import ConsoleProvider

#: Threads that act: few, so that a restart finds work that was not begun.
WORKERS = 4
#: How long the bridge may take for what is due, in real seconds.
PATIENCE = 20.0
#: How often it is looked whether the bridge is done, in seconds.
POLL = 0.01
#: A second try that is so near is waited for, in the clock's seconds.
SOON, STEP = 30, 5
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
def demo_command(once: bool, port: int) -> int:
    """Play a month of a simulated panel's life, with everything real but the world.

    Receiver, worker and scheduler run as in `run`, WhatsApp on the console, on a
    temporary SQLite file. Of the settings, BRIDGE_LANG (the narrator's language),
    BRIDGE_CONFIG_DIR and LOG_LEVEL count.
    """
    environ = read_environment()
    level = environ.get("LOG_LEVEL", "error")
    logs.configure(level if level in environment.LEVELS else "error")
    signal.signal(signal.SIGTERM, _interrupt)
    # The story ends yesterday, so that what is tried afterwards has today's date.
    start = Clock.real().today() - timedelta(days=LAST_DAY + 1)
    pace = PAUSE if sys.stdout.isatty() and not once else 0.0
    with theatre(environ, port, start, pace) as stage:
        good = perform(stage.play)
        if not once:
            with suppress(KeyboardInterrupt):
                stage.stay()
    return 0 if good else 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class BridgeHands:
    """`Hands` on a real bridge: waitress on loopback, worker threads, scheduler."""

    def __init__(self, settings: Settings, clock: Clock, tape: Tape) -> None:
        self.settings = settings
        self.panel_outbox: Outbox | None = None
        self._clock = clock
        self._tape = tape
        self._up = Running(settings, clock, tape)
        # A port of its own choice stays what it is, also after a restart.
        port = self._up.server.port
        self.settings = dataclasses.replace(settings, listen_port=port)

    @property
    def url(self) -> str:
        """The bridge's base address."""
        return f"http://{self.settings.listen_host}:{self.settings.listen_port}"

    @property
    def _door(self) -> Door:
        [secret] = self.settings.signing_secrets
        return Door(self.url, secret.reveal(), self._clock)

    def close(self) -> None:
        """End it as SIGTERM does: what is in flight finishes."""
        self._up.stop()

    def restart(self) -> None:
        """End the bridge and begin a new one on the same store and port."""
        self.close()
        self._up = Running(self.settings, self._clock, self._tape)

    def work(self) -> None:
        """Deliver the panel's hooks and wait until nothing is due any more.

        What is due within seconds (a second try) has the clock move on to it.
        """
        until, moved = time.monotonic() + PATIENCE, 0
        while True:
            if self._idle(timedelta(0)):
                if moved >= SOON or self._idle(timedelta(seconds=SOON)):
                    return
                self._clock.advance(timedelta(seconds=STEP))
                moved += STEP
            if time.monotonic() > until or not self._up.alive:
                raise TimeoutError("the bridge is not done, or one of its threads died")
            self._up.wired.worker.wake.set()
            time.sleep(POLL)

    def _idle(self, ahead: timedelta) -> bool:
        """Tell whether nothing runs, nor is due so far *ahead* of the clock."""
        hooks = self.panel_outbox
        if hooks is not None and hooks.pending:
            hooks.flush()
            return False
        with self._up.wired.store.read() as db:
            if reports.anything_due(db, self._clock.now() + ahead):
                return False
            if reports.open_jobs(db)["running"]:
                return False
        return hooks is None or not hooks.pending

    def beat(self) -> None:
        """Say at once that the worker is there, as after a leap of the clock."""
        self._up.schedule.heartbeat()

    def messages(self) -> list[Sent]:
        """Return the messages sent since this was asked last."""
        file = self.settings.whatsapp_console_file
        assert file is not None
        return self._tape.messages(file)

    def reconcile(self) -> list[str]:
        """Compare the bridge's book with the panel."""
        report = reconcile(self._up.wired.bench)
        return [f"{one.what} {one.service_id}" for one in report.differences]

    def order_upgrade(self, service_id: int, product_id: int, cycle: str) -> None:
        """Order a plan change through the same action as `upgrade order`."""
        now = self._clock.now()
        job = NewJob(
            key=f"demo/upgrade:{service_id}:{product_id}",
            event_id=None,
            action="invoice_upgrade",
            rule="upgrade",
            run_at=now,
            parameters={"to": product_id, "cycle": cycle, "service_id": service_id},
            acts=True,
        )
        self._up.wired.store.write(lambda db: outbox.put(db, [job], now))

    def became(self, event_id: str) -> list[str]:
        """Return state and reason of each job of a delivery, as `events show` has."""
        with self._up.wired.store.read() as db:
            rows = reports.jobs_of(db, [event_id])[event_id]
        mine = [row for row in rows if row.action != "log_activity"]
        return [f"{row.state}: {row.reason or 'ok'}" for row in mine]

    def get(self, path: str) -> Answer:
        """Ask one of the bridge's own addresses."""
        self.beat()
        return self._door.get(path)

    def post(
        self, id: str, body: bytes, *, secret: str = "", late: float = 0.0
    ) -> Answer:
        """Post a delivery, signed by hand."""
        return self._door.post(id, body, secret=secret, late=late)

    def keeps(self, text: str) -> bool:
        """Tell whether *text* stands in the store's file or in its log."""
        file = engines.file_of(self.settings.database_url)
        assert file is not None
        paths = (file, Path(f"{file}-wal"))
        return any(text.encode() in p.read_bytes() for p in paths if p.exists())


class Running:
    """A wired bridge with everything of it that runs."""

    def __init__(self, settings: Settings, clock: Clock, tape: Tape) -> None:
        lock = wiring.own(settings)
        stream: Any = tape
        # Bubbles show the panel's wall time, as the story does.
        provider = ConsoleProvider(stream, settings.whatsapp_console_file, clock.local)
        self.wired = wiring.build(settings, clock=clock.now, provider=provider)
        self.wired.lock = lock
        now = clock.now()
        self.wired.store.write(lambda db: outbox.release(db, now))
        try:
            host, port = settings.listen_host, settings.listen_port
            self.server = Server(self.wired.app(), host, port)
        except ConfigError:
            self.wired.close()
            raise
        # Not `wired.schedule()`: that rereads the secrets of the environment.
        retention = timedelta(days=settings.retention_days)
        self.schedule = Schedule(self.wired.bench, self.wired.worker, retention)
        self.schedule.start()
        worker = threading.Thread(target=self.wired.worker.run, name="worker")
        worker.start()
        self._threads = [worker, self.server.start()]

    @property
    def alive(self) -> bool:
        """Whether the receiver and the worker still run."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop in the order of `run`."""
        self.server.stop()
        self.schedule.stop()
        self.wired.worker.stop()
        for thread in self._threads:
            thread.join(25)
        self.wired.close()


@dataclass
class Stage:
    """The play, and the bridge and panel it is played with."""

    play: Play
    hands: BridgeHands
    tape: Tape
    panel_url: str
    directory: Path

    def stay(self) -> None:
        """Stay up with the real time, say what to try, and wait for Ctrl-C."""
        self.play.clock.set(datetime.now(UTC))
        self.hands.beat()
        self.tape.live = True
        self.play.outbox.start()
        command = "./run.sh" if Path("run.sh").exists() else "whmcs-bridge"
        advise(self.play, self.hands.url, self._environment(), command)
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
        file = self.directory / "demo.env"
        text = "".join(f"export {name}='{value}'\n" for name, value in values.items())
        file.write_text(text, encoding="utf-8")
        return file


@contextmanager
def theatre(
    environ: Mapping[str, str], port: int, start: date, pace: float = 0.0
) -> Iterator[Stage]:
    """Set everything up in a temporary directory; clear it away afterwards.

    The story's clock begins on *start*, at nine; it moves on with real time, too.
    """
    clock = Clock(datetime.now(UTC), ticking=True)
    clock.set(clock.at(start, 9))
    language = environ.get("BRIDGE_LANG", "").strip() or "es"
    if language not in environment.LANGUAGES:
        told = f'"{language}" is none of {", ".join(environment.LANGUAGES)}'
        raise ConfigError([Problem("environment", 0, 0, f"BRIDGE_LANG: {told}")])
    world = World.example(clock)
    panel, tape = Panel(world), Tape(_show)
    with (
        tempfile.TemporaryDirectory(prefix="whmcs-bridge-demo-") as name,
        PanelServer(panel) as server,
    ):
        directory = Path(name)
        settings = Settings(
            signing_secrets=(Secret(signing.new_secret()),),
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
        hands = BridgeHands(settings, clock, tape)
        hooks = Outbox(world, hands.url, settings.signing_secrets[0].reveal())
        hands.panel_outbox = hooks
        play = Play(
            hands, world, panel, hooks, start, show=_show,
            language=language if language in LANGUAGES else "es",
            pause=lambda: time.sleep(pace),
        )  # fmt: skip
        try:
            yield Stage(play, hands, tape, server.url, directory)
        finally:
            hooks.stop()
            hands.close()


def _config(environ: Mapping[str, str]) -> Path:
    """Return the folder of the map: as set, here, or beside the source."""
    if given := environ.get("BRIDGE_CONFIG_DIR"):
        return Path(given)
    here, beside = Path("config"), Path(__file__).parents[2] / "config"
    return here if here.exists() or not beside.exists() else beside


def _show(line: str) -> None:
    color = {"  ✓": "green", "  ✗": "red"}.get(line[:3])
    click.secho(line, fg=color, bold=line.startswith("━━") or None)
