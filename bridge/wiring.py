"""Builds the bridge out of its parts; alone names the adapters."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, TextIO
from zoneinfo import ZoneInfo

import structlog

from bridge import __version__
from bridge import settings as environment
from bridge.errors import ConfigError, Problem, StoreUnusable
from bridge.hookmap import LiveMap, Seen
from bridge.metrics import Metrics
from bridge.pacing import Pace, SharedPace, Slices
from bridge.panel import Panel
from bridge.preparing import Bench
from bridge.settings import Settings
from bridge.store import Store, engines, schema
from bridge.transport import Transport
from bridge.whatsapp import Provider
from bridge.whatsapp.cloud import CloudProvider, CloudSettings
from bridge.whatsapp.console import ConsoleProvider
from bridge.whatsapp.evolution import EvolutionProvider, EvolutionSettings
from bridge.whatsapp.twilio import TwilioProvider, TwilioSettings
from bridge.whatsapp.waha import WahaProvider, WahaSettings
from bridge.worker import Worker

if TYPE_CHECKING:
    from flask import Flask

    from bridge.schedule import Schedule

log = structlog.get_logger("bridge")


def now() -> datetime:
    """Return the present instant, aware UTC."""
    return datetime.now(UTC)


@dataclass
class Bridge:
    """A wired bridge; `close` lets go of everything."""

    settings: Settings
    store: Store
    map: LiveMap
    bench: Bench
    worker: Worker
    transport: Transport
    keys: list[bytes] = field(repr=False)
    lock: IO[str] | None = None
    _app: Flask | None = field(default=None, repr=False)

    def app(self) -> Flask:
        """Return the Flask application, built when it is first asked for."""
        if self._app is None:
            self._app = self._make_app()
        return self._app

    def _make_app(self) -> Flask:
        from bridge.app import Health, create_app
        from bridge.callbacks import Ear
        from bridge.console.parts import Console
        from bridge.decisions import Decider
        from bridge.intake import Door

        decider = Decider(self.bench, self.settings.decision_seconds, self.quick_panel)
        door = Door(
            self.settings.panel,
            self.keys,
            self.store,
            self.map,
            self.bench.now,
            self.bench.metrics,
            decider,
            self.worker.wake.set,
        )
        ear = Ear(
            self.bench.provider,
            self.store,
            self.bench.now,
            self.bench.metrics,
            self.heard,
        )
        health = Health(self.bench, self.settings.metrics_allow)
        proxies = self.settings.trusted_proxies
        console = Console(
            self.bench,
            self.quick_panel,
            self.worker.wake.set,
            self.settings.console_allow,
            proxies,
            self.settings.public_url,
        )
        return create_app(door, ear, health, console, trusted_proxies=proxies)

    def schedule(self) -> Schedule:
        """Build the clock that ticks for the worker."""
        from bridge.schedule import Schedule

        retention = timedelta(days=self.settings.retention_days)
        return Schedule(self.bench, self.worker, retention, self.reload_keys)

    def quick_panel(self, seconds: float) -> Panel:
        """Return the panel with a total deadline of so many seconds."""
        quick = getattr(self.bench.panel, "with_deadline", None)
        found: Panel = quick(seconds) if quick else self.bench.panel
        return found

    def heard(self) -> None:
        """Have the worker look: somebody wrote, and may have stopped alerts."""
        self.bench.consents.forget()
        self.bench.sending.forms.forget()
        self.worker.wake.set()

    def reload_keys(self) -> None:
        """Take signing secrets that were changed in `.env` or their file."""
        try:
            fresh = environment.load(need=True)
        except ConfigError as error:
            log.warning("settings not reread", problems=len(error.problems))
            return
        if fresh.signing_secrets != self.settings.signing_secrets:
            self.settings = replace(
                self.settings, signing_secrets=fresh.signing_secrets
            )
            self.keys[:] = fresh.keys
            if hasattr(self.bench.panel, "keys"):
                self.bench.panel.keys = fresh.keys
            log.info("signing secrets changed", valid=len(self.keys))

    def close(self) -> None:
        """Let go of database, connections and lock."""
        self.store.close()
        self.transport.close()
        if self.lock is not None:
            self.lock.close()


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = now,
    panel: Panel | None = None,
    provider: Provider | None = None,
    stream: TextIO | None = None,
    watch: Callable[[str], None] | None = None,
    hookmap: Seen | None = None,
) -> Bridge:
    """Wire a bridge. Raises ConfigError, StoreUnusable, StoreUnavailable.

    The store is migrated first. *watch* hears of commits and calls, for tests
    that end the process at one. *hookmap* is what was read from the settings'
    directory already, for those who wire many bridges.
    """
    live = LiveMap(settings.config_dir, on_change=_say, first=hookmap)
    schema.migrate(settings.database_url)
    store = Store(settings.database_url, readers=32, watch=watch)
    transport = Transport(
        pool=settings.workers + 16, total=settings.whmcs_timeout, version=__version__
    )
    sender: Any = Watched(transport, watch) if watch else transport
    found = provider or make_provider(settings, clock, stream, sender)
    metrics = Metrics()
    bench = Bench(
        store=store,
        map=live,
        panel=panel or make_panel(settings, sender, clock),
        provider=found,
        now=clock,
        zone=settings.zone,
        language=settings.language,
        country=settings.default_country,
        date_format=settings.whmcs_date_format,
        panel_name=settings.panel,
        dry_run=settings.dry_run,
        metrics=metrics,
        slow_down=limiter(found, store),
    )
    # A clock that is played with goes on by hours, and nobody has set it wrong.
    elapsed = monotonic if clock is now else lambda: clock().timestamp()
    worker = Worker(bench, settings.workers, elapsed)
    return Bridge(settings, store, live, bench, worker, transport, settings.keys)


@dataclass
class Watched:
    """A transport that tells before and after each call (for tests)."""

    transport: Transport
    watch: Callable[[str], None]

    def send(self, call: Any, **how: Any) -> Any:
        """Send a call, and tell."""
        self.watch("before call")
        answer = self.transport.send(call, **how)
        self.watch("after call")
        return answer


def make_panel(
    settings: Settings, transport: Any, clock: Callable[[], datetime] = now
) -> Panel:
    """Return the client of the configured panel: `bridge/<panel>_client.py`.

    Raises ConfigError where there is none of that name.
    """
    name = f"bridge.{settings.panel}_client"
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        what = f'BRIDGE_PANEL: no client for a panel "{settings.panel}" ({name})'
        raise ConfigError([Problem("environment", 0, 0, what)]) from error
    try:
        made: Panel = module.from_settings(settings, transport, clock)
    except ValueError as error:
        what = f"{settings.panel.upper()}_URL: {error}"
        raise ConfigError([Problem("environment", 0, 0, what)]) from error
    return made


def _local(clock: Callable[[], datetime], zone: ZoneInfo) -> datetime:
    return clock().astimezone(zone)


def make_provider(
    settings: Settings,
    clock: Callable[[], datetime],
    stream: TextIO | None = None,
    transport: Any = None,
) -> Provider:
    """Return the configured WhatsApp provider; *transport* sends its calls."""
    name = settings.whatsapp_provider
    if name == "console":
        file = settings.whatsapp_console_file
        here = partial(_local, clock, settings.zone)
        return ConsoleProvider(stream or sys.stdout, file, here)
    sender = transport or Transport(pool=1, version=__version__)
    if name == "cloud":
        return CloudProvider(CloudSettings.of(settings), sender, clock)
    if name == "twilio":
        return TwilioProvider(TwilioSettings.of(settings), sender, clock)
    if name == "evolution":
        return EvolutionProvider(EvolutionSettings.of(settings), sender, clock)
    if name == "waha":
        return WahaProvider(WahaSettings.of(settings), sender, clock)
    what = f'WHATSAPP_PROVIDER: there is no provider "{name}"'
    raise ConfigError([Problem("environment", 0, 0, what)])


def limiter(provider: Provider, store: Store) -> Callable[[], None]:
    """Return what blocks until one more message may leave at the provider's rate.

    Where other processes may use the *store* they share the rate. A number that sends
    less than one in a second is waited for in the outbox.
    """
    per_second = provider.per_second
    if provider.name == "console" or per_second < 1:
        return lambda: None
    if store.sqlite:
        return Pace(per_second).wait
    name = f"rate:{provider.name}/{provider.number}"
    return SharedPace(per_second, Slices(store, name, per_second).ask).wait


def own(settings: Settings) -> IO[str] | None:
    """Take the lock that makes this the one process that owns an SQLite store.

    Raises StoreUnusable when another one holds it. PostgreSQL needs none.
    """
    path = engines.file_of(settings.database_url)
    if path is None:
        return None
    beside = Path(f"{path}.lock")
    engines.make(beside)
    lock = beside.open("r+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreUnusable(
            f"another process owns {path}. On SQLite one process is receiver, worker "
            "and scheduler (`whmcs-bridge run`); several need PostgreSQL."
        ) from error
    return lock


def _say(live: LiveMap) -> None:
    if live.problems:
        log.error("the new map is bad, the last good one stays in use")
        for problem in live.problems:
            log.error("map", problem=str(problem))
    else:
        log.info("map in use", version=live.current.version)
