"""Cancellations: who has one carried out by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the column."""
    op.add_column("cancellations", sa.Column("approved_by", sa.Text(), nullable=True))
