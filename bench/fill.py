"""A store of some years: past events with what came of them, and what is scheduled."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from bridge.store import schema

_COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
_DAY = 86_400_000_000

_EVENTS = """INSERT INTO events (id, panel, hookpoint, digest, data, context,
    occurred_at, received_at, client_id, state, map_version)
SELECT 'msg_old_' || i, 'whmcs', 'InvoiceCreated', hex(randomblob(32)),
    '{"source":"autogen","user":"system","invoiceid":' || i || ',"status":"Unpaid"}',
    '{"actor":"system"}', ?2 - (?1 - i) * ?3, ?2 - (?1 - i) * ?3, i % 50000, 'matched',
    'old' FROM n"""
_JOBS = """INSERT INTO jobs (key, event_id, action, rule, parameters, steps, acts,
    urgent, state, run_at, due_at, epoch, attempts, client_id, outcome, created_at,
    finished_at)
SELECT 'msg_old_' || i || '/invoice-created', 'msg_old_' || i, 'send_alert',
    'invoice-created', '{"message":"invoice_created","urgent":false,"to":"client"}',
    '[]', 0, 0, 'done', ?2 - (?1 - i) * ?3, ?2 - (?1 - i) * ?3, 1, 1, i % 50000,
    '{"to":"client 1","message":"invoice_created","state":"accepted"}',
    ?2 - (?1 - i) * ?3, ?2 - (?1 - i) * ?3 FROM n"""
_CANCELLATIONS = """INSERT INTO cancellations (key, service_id, client_id, request_id,
    domain, product, kind, requested_on, ends, at, because, way, state, created_at,
    changed_at)
SELECT 'cancel:' || i, i, i % 50000, i, 'example' || i || '.com', 'Hosting Plan',
    'End of Billing Period', date('now'), date('now', '+20 days'),
    ?2 + ?3 + i * 1000000, 'last invoiced period', 'module', 'scheduled', ?2, ?2 FROM n
WHERE ?1 > 0"""
_TERMINATE = """INSERT INTO jobs (key, action, rule, parameters, steps, acts, urgent,
    state, run_at, due_at, client_id, created_at)
SELECT 'cancel:' || i || '/terminate', 'terminate_service', 'cancellation',
    '{"cancellation":"cancel:' || i || '","service_id":' || i || '}', '[]', 1, 0,
    'waiting', ?2 + ?3 + i * 1000000, ?2 + ?3 + i * 1000000, i % 50000, ?2 FROM n
WHERE ?1 > 0"""


def fill(file: Path, events: int, cancellations: int) -> None:
    """Fill a new SQLite store: 60 days of events, terminations from tomorrow on."""
    schema.migrate(f"sqlite:///{file}")
    now = int(time.time() * 1_000_000)
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("BEGIN")
    step = 60 * _DAY // events
    for statement, count, third in (
        (_EVENTS, events, step),
        (_JOBS, events, step),
        (_CANCELLATIONS, cancellations, _DAY),
        (_TERMINATE, cancellations, _DAY),
    ):
        db.execute(_COUNT.replace("?", "?1") + statement, (count, now, third))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
