"""Attempts that may have sent a message, and whom a provider's states are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Give jobs their count, and states their number."""
    op.add_column(
        "jobs",
        sa.Column("unsure", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column("receipts", sa.Column("to", sa.Text(), nullable=True))
