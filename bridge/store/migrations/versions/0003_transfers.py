"""Changes of owner, with what proves them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bridge.store import columns

revision = "0003"
down_revision = "0002"

_OPEN = "state IN ('proposed', 'agreed', 'moving', 'staff')"


def upgrade() -> None:
    """Create the table and its indexes."""
    text = ("service", "from_name", "to_name", "from_email", "to_email")
    maybe = ("from_text", "to_text", "from_number", "to_number", "from_message")
    instants = ("from_at", "to_at", "agreed_at", "acted_at")
    op.create_table(
        "transfers",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("service_id", sa.BigInteger(), nullable=False),
        sa.Column("from_client_id", sa.BigInteger(), nullable=False),
        sa.Column("to_client_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in text),
        *(sa.Column(name, sa.Text()) for name in (*maybe, "to_message")),
        *(sa.Column(name, columns.Instant()) for name in instants),
        sa.Column("expires_at", columns.Instant(), nullable=False),
        sa.Column("approved_by", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("checks", columns.Document()),
        sa.Column("moved", columns.Document()),
        sa.Column("created_at", columns.Instant(), nullable=False),
        sa.Column("changed_at", columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "transfers_open",
        "transfers",
        ["service_id"],
        unique=True,
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index(op.f("ix_transfers_service_id"), "transfers", ["service_id"])
