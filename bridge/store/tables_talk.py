"""The tables of what was written to people, and of what they and providers said."""

from __future__ import annotations

import sqlalchemy as sa

from bridge.store.columns import BIG, Day, Document, Instant, metadata

#: One message to one person, and what the provider confirmed of it. *other_form*: it
#: went to the number in its other form. *reached* is the number that the provider says
#: it went to, where that is another one than it was written to.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("job_key", sa.Text, nullable=False, index=True),
    sa.Column("event_id", sa.Text, index=True),
    sa.Column("client_id", sa.BigInteger),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("to", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("provider_id", sa.Text, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("states", Document, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("form", sa.Text),
    sa.Column("other_form", sa.Boolean),
    sa.Column("reached", sa.Text),
    sa.Column("error", sa.Text),
)

by_template = sa.and_(
    messages.c.form.is_not(None), messages.c.form != sa.literal_column("'free'")
)
sa.Index(
    "messages_by_template",
    messages.c.created_at,
    sqlite_where=by_template,
    postgresql_where=by_template,
)
sa.Index("messages_created", messages.c.created_at)
_astray = messages.c.reached.is_not(None)
sa.Index(
    "messages_astray", messages.c.key, sqlite_where=_astray, postgresql_where=_astray
)

#: What a provider's webhooks said of messages, each state once; one that comes
#: before our own answer is kept here until the message is known. *provider_id* is
#: made of the tag where the provider gives none (`progress.named`). *to* is the number
#: that the provider says it is about, empty where it does not tell.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("seq", BIG, primary_key=True, autoincrement=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("provider_id", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("to", sa.Text),
    sa.UniqueConstraint("provider", "provider_id", "state"),
    sqlite_autoincrement=True,
)
sa.Index("receipts_tag", receipts.c.tag)

#: A person by telephone (E.164): when he last wrote, and what he asked not to get.
#: *opted_event* is the message that changed that last; one that repeats it does not.
contacts = sa.Table(
    "contacts",
    metadata,
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("wrote_at", Instant),
    sa.Column("opted_out_at", Instant),
    sa.Column("opted_out_by", sa.Text),
    sa.Column("opted_at", Instant),
    sa.Column("opted_event", sa.Text),
    sa.Column("no_marketing_at", Instant),
    sa.Column("answered_on", Day),
    sa.Column("unreachable_at", Instant),
)
sa.Index("contacts_wrote", contacts.c.wrote_at)

#: When a number last wrote to a person (E.164); *sender* is provider and number. Kept
#: where several processes write, and for no longer than it matters.
pairs = sa.Table(
    "pairs",
    metadata,
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

#: Whom templates went to in the last day, each with the time of the last one. Kept
#: where several processes write, and where the provider limits how many there may be.
recipients = sa.Table(
    "recipients",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)
sa.Index("recipients_at", recipients.c.provider, recipients.c.at)

#: What people were answered: so many of each kind a day, by which job.
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("day", Day, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("job_key", sa.Text, nullable=False),
)

#: Which telephone a client has in the panel; checked there before it is used.
phones = sa.Table(
    "phones",
    metadata,
    sa.Column("client_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Text, nullable=False, index=True),
    sa.Column("seen_at", Instant, nullable=False),
)

#: The message templates that a provider knows, by name and language.
templates = sa.Table(
    "templates",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, primary_key=True),
    sa.Column("provider_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
