"""Messages: what may have left, whom it went to, who shares it, what was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bridge.store import columns

revision = "0005"
down_revision = "0004"


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
    op.add_column("contacts", sa.Column("opted_event", sa.Text(), nullable=True))
    op.create_table(
        "answers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", columns.Day(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", "kind", "day", "place"),
    )
    op.add_column("receipts", sa.Column("to", sa.Text(), nullable=True))
