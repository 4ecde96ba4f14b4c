"""A wired bridge on a real store, with the simulated panel behind it.

Everything runs at one standing instant (`clock`), in one thread, without a wait:
`kit.flush()` posts what the panel's hooks said, `kit.work()` runs what is due. The
store is SQLite, and PostgreSQL too when BRIDGE_TEST_POSTGRES holds the address of a
server whose user may create databases (`postgresql+psycopg://user@host:port/name`).
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
import structlog
import time_machine
from click.testing import CliRunner
from compiling import share
from effort import examples
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from werkzeug.test import Client as WsgiClient

from bridge import logs, wiring
from bridge.cli import cli
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox, sign
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World
from bridge.errors import Reason, RemoteError
from bridge.hookmap import Seen, load_map, look
from bridge.settings import Secret, Settings
from bridge.store import reports, schema, tables
from bridge.transport import Answer, Call
from bridge.whatsapp import Message, Receipt
from bridge.whatsapp.console import ConsoleProvider

#: Ten in the morning at the panel, a Monday: no quiet hours, no end of a month.
MORNING = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
CONFIG = Path(__file__).parent.parent / "config"
POSTGRES = os.environ.get("BRIDGE_TEST_POSTGRES", "")
STORES = ("sqlite", "postgresql") if POSTGRES else ("sqlite",)
#: The newest signing secret of every bridge here; made for the tests alone.
SIGNING = "whsec_ZG9vciB0ZXN0cyBkb29yIHRlc3RzIGRvb3IgdGVzdHM="

# A suite in the background hands an ignored Ctrl-C down to what it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

share()


def keep_in_memory() -> None:
    """Have the tests' files in memory, where there is room and programs may be run.

    Every commit of every store is synced, and most of them are read by nobody.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        there = os.statvfs(memory)
        free = there.f_bavail * there.f_frsize
        if free >= 1 << 30 and not there.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


keep_in_memory()


def log_plainly() -> None:
    """Have logs of tests as structlog makes them, with tracebacks of few lines.

    Its own show the values of all variables, and take half a second each.
    """
    structlog.reset_defaults()
    plain = structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure([*structlog.get_config()["processors"][:-1], plain])


log_plainly()

hypothesis_settings.register_profile(
    "bridge",
    max_examples=examples(100),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("bridge")


def pytest_report_header() -> str:
    """Say which stores are tested, so that a missing one is seen."""
    if POSTGRES:
        return "stores: sqlite, postgresql"
    return "stores: sqlite (postgresql: BRIDGE_TEST_POSTGRES is not set)"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed one: everything it needs is installed there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    strict = os.environ.get("BRIDGE_TEST_NOTHING_SKIPPED")
    if strict and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker for tests that one store is enough for, or that need one."""
    line = "store(name): on this store only: sqlite or postgresql"
    config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a store on each of them, or on the one it is marked with."""
    if "database_url" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("store")
    stores = mark.args if mark else STORES
    metafunc.parametrize("database_url", stores, indirect=True)


# --- The store ---


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "bridge.db"
    schema.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """A migrated PostgreSQL database of this run's own."""
    if not POSTGRES:
        pytest.skip("needs a PostgreSQL: BRIDGE_TEST_POSTGRES is not set")
    name = f"bridge_t_{uuid.uuid4().hex[:12]}"
    server = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with server.connect() as db:
        db.exec_driver_sql(f'CREATE DATABASE "{name}"')
    url = sa.make_url(POSTGRES).set(database=name)
    text = url.render_as_string(hide_password=False)
    schema.migrate(text)
    yield text
    with server.connect() as db:
        db.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    server.dispose()


@pytest.fixture(scope="session")
def postgres_engine(postgres_database: str) -> Iterator[sa.Engine]:
    """A connection to that database, for emptying it."""
    engine = sa.create_engine(
        postgres_database, isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )
    yield engine
    engine.dispose()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty store of this test's own, once for each database."""
    if request.param == "postgresql" and not POSTGRES:
        pytest.skip("needs a PostgreSQL: BRIDGE_TEST_POSTGRES is not set")
    if request.param == "sqlite":
        path = tmp_path / "bridge.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        path.chmod(0o600)
        yield f"sqlite:///{path}"
        return
    engine: sa.Engine = request.getfixturevalue("postgres_engine")
    yield request.getfixturevalue("postgres_database")
    with engine.connect() as db:
        _empty(db)


def _empty(db: sa.Connection) -> None:
    """Delete every row (much quicker than a new database), and begin to count anew."""
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    ended = "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE"
    db.exec_driver_sql(f"{ended} {others}")
    db.exec_driver_sql(
        "; ".join(f'DELETE FROM "{name}"' for name in tables.metadata.tables)
    )
    db.exec_driver_sql("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind='S'")
    version = f"UPDATE alembic_version SET version_num = '{schema.newest()}'"
    db.exec_driver_sql(version)  # a test may have played a newer program


@pytest.fixture
def postgres_gone(
    postgres_engine: sa.Engine,
) -> Callable[[], AbstractContextManager[None]]:
    """Return what makes the PostgreSQL database unreachable for a while."""
    name = postgres_engine.url.database
    away = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")

    @contextmanager
    def gone() -> Iterator[None]:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname="
        with away.connect() as db:
            db.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            db.exec_driver_sql(f"{ended}'{name}'")
            try:
                yield
            finally:
                db.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        away.dispose()

    return gone


# --- The panel ---


@pytest.fixture
def clock() -> Clock:
    """The clock of the panel and of the bridge: it stands until it is moved."""
    return Clock(MORNING)


@pytest.fixture
def world(clock: Clock) -> World:
    """The example company's panel: eight clients with their services."""
    return World.example(clock)


@pytest.fixture
def panel(world: World) -> Panel:
    """The simulated panel's API, which judges every call."""
    return Panel(world)


@pytest.fixture
def panel_server(panel: Panel) -> Iterator[PanelServer]:
    """The same panel on a socket, for what a mount cannot do: cut, reset, dribble."""
    with PanelServer(panel) as server:
        yield server


class Mounted:
    """A transport whose calls go to a panel in this process, without a socket.

    An answer that would come after the deadline is none, and nobody waits for it.
    """

    def __init__(self, panel: Panel) -> None:
        self._client = WsgiClient(panel)
        self._limit = threading.local()
        self._really_sleep = panel.sleep
        panel.sleep = self._sleep

    def send(
        self,
        call: Call,
        *,
        deadline: float | None = None,
        idempotent: bool = False,
        service: str = "",
    ) -> Answer:
        """Call the panel; a broken connection is RemoteError, as in the real one."""
        self._limit.seconds = 10.0 if deadline is None else deadline
        try:
            got = self._client.open(
                urlsplit(call.url).path,
                method=call.method,
                data=call.body,
                headers=dict(call.headers),
            )
            body = got.get_data()
        except OSError as error:
            late = isinstance(error, TimeoutError)
            what = "did not finish answering" if late else "closed the connection"
            raise RemoteError(service, Reason.UNREACHABLE, what, sent=True) from None
        finally:
            self._limit.seconds = None
        return Answer(got.status_code, dict(got.headers), body)

    def _sleep(self, seconds: float) -> None:
        limit = getattr(self._limit, "seconds", None)
        if limit is None:  # asked by a server's thread, not through this mount
            self._really_sleep(seconds)
        elif seconds > limit:
            raise TimeoutError


# --- The bridge ---


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the bridge logs from here on, at debug: JSON, a line for each entry."""
    lines = io.StringIO()
    logs.configure("debug", terminal=False)
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )
    yield lines
    log_plainly()


@pytest.fixture
def secret() -> str:
    """The signing secret that panel and bridge share."""
    return SIGNING


class Recorder(ConsoleProvider):
    """The console provider, refusing what it refuses; what it took is in *sent*."""

    def __init__(self, sent: list[dict[str, Any]], now: Callable[[], datetime]) -> None:
        super().__init__(io.StringIO(), None, now)
        self._sent = sent

    def send(self, message: Message) -> Receipt:
        """Take a message and keep it."""
        receipt = super().send(message)
        self._sent.append(asdict(message) | {"message": message.name})
        return receipt


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    """Every message taken by the provider: to, text, language, event, message, ..."""
    return []


@cache
def default_map() -> Seen:
    """The map of `config/`, read once: that takes longer than most tests."""
    return Seen(look(CONFIG), load_map(CONFIG))


_MAPS: dict[str, Seen] = {}


def map_of(directory: Path) -> Seen:
    """The map of a directory; what was read elsewhere is not read again.

    Raises ConfigError. A map with warnings is read anew: they name its files.
    """
    if directory == CONFIG:
        return default_map()
    digest = look(directory)
    found = _MAPS.get(digest) or Seen(digest, load_map(directory))
    if not found.map.warnings:
        _MAPS[digest] = found
    return found


@pytest.fixture
def bridge_for(
    database_url: str,
    clock: Clock,
    panel: Panel,
    secret: str,
    sent: list[dict[str, Any]],
) -> Iterator[Callable[..., wiring.Bridge]]:
    """Return a function that wires a bridge; all are closed at the end.

    The panel is mounted, or called over HTTP with *server* (`panel_server`).
    *provider*, *watch* and *stream* go to `wiring.build`; any other name is a
    setting. Called twice it opens the same store twice.
    """
    with ExitStack() as opened:

        def make(
            server: PanelServer | None = None,
            *,
            watch: Callable[[str], None] | None = None,
            provider: Any = None,
            stream: Any = None,
            **more: Any,
        ) -> wiring.Bridge:
            given = {
                "signing_secrets": (Secret(secret),),
                "database_url": database_url,
                "config_dir": CONFIG,
                "whmcs_url": server.url if server else "https://panel.example",
                "whmcs_identifier": Secret(IDENTIFIER),
                "whmcs_secret": Secret(SECRET),
                "dry_run": False,
                "workers": 4,
            }
            settings = Settings(**(given | more))
            client = None
            if server is None:
                mounted: Any = Mounted(panel)
                if watch is not None:
                    mounted = wiring.Watched(mounted, watch)
                client = wiring.make_panel(settings, mounted, clock.now)
            if provider is None and settings.whatsapp_console_file is None:
                provider = Recorder(sent, clock.now)
            bridge = wiring.build(
                settings,
                clock=clock.now,
                panel=client,
                provider=provider,
                stream=stream,
                watch=watch,
                hookmap=map_of(settings.config_dir),
            )
            opened.callback(bridge.close)
            return bridge

        yield make


@pytest.fixture
def bridge(bridge_for: Callable[..., wiring.Bridge]) -> wiring.Bridge:
    """A bridge that is switched on (no dry run), with the map of `config/`."""
    return bridge_for()


@pytest.fixture
def outbox(world: World, bridge: wiring.Bridge, secret: str) -> Outbox:
    """The panel's side of the hooks, posting to the bridge's application."""
    return Outbox(world, lambda *call: bridge.app()(*call), secret, instance="t")


@dataclass
class Kit:
    """A panel and a bridge that talk, and shortcuts for what tests do with them."""

    clock: Clock
    world: World
    panel: Panel
    bridge: wiring.Bridge
    outbox: Outbox
    sent: list[dict[str, Any]]
    secret: str

    def flush(self) -> int:
        """Post what the hooks said; return how many deliveries were taken."""
        return self.outbox.flush()

    def work(self) -> int:
        """Post what the hooks said and run what is due; return how many jobs ran."""
        self.flush()
        return self.bridge.worker.drain()

    def advance(self, **by: float) -> int:
        """Move the clock on (`hours=3`), then run what is due."""
        self.clock.advance(timedelta(**by))
        return self.work()

    def client(self) -> FlaskClient:
        """Return a client of the bridge's application."""
        return self.bridge.app().test_client()

    def headers(self, id: str, body: bytes, **more: str) -> dict[str, str]:
        """Sign a delivery as the panel would, now."""
        stamp = int(self.clock.now().timestamp())
        signed = {
            "Content-Type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(self.secret, id, stamp, body),
        }
        return signed | {name.replace("_", "-"): value for name, value in more.items()}

    def events(self) -> list[Any]:
        """Return the rows of all events, the newest first."""
        with self.bridge.store.read() as db:
            return reports.list_events(db, limit=10_000)

    def jobs(self) -> list[Any]:
        """Return the rows of all jobs, by their events, the newest event first."""
        with self.bridge.store.read() as db:
            found = reports.jobs_of(db, [row.id for row in self.events()])
        return [job for jobs in found.values() for job in jobs]


@pytest.fixture
def kit(
    clock: Clock,
    world: World,
    panel: Panel,
    bridge: wiring.Bridge,
    outbox: Outbox,
    sent: list[dict[str, Any]],
    secret: str,
) -> Kit:
    """Everything together."""
    return Kit(clock, world, panel, bridge, outbox, sent, secret)


class Copies:
    """Copies of `config/` whose texts are links to one: many files, quickly there.

    Nobody may write into a linked text; *own* names those that a test edits.
    """

    def __init__(self, one: Path) -> None:
        self._one = one
        self._begin()

    def _begin(self) -> None:
        shutil.copytree(CONFIG, self._one)
        self._texts = self._look()

    def make(self, path: Path, *own: str) -> Path:
        """Make a copy; what stands beside the texts is its own, as are texts *own*."""

        def put(file: str, copy: str) -> None:
            mine = file.endswith(".txt") and Path(file).stem not in own
            (os.link if mine else shutil.copyfile)(file, copy)

        return Path(shutil.copytree(self._one, path, copy_function=put))

    def check(self) -> None:
        """Fail where somebody wrote into what all share, and begin anew."""
        if self._look() != self._texts:
            shutil.rmtree(self._one)
            self._begin()
            pytest.fail("a linked text was written to: name it as own")

    def _look(self) -> dict[Path, tuple[int, int]]:
        found = ((path, path.stat()) for path in self._one.rglob("*.txt"))
        return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in found}


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """What makes the copies of this run."""
    return Copies(tmp_path_factory.mktemp("copies") / "config")


@pytest.fixture
def copy_config(copies: Copies) -> Iterator[Callable[..., Path]]:
    """Return a function that copies `config/` to a path; see `Copies.make`."""
    yield copies.make
    copies.check()


@pytest.fixture
def config_with(
    tmp_path: Path, copy_config: Callable[..., Path]
) -> Callable[..., Path]:
    """Return a function that copies `config/` and changes words of its map.

    Each pair is what stands there and what shall stand there instead; *own* names
    the texts that the test itself will edit.
    """

    def make(*changes: tuple[str, str], own: tuple[str, ...] = ()) -> Path:
        path = copy_config(tmp_path / f"config-{uuid.uuid4().hex[:6]}", *own)
        text = (path / "hooks.yaml").read_text("utf-8")
        for old, new in changes:
            assert old in text, f"the map of config/ has no {old!r}"
            text = text.replace(old, new)
        (path / "hooks.yaml").write_text(text, "utf-8")
        return path

    return make


# --- The command line ---


@pytest.fixture
def shell(
    kit: Kit,
    panel_server: PanelServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., Any]:
    """A shell whose environment points at the same store and panel as `kit`."""
    for name in [n for n in os.environ if n.startswith(("BRIDGE_", "WHMCS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_SIGNING_SECRETS", kit.secret)
    monkeypatch.setenv("BRIDGE_DATABASE_URL", database_url)
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(CONFIG))
    monkeypatch.setenv("BRIDGE_DRY_RUN", "false")
    monkeypatch.setenv("WHMCS_URL", panel_server.url)
    monkeypatch.setenv("WHMCS_API_IDENTIFIER", IDENTIFIER)
    monkeypatch.setenv("WHMCS_API_SECRET", SECRET)

    def run(*words: str, status: int = 0, text: str = "") -> Any:
        with time_machine.travel(kit.clock.now(), tick=False):
            result = CliRunner().invoke(cli, list(words), input=text)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run
