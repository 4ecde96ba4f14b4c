"""An index of the messages that went as templates: whom, in the last day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BY_TEMPLATE = sa.text("form IS NOT NULL AND form <> 'free'")


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "messages_by_template",
        "messages",
        ["created_at"],
        sqlite_where=_BY_TEMPLATE,
        postgresql_where=_BY_TEMPLATE,
    )
