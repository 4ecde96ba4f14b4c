"""A store is brought to this schema, or refused with a reason and left untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from bridge import wiring
from bridge.errors import StoreUnavailable, StoreUnusable
from bridge.settings import Settings
from bridge.store import Store, engines, schema, tables

from .conftest import NOW, delivery


def test_an_empty_file_gets_every_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/bridge.db"

    assert schema.migrate(url) == (None, schema.newest())
    assert schema.current(url) == schema.newest()
    assert (tmp_path / "new" / "bridge.db").stat().st_mode & 0o777 == 0o600


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert schema.migrate(database_url) == (schema.newest(), schema.newest())


def test_the_migrations_make_what_the_program_expects(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.connect() as db:
        found = compare_metadata(MigrationContext.configure(db), tables.metadata)
    engine.dispose()

    assert found == []


def test_a_newer_schema_is_refused(database_url: str) -> None:
    written_by(database_url, "9999")
    with pytest.raises(StoreUnusable, match="newer than this program"):
        schema.migrate(database_url)
    written_by(database_url, schema.newest())

    assert schema.current(database_url) == schema.newest()


def written_by(url: str, version: str) -> None:
    """Say in the store that it is of that version."""
    engine = sa.create_engine(url)
    with engine.begin() as db:
        change = sa.text("UPDATE alembic_version SET version_num = :version")
        db.execute(change, {"version": version})
    engine.dispose()


def filled(path: Path) -> str:
    """Make a store of many pages and return its address."""
    from bridge.store import inbox

    url = f"sqlite:///{path}"
    schema.migrate(url)
    store = Store(url)

    def fill(db: sa.Connection) -> None:
        for n in range(400):
            inbox.put(db, delivery(f"event-{n}"), NOW)

    store.write(fill, 30)
    store.close()
    engine = sa.create_engine(url)
    with engine.connect() as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return url


def no_database(content: bytes) -> bytes:
    return b"this is a letter, not a database. " * 300


def first_page(content: bytes) -> bytes:
    return os.urandom(64) + content[64:]


def page_in_the_middle(content: bytes) -> bytes:
    middle = len(content) // 4096 // 2 * 4096
    return content[:middle] + b"\xa5" * 4096 + content[middle + 4096 :]


def cut_short(content: bytes) -> bytes:
    return content[: len(content) // 4096 // 2 * 4096]


@pytest.mark.parametrize(
    "damage", [no_database, first_page, page_in_the_middle, cut_short]
)
def test_a_damaged_file_is_refused_and_not_touched(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "bridge.db"
    url = filled(path)
    spoilt = damage(path.read_bytes())
    path.write_bytes(spoilt)

    with pytest.raises(StoreUnusable, match="damaged"):
        schema.migrate(url)
    assert path.read_bytes() == spoilt


def test_an_absent_server_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        schema.migrate("postgresql+psycopg://nobody@127.0.0.1:1/none")


@pytest.mark.store("postgresql")
def test_a_server_that_refuses_is_not_called_damaged(database_url: str) -> None:
    odd = sa.make_url(database_url).update_query_dict({"tempo": "slow"})
    with pytest.raises(StoreUnusable, match=r"tempo.*look at BRIDGE_DATABASE_URL"):
        schema.current(odd.render_as_string(hide_password=False))


def test_a_second_process_is_refused_by_the_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bridge.db"
    program = (
        "import sys; from bridge import wiring; from bridge.settings import Settings;"
        f"lock = wiring.own(Settings(database_url={url!r}));"
        "print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(StoreUnusable, match="another process owns"):
            wiring.own(Settings(database_url=url))
        other.stdin.close()
        other.wait(20)
    again = wiring.own(Settings(database_url=url))

    assert again is not None
    again.close()


def test_every_connection_is_durable(database_url: str) -> None:
    engine = engines.writer(database_url, 1)
    with engine.connect() as db:
        if db.dialect.name == "sqlite":
            words = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            found = [db.exec_driver_sql(f"PRAGMA {word}").scalar() for word in words]
            wanted: list[Any] = ["wal", 2, engines.BUSY_MS, 1]
        else:
            found = [db.exec_driver_sql("SHOW synchronous_commit").scalar()]
            wanted = ["on"]
    engine.dispose()

    assert found == wanted
