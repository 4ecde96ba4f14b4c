"""Connections as the promises need them: durable, patient, one transaction style."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from bridge.errors import StoreUnusable

#: How long a statement waits for another process's lock, in milliseconds. Twice
#: that is less than the door has for its answer: a delivery may have to wait for
#: the batch before its own to give up.
BUSY_MS = 2000
#: A server takes 100 connections as it is shipped; several processes share them.
_POSTGRES_READERS = 16
#: How a transaction that only reads begins on SQLite.
_DEFERRED = "BEGIN"
_POSTGRES_OPTIONS = (
    f"-c synchronous_commit=on -c statement_timeout=15000 -c lock_timeout={BUSY_MS} "
    "-c idle_in_transaction_session_timeout=60000"
)


def writer(url: str, size: int) -> sa.Engine:
    """Return the engine that writes; on SQLite its transactions begin IMMEDIATE."""
    if _is(url):
        return _sqlite(url, size, "BEGIN IMMEDIATE", cache_kib=8000)
    return _postgres(url, size, "READ COMMITTED")


def reader(url: str, size: int) -> sa.Engine:
    """Return the engine that reads: all of one reading is of the same moment."""
    if _is(url):
        return _sqlite(url, size, _DEFERRED, cache_kib=1000)
    return _postgres(url, min(size, _POSTGRES_READERS), "REPEATABLE READ")


def file_of(url: str) -> Path | None:
    """Return the path of an SQLite store, None for PostgreSQL."""
    return Path(url.removeprefix("sqlite:///")) if _is(url) else None


def identity(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another one of that name, None where none is."""
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


def make(path: Path) -> None:
    """Make an empty file, and the directories around it; raises StoreUnusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        why = error.strerror or type(error).__name__
        if isinstance(error, FileExistsError | NotADirectoryError):
            why = "a file stands where a directory must be"
        raise StoreUnusable(f"{error.filename or path}: {why}") from error


def _is(url: str) -> bool:
    return url.startswith("sqlite")


def _sqlite(url: str, size: int, begin: str, cache_kib: int) -> sa.Engine:
    path = file_of(url)
    if path is not None and not path.exists():
        make(path)
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        pool_size=size,
        max_overflow=32,
        pool_timeout=2,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins, not the driver
        cursor = connection.cursor()
        # FULL: with NORMAL a power cut loses acknowledged rows in WAL mode
        # (https://www.sqlite.org/pragma.html#pragma_synchronous).
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"cache_size=-{cache_kib}",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: sa.Connection) -> None:
        raw = connection.connection.dbapi_connection
        if begin == _DEFERRED and raw is not None:
            # It takes no lock and cannot fail; by the driver it costs a tenth.
            raw.cursor().execute(begin)
        else:
            connection.exec_driver_sql(begin)

    return engine


def _postgres(
    url: str, size: int, isolation: sa.engine.interfaces.IsolationLevel
) -> sa.Engine:
    return sa.create_engine(
        url,
        isolation_level=isolation,
        pool_size=size,
        max_overflow=4,
        pool_pre_ping=True,
        pool_timeout=2,
        use_native_hstore=False,  # no column is one: nothing to look up at the start
        connect_args={"connect_timeout": 2, "options": _POSTGRES_OPTIONS},
    )
