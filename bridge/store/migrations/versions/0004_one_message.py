"""Attempts that may have sent a message, whom it went to, and who shares it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Give jobs their count and the message they share, and states their number."""
    op.add_column(
        "jobs",
        sa.Column("unsure", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column("jobs", sa.Column("together", sa.Text(), nullable=True))
    op.create_index(
        "jobs_together",
        "jobs",
        ["together"],
        sqlite_where=sa.text("together IS NOT NULL"),
        postgresql_where=sa.text("together IS NOT NULL"),
    )
    op.add_column("messages", sa.Column("other_form", sa.Boolean(), nullable=True))
    op.add_column("messages", sa.Column("reached", sa.Text(), nullable=True))
    op.create_index(
        "messages_astray",
        "messages",
        ["key"],
        sqlite_where=sa.text("reached IS NOT NULL"),
        postgresql_where=sa.text("reached IS NOT NULL"),
    )
    op.add_column("receipts", sa.Column("to", sa.Text(), nullable=True))
