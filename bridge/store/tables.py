"""The tables. Instants come back aware (UTC), money is decimal text, data is JSON."""

from __future__ import annotations

import sqlalchemy as sa

from bridge.store.columns import BIG, Amount, Day, Document, Instant, metadata
from bridge.store.tables_talk import (
    answers,
    by_template,
    contacts,
    messages,
    pairs,
    phones,
    receipts,
    recipients,
    templates,
)

__all__ = [
    "answers",
    "attempts",
    "audit",
    "by_template",
    "cancellations",
    "contacts",
    "domains",
    "events",
    "jobs",
    "logins",
    "marks",
    "messages",
    "metadata",
    "operators",
    "pairs",
    "phones",
    "receipts",
    "recipients",
    "templates",
    "transfers",
    "upgrades",
]

#: One accepted delivery. *state*: new (not matched yet), matched, no rule.
events = sa.Table(
    "events",
    metadata,
    sa.Column("seq", BIG, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("panel", sa.Text, nullable=False),
    sa.Column("hookpoint", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("data", Document, nullable=False),
    sa.Column("context", Document, nullable=False),
    sa.Column("occurred_at", Instant, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("client_id", sa.BigInteger),
    sa.Column("user_id", sa.BigInteger),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("map_version", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("answer", Document),
    sa.Column("conflicts", sa.Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
_new = events.c.state == "new"
sa.Index("events_new", events.c.seq, sqlite_where=_new, postgresql_where=_new)
sa.Index("events_client", events.c.client_id, events.c.occurred_at)
sa.Index("events_user", events.c.user_id, events.c.occurred_at)
sa.Index("events_received", events.c.received_at)

#: One action to run, once, under a key that never changes. *state*: waiting,
#: joined, running, done, skipped, parked, rehearsed, withdrawn. *run_at* is when it is
#: due or, while it runs, when its lease ends. *epoch* fences a late writer.
#: *deaths* counts the claims in a row that nobody finished, *unsure* the attempts of
#: which nobody knows whether a message left: no later attempt makes it less.
#: *together* is the key of the job in whose message it goes; that one has its own.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("parameters", Document, nullable=False),
    sa.Column("steps", Document, nullable=False),
    sa.Column("condition", sa.Text),
    sa.Column("acts", sa.Boolean, nullable=False),
    sa.Column("urgent", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("deaths", sa.Integer, nullable=False, server_default="0"),
    sa.Column("unsure", sa.Integer, nullable=False, server_default="0"),
    sa.Column("client_id", sa.BigInteger),
    sa.Column("group_key", sa.Text),
    sa.Column("together", sa.Text),
    sa.Column("outcome", Document),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
)
_open = jobs.c.state.in_(("waiting", "running"))
sa.Index(
    "jobs_due",
    jobs.c.acts,
    jobs.c.urgent,
    jobs.c.run_at,
    sqlite_where=_open,
    postgresql_where=_open,
)
_grouped = sa.and_(jobs.c.state == "waiting", jobs.c.group_key.is_not(None))
sa.Index(
    "jobs_group", jobs.c.group_key, sqlite_where=_grouped, postgresql_where=_grouped
)
_joined = jobs.c.together.is_not(None)
sa.Index(
    "jobs_together", jobs.c.together, sqlite_where=_joined, postgresql_where=_joined
)
sa.Index("jobs_event", jobs.c.event_id)
_parked = jobs.c.state == "parked"
sa.Index(
    "jobs_parked", jobs.c.created_at, sqlite_where=_parked, postgresql_where=_parked
)

#: Each try of a job: what was called and what came back, without secrets.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=True),
    sa.Column("job_key", sa.Text, nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("seen", Document, nullable=False),
    sqlite_autoincrement=True,
)

#: What ends when, and why that day. *state*: scheduled, acting, done, withdrawn,
#: staff, rehearsed. At most one open row per service. *approved_by* is who has it
#: carried out by hand.
cancellations = sa.Table(
    "cancellations",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("service_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("client_id", sa.BigInteger, nullable=False),
    sa.Column("request_id", sa.BigInteger),
    sa.Column("domain", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("requested_on", Day, nullable=False),
    sa.Column("ends", Day),
    sa.Column("at", Instant),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("way", sa.Text, nullable=False),
    sa.Column("next_due", Day),
    sa.Column("owed", Document),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("event_id", sa.Text),
    sa.Column("acted_at", Instant),
    sa.Column("approved_by", sa.Text),
    sa.Column("missing_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
_live = cancellations.c.state.in_(("scheduled", "acting", "staff"))
sa.Index(
    "cancellations_live",
    cancellations.c.service_id,
    unique=True,
    sqlite_where=_live,
    postgresql_where=_live,
)
sa.Index("cancellations_acted", cancellations.c.acted_at)
sa.Index("cancellations_at", cancellations.c.state, cancellations.c.at)

#: Ordered upgrades and paid upgrade charges. *state*: ordered, invoiced, paid,
#: applying, done, ended, staff, rehearsed; native ones are `done` at once.
upgrades = sa.Table(
    "upgrades",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("service_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("client_id", sa.BigInteger, nullable=False),
    sa.Column("from_product_id", sa.BigInteger, nullable=False),
    sa.Column("to_product_id", sa.BigInteger, nullable=False),
    sa.Column("from_product", sa.Text, nullable=False),
    sa.Column("to_product", sa.Text, nullable=False),
    sa.Column("cycle", sa.Text, nullable=False),
    sa.Column("charge", Amount, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("recurring", Amount, nullable=False),
    sa.Column("new_period", sa.Boolean, nullable=False),
    sa.Column("next_due", Day),
    sa.Column("working", Document, nullable=False),
    sa.Column("invoice_id", sa.BigInteger, index=True),
    sa.Column("native", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("paid_on", Day),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
_pending = upgrades.c.state.in_(("ordered", "invoiced", "paid", "applying", "staff"))
sa.Index(
    "upgrades_pending",
    upgrades.c.service_id,
    unique=True,
    sqlite_where=_pending,
    postgresql_where=_pending,
)

#: Changes of owner, each with its evidence. *state*: proposed, agreed, moving, staff,
#: done, refused, expired, withdrawn, rehearsed. At most one open row per service.
transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("service_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("from_client_id", sa.BigInteger, nullable=False),
    sa.Column("to_client_id", sa.BigInteger, nullable=False),
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("service", "from_name", "to_name", "from_email", "to_email")
    ),
    *(
        sa.Column(f"{side}_{name}", kind)
        for name, kind in (
            ("text", sa.Text),
            ("number", sa.Text),
            ("message", sa.Text),
            ("at", Instant),
        )
        for side in ("from", "to")
    ),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("agreed_at", Instant),
    sa.Column("acted_at", Instant),
    sa.Column("approved_by", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("checks", Document),
    sa.Column("moved", Document),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)
_changing = transfers.c.state.in_(("proposed", "agreed", "moving", "staff"))
sa.Index(
    "transfers_open",
    transfers.c.service_id,
    unique=True,
    sqlite_where=_changing,
    postgresql_where=_changing,
)

#: Domains the bridge has seen, for the day when the panel has forgotten one.
domains = sa.Table(
    "domains",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("client_id", sa.BigInteger),
)

#: Who changed what by hand; nothing updates a row.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("detail", Document, nullable=False),
    sqlite_autoincrement=True,
)

#: Who may log in to the console; *password* is a salted slow hash.
operators = sa.Table(
    "operators",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("password", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("seen_at", Instant),
)

#: Who is logged in; *digest* is that of the token in his cookie.
logins = sa.Table(
    "logins",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("operator", sa.Text, nullable=False, index=True),
    sa.Column("began_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
)

#: Named marks: heartbeats, the leader's lease, the lock row of the caps, halts, until
#: when a number's time is taken, the count of the day's recipients, the secret that
#: signs the console's cookies.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("detail", Document, nullable=False),
)
