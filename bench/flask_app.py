"""The smallest Flask app that does intake's step: signature, one durable row, 202.

`python -m bench.flask_app PORT FILE [each|grouped]`: a commit for each row, or one
for all rows of the moment.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import queue
import sqlite3
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

from flask import Flask, request
from waitress import serve

from bench.hooks import KEY

_ROW = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)"
Row = tuple[str, float, str, bytes]


def opened(file: str) -> sqlite3.Connection:
    """Open the store as durably as the bridge does."""
    db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(
        "CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, at REAL, digest TEXT,"
        " body BLOB)"
    )
    return db


class Each:
    """One commit for each row."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._lock = threading.Lock()

    def put(self, row: Row) -> None:
        """Keep a row."""
        with self._lock:
            self._db.execute(_ROW, row)


class Grouped:
    """One commit for all rows that wait."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._queue: queue.SimpleQueue[tuple[Row, Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def put(self, row: Row) -> None:
        """Keep a row."""
        kept: Future[None] = Future()
        self._queue.put((row, kept))
        kept.result()

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_ROW, [row for row, _ in batch])
            self._db.execute("COMMIT")
            for _, kept in batch:
                kept.set_result(None)


def verified(body: bytes) -> str:
    """Return the delivery's id, or nothing where it is not signed."""
    id = request.headers.get("webhook-id", "")
    stamp = request.headers.get("webhook-timestamp", "")
    if abs(int(stamp) - time.time()) > 300:
        return ""
    made = hmac.digest(KEY, f"{id}.{stamp}.".encode() + body, hashlib.sha256)
    given = request.headers.get("webhook-signature", "").removeprefix("v1,")
    return id if hmac.compare_digest(base64.b64decode(given), made) else ""


def create_app(put: Any) -> Flask:
    """Build the app around what keeps a row."""
    app = Flask("smallest")

    @app.post("/hooks/whmcs")
    def receive() -> tuple[dict[str, str], int]:
        body = request.get_data()
        id = verified(body)
        if not id:
            return {"error": "not signed"}, 401
        put((id, time.time(), hashlib.sha256(body).hexdigest(), body))
        return {"event": id}, 202

    return app


def main() -> None:
    """Serve with the same server and as many threads as the bridge."""
    port, file, how = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    db = opened(file)
    keeper = Grouped(db) if how == "grouped" else Each(db)
    serve(create_app(keeper.put), port=port, host="127.0.0.1", threads=16)


if __name__ == "__main__":
    main()
