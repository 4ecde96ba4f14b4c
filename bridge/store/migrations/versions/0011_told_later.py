"""An index of messages by their time; one that states had twice goes."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the one, and drop the other: `ix_receipts_received_at` is the same."""
    op.create_index("messages_created", "messages", ["created_at"])
    op.drop_index("receipts_received", "receipts")
