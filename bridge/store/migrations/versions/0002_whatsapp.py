"""Receipts, contacts, telephones, templates; when a request was first missing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bridge.store import columns

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables, and give messages their form and error."""
    op.add_column(
        "cancellations", sa.Column("missing_at", columns.Instant(), nullable=True)
    )
    op.add_column("messages", sa.Column("form", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("error", sa.Text(), nullable=True))
    op.create_table(
        "receipts",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", columns.Instant(), nullable=False),
        sa.Column("received_at", columns.Instant(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("provider", "provider_id", "state"),
        sqlite_autoincrement=True,
    )
    op.create_index("receipts_tag", "receipts", ["tag"])
    op.create_index(op.f("ix_receipts_received_at"), "receipts", ["received_at"])
    op.create_table(
        "contacts",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("wrote_at", columns.Instant(), nullable=True),
        sa.Column("opted_out_at", columns.Instant(), nullable=True),
        sa.Column("opted_out_by", sa.Text(), nullable=True),
        sa.Column("opted_at", columns.Instant(), nullable=True),
        sa.Column("no_marketing_at", columns.Instant(), nullable=True),
        sa.Column("answered_on", columns.Day(), nullable=True),
        sa.Column("unreachable_at", columns.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "phones",
        sa.Column("client_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("seen_at", columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("client_id"),
    )
    op.create_index(op.f("ix_phones_number"), "phones", ["number"])
    op.create_table(
        "templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("changed_at", columns.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", "language"),
    )
