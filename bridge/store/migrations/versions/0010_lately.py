"""Indexes of what came lately: who wrote in a day, states of the last minutes."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("contacts_wrote", "contacts", ["wrote_at"])
    op.create_index("receipts_received", "receipts", ["received_at"])
