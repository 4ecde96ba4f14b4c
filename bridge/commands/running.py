"""run, serve, worker, db: the processes and their store."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import structlog

from bridge import cores, logs
from bridge import settings as environment
from bridge.commands.shared import show, table
from bridge.settings import Settings, address, describe
from bridge.store import claims, engines, schema

log = structlog.get_logger("bridge")


@click.command("run")
def run_command() -> None:
    """Receive, work and keep the clock, in one process; SIGTERM ends it cleanly."""
    _run("run", receive=True, work=True)


@click.command("serve")
def serve_command() -> None:
    """Only receive. Any number of these, on PostgreSQL."""
    _run("serve", receive=True, work=False)


@click.command("worker")
def worker_command() -> None:
    """Only work and keep the clock. Any number of these, on PostgreSQL."""
    _run("worker", receive=False, work=True)


def _run(command: str, *, receive: bool, work: bool) -> None:
    from bridge import wiring
    from bridge.commands.starting import usable

    settings = usable(command, receive=receive, work=work)
    logs.configure(settings.log_level, for_good=True)
    core = cores.keep_to_one() if settings.one_core else None
    _sentry(settings)
    lock = wiring.own(settings)
    bridge = wiring.build(settings)
    bridge.lock = lock
    log.info("starting", **describe(settings), core=core)
    if settings.dry_run:
        click.echo(
            "DRY RUN: everything is worked out and recorded, nothing is sent and "
            "nothing is changed. Set BRIDGE_DRY_RUN=false when you are ready.",
            err=True,
        )
    if settings.sqlite and work:
        now = bridge.bench.now()
        bridge.store.write(lambda db: claims.release(db, now))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _until_stopped(bridge, stop, receive=receive, work=work)


def _until_stopped(
    bridge: Any, stop: threading.Event, *, receive: bool, work: bool
) -> None:
    from bridge.server import Server

    settings = bridge.settings
    threads = []
    schedule = server = None
    if work:
        schedule = bridge.schedule()
        schedule.start()
        threads.append(threading.Thread(target=bridge.worker.run, name="worker"))
    if receive:
        server = Server(bridge.app(), settings.listen_host, settings.listen_port)
        log.info("listening", address=address(settings.listen_host, server.port))
        threads.append(server.start())
    for thread in threads:
        if not thread.is_alive():
            thread.start()
    # What is loaded by now stays: the collector need not look through it again, nor
    # as often as its defaults, which are for programs that make rings of objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 20)
    failed = False
    while not stop.wait(1):
        dead = [thread.name for thread in threads if not thread.is_alive()]
        if dead or (schedule is not None and not schedule.alive):
            log.error("a thread ended by itself", threads=dead or ["scheduler"])
            failed = True
            break
    log.info("stopping")
    if server is not None:
        server.stop()
    if schedule is not None:
        schedule.stop()
    bridge.worker.stop()
    for thread in threads:
        thread.join(25)
    bridge.close()
    log.info("stopped")
    if failed:
        sys.stderr.flush()
        os._exit(1)


def _sentry(settings: Settings) -> None:
    if not settings.sentry_dsn:
        return
    try:
        import sentry_sdk
    except ImportError:
        log.warning("SENTRY_DSN is set, but the extra is not installed ([sentry])")
        return
    sentry_sdk.init(
        settings.sentry_dsn.reveal(),
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )


@click.group("db")
def db_command() -> None:
    """Look after the store."""


@db_command.command("upgrade")
def upgrade() -> None:
    """Bring the store to this version's schema (`run` does it by itself)."""
    settings = environment.load(need=False)
    before, after = schema.migrate(settings.database_url)
    click.echo(f"schema {before or 'none'} -> {after}")


@db_command.command("status")
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> None:
    """Show the schema, and how much the store holds."""
    from bridge.commands.events import to_read
    from bridge.store import Store, reports

    settings = environment.load(need=False)
    with to_read(settings) as there:
        found = schema.current(there.database_url)
    rows: dict[str, Any] = {"schema": found or "none", "newest": schema.newest()}
    if found == schema.newest():
        store = Store(settings.database_url)
        with store.read() as db:
            rows |= reports.totals(db)
        store.close()
    if as_json:
        return show(rows)
    table(["what", "value"], [[name, str(value)] for name, value in rows.items()])
    if found != schema.newest():
        newer = found is not None and found not in schema.known()
        click.echo(
            "The store is newer than this program: install the version that wrote it."
            if newer
            else "Run `whmcs-bridge db upgrade`.",
            err=True,
        )
        sys.exit(1)


@db_command.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy an SQLite store to FILE, also while a bridge works on it."""
    settings = environment.load(need=False)
    source = engines.file_of(settings.database_url)
    if source is None:
        raise click.ClickException("Back PostgreSQL up with pg_dump.")
    if not source.exists():
        raise click.ClickException(f"There is no store at {source}.")
    if file.exists():
        raise click.ClickException(f"{file} exists already; it is not overwritten.")
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    fine = ""
    try:
        fine = _copied(source, file)
    except sqlite3.Error as error:
        fine = str(error)
    finally:
        if fine != "ok":  # a part of a copy must not look like one
            file.unlink()
    if fine != "ok":
        raise click.ClickException(f"No copy was made: {' '.join(fine.split())}")
    click.echo(f"{file}: {file.stat().st_size:,} bytes, checked.")


def _copied(source: Path, file: Path) -> str:
    """Copy a store; return what SQLite says of the copy: "ok" if it is sound."""
    # A connection's own `with` ends a transaction and leaves it open.
    with (
        closing(sqlite3.connect(source)) as origin,
        closing(sqlite3.connect(file)) as copy,
    ):
        origin.backup(copy)
        return str(copy.execute("PRAGMA integrity_check").fetchone()[0])
