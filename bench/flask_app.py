"""The smallest Flask app that does intake's step: signature, one durable row, 202.

`python -m bench.flask_app PORT FILE [each|grouped] [STUB]`: a commit for each row, or
one for all rows of the moment. With a stub's port it answers questions too: as many
calls as the bridge makes for a price, one after the other, then the row.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import sqlite3
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any

import requests
from flask import Flask, request
from requests.adapters import HTTPAdapter
from waitress import serve

from bench.hooks import KEY, NEW_PLAN

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


class Caller:
    """Asks the stub what a price is made of, with prepared requests."""

    _CALLS = (
        "GetClientsProducts&serviceid={0}",
        "GetClientsDetails&clientid={0}",
        "GetProducts&pid={0}",
        "GetProducts&pid={1}",
        "GetInvoices&userid={0}",
        "GetInvoice&invoiceid={0}",
    )

    def __init__(self, stub: int) -> None:
        self._url = f"http://127.0.0.1:{stub}/includes/api.php"
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=64)
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, number: int) -> list[dict[str, Any]]:
        """Return the answers about a service."""
        found = []
        for call in self._CALLS:
            form = "identifier=i&secret=s&responsetype=json&action="
            form += call.format(number, number + NEW_PLAN)
            asked = requests.Request("POST", self._url, data=form)
            prepared = self._session.prepare_request(asked)
            found.append(self._adapter.send(prepared, timeout=10).json())
        return found


def create_app(put: Any, stub: int = 0) -> Flask:
    """Build the app around what keeps a row."""
    app = Flask("smallest")
    caller = Caller(stub)

    @app.post("/decisions/whmcs")
    def decide() -> tuple[dict[str, Any], int]:
        body = request.get_data()
        id = verified(body)
        if not id:
            return {"error": "not signed"}, 401
        found = caller.ask(json.loads(body)["context"]["service_id"])
        put((id, time.time(), hashlib.sha256(body).hexdigest(), body))
        return {"event": id, "return": len(found), "reason": "asked"}, 200

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
    stub = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    db = opened(file)
    keeper = Grouped(db) if how == "grouped" else Each(db)
    serve(
        create_app(keeper.put, stub),
        port=port,
        host="127.0.0.1",
        threads=64 if stub else 16,
    )


if __name__ == "__main__":
    main()
