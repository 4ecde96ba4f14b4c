"""Migrations: bring a store to this program's schema, or say why it cannot be."""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from bridge.errors import StoreUnavailable, StoreUnusable
from bridge.store import engines


def _config(db: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option(
        "script_location", str(files("bridge.store").joinpath("migrations"))
    )
    config.attributes["connection"] = db
    return config


def newest() -> str:
    """Return the revision that this program writes."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return str(head)


def current(url: str) -> str | None:
    """Return the store's revision, None for an empty one.

    Raises StoreUnusable for a damaged file, StoreUnavailable when it is away.
    """
    engine = engines.reader(url, 1)
    try:
        with engine.connect() as db:
            if url.startswith("sqlite"):
                _probe(db)
            return MigrationContext.configure(db).get_current_revision()
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(_words(error)) from error
    except sa.exc.DatabaseError as error:
        raise StoreUnusable(
            f"the store is damaged ({_words(error)}). Nothing was changed in it. "
            "Bring back the last backup (`whmcs-bridge db backup` made it) or move "
            "the file away to begin anew."
        ) from error
    finally:
        engine.dispose()


def migrate(url: str) -> tuple[str | None, str]:
    """Bring the store to the newest schema; return the revisions before and after.

    Raises StoreUnusable for a schema this program does not know.
    """
    before = current(url)
    known = {
        step.revision
        for step in ScriptDirectory.from_config(_config()).walk_revisions()
    }
    if before is not None and before not in known:
        raise StoreUnusable(
            f"the store has schema {before}, which is newer than this program "
            f"({newest()}). Install the version that wrote it."
        )
    if before != newest():
        engine = engines.writer(url, 1)
        try:
            with engine.begin() as db:
                if db.dialect.name == "postgresql":
                    # Two processes that start at once: one migrates, one waits.
                    db.exec_driver_sql("SELECT pg_advisory_xact_lock(20261125)")
                upgrade(_config(db), "head")
        finally:
            engine.dispose()
    return before, newest()


def _probe(db: sa.Connection) -> None:
    """Read the first pages: a file that is no store is found here, not later."""
    db.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
    found = db.exec_driver_sql("PRAGMA schema_version").scalar()
    if found is None:
        raise StoreUnusable("the store cannot be read")


def _words(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().split("\n", 1)[0][:200]
