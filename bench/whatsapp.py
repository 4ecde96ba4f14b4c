"""The case `whatsapp`: messages out through TLS, at a rate, and their states in."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from bench.processes import (
    Missing,
    Place,
    bridge_environ,
    free_port,
    place,
    postgres,
)
from bench.table import Note, Row, at_least, at_most
from bench.whatsapp_hear import SECRET, fill

#: How many threads the bridge has where BRIDGE_WORKERS says nothing else; a quarter
#: of them, up to eight, is kept for what acts.
BRIDGE_WORKERS = 32
#: How long the stub thinks about a message, in seconds.
_LATENCY = 0.15
#: States a second, how many of them come in one request, and the longest queue. Meta
#: puts several into one when it has them; one in each is the worst that may come.
_STATES, _BATCHES, _QUEUE = 3000, (10, 1), 10.0
_RATE = 1000
#: What two processes share, and over how many seconds a rate is looked at.
_SHARED, _WINDOW = 200, 5.0
#: From when until when all of them ask.
_BOTH: tuple[tuple[Callable[[list[float]], float], str], ...] = (
    (max, "began"),
    (min, "ended"),
)
_BODY = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "+5491155550000",
    "type": "template",
    "template": {
        "name": "invoice_created",
        "language": {"code": "es"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": text}
                    for text in ("Ana", "A-1", "100,00 ARS", "14/05/2026")
                ],
            }
        ],
    },
    "biz_opaque_callback_data": "b1/invoice-created",
}


def measure(
    seconds: float, runs: int, workers: int, heard_for: float
) -> list[Row | Note]:
    """Return the rows: *seconds* of each run of sending, *heard_for* of hearing."""
    rows: list[Row | Note] = []
    try:
        for threads in dict.fromkeys((BRIDGE_WORKERS, workers)):
            rows += _sending(seconds, runs, threads)
    except Missing as error:
        rows = [Note(f"not measured: {error}")]
    rows += _limited(seconds, workers)
    for batch in _BATCHES:
        rows += _hearing(heard_for, batch)
    return rows


def _sending(seconds: float, runs: int, workers: int) -> list[Row | Note]:
    ours, others = [], []
    for _ in range(runs):
        with place() as at:
            certificate, port = _served(at)
            body = at.directory / "body.json"
            body.write_text(json.dumps(_BODY), encoding="utf-8")
            url = f"https://127.0.0.1:{port}/v25.0/1/messages"
            given = {"certificate": certificate, "seconds": seconds}
            bare = {"threads": workers, "url": url, "body": str(body)}
            others.append(_told(at, "bare", given | bare)["rate"])
            env = _environ(at, port, workers)
            # More than can go out while it is measured, so that work never ends.
            count = int((seconds + 3) * workers / _LATENCY)
            found = _told(at, "path", given | {"messages": count}, env)
            ours.append(found["rate"])
            if found["left"] <= 0:
                raise RuntimeError("all messages were out before the end")
    what = f"messages/s through TLS, {workers} threads"
    if workers == BRIDGE_WORKERS:
        what += " (the bridge's own number)"
    return [at_least(what, median(ours), median(others), "(bare loop)", 0.6)]


def _served(at: Place) -> tuple[str, int]:
    """Make a certificate that only this run trusts, and serve with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise Missing("no openssl here, which makes the certificate")
    certificate, key = at.directory / "stub.pem", at.directory / "stub.key"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    at.python("bench.whatsapp_stub", port, certificate, key, _LATENCY, said=True)
    return str(certificate), port


def _environ(at: Place, stub: int, workers: int, port: int = 0) -> dict[str, str]:
    env = bridge_environ(at.directory, port or free_port(), stub, workers=workers)
    cloud = {
        "URL": f"https://127.0.0.1:{stub}",
        "TOKEN": "bench",
        "NUMBER_ID": "1",
        "WABA_ID": "2",
        "APP_SECRET": SECRET.decode("ascii"),
        "VERIFY_TOKEN": "bench",
        "PER_SECOND": str(_RATE),
    }
    given = {f"WHATSAPP_CLOUD_{name}": value for name, value in cloud.items()}
    return env | given | {"WHATSAPP_PROVIDER": "cloud", "LOG_LEVEL": "error"}


def _told(
    at: Place, mode: str, given: dict[str, Any], env: dict[str, str] | None = None
) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.whatsapp_send", mode, json.dumps(given)]
    done = subprocess.run(
        command,
        env=at.environ(**(env or {})),
        cwd=at.directory,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _limited(seconds: float, workers: int) -> list[Row | Note]:
    """See whether the limiter holds its rate over any five seconds, from the first."""
    rows = _held(seconds, workers, 1, _RATE, "")
    try:
        with postgres() as database:
            for count, rate in ((1, _RATE), (2, _SHARED)):
                rows += _held(seconds, workers, count, rate, database)
    except Missing as error:
        rows.append(Note(f"the shared limiter was not measured: {error}"))
    return rows


def _held(
    seconds: float, workers: int, count: int, rate: int, database: str
) -> list[Row | Note]:
    """Let *count* processes ask one limiter, and see how far off they are together."""
    given = {"threads": workers // count, "seconds": max(seconds, 5.0) + 3}
    with place() as at:
        env = _environ(at, free_port(), workers)
        env |= {"WHATSAPP_CLOUD_PER_SECOND": str(rate)}
        if database:
            env |= {"BRIDGE_DATABASE_URL": database}
        with ThreadPoolExecutor(count) as pool:
            runs = [pool.submit(_told, at, "limiter", given, env) for _ in range(count)]
            told = [run.result() for run in runs]
    times = sorted(when for one in told for when in one["times"])
    both, ended = (end([one[at] for one in told]) for end, at in _BOTH)
    steps = range(int((ended - both - _WINDOW) * 20))
    within = [_within(times, both + step / 20, _WINDOW) for step in steps]
    off = max(abs(found / _WINDOW - rate) for found in within)
    first = _within(times, min(one["began"] for one in told), 1.0)
    who = f"{count} on PostgreSQL, " if database else ""
    what = f"limiter at {rate:,}/s, {who}over any 5 s: off by"
    return [
        at_most(what, 100 * off / rate, "%", 2.0),
        Row("  let through in the first second", first, "", rate, "(the rate)"),
    ]


def _within(times: list[float], start: float, seconds: float) -> int:
    return bisect_left(times, start + seconds) - bisect_left(times, start)


def _hearing(seconds: float, batch: int) -> list[Row | Note]:
    """See whether states are taken as fast as they come."""
    with place() as at:
        port = free_port()
        env = _environ(at, free_port(), 8, port)
        fill(at.directory / "bridge.db", int(_STATES * seconds))
        at.start([sys.executable, "-m", "bridge", "run"], port=port, **env)
        given = {"port": port, "rate": _STATES, "seconds": seconds, "batch": batch}
        done = subprocess.run(
            [sys.executable, "-m", "bench.whatsapp_hear", json.dumps(given)],
            env=at.environ(),
            cwd=at.directory,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(done.stdout)
        kept, known = _kept(at.directory / "bridge.db")
    what = f"{_STATES:,} states/s for {seconds:g} s, {batch} in a request"
    sent = found["states"]
    queue = found["queue"] or [found["worst"]]  # shorter than a second
    return [
        at_most(f"{what}: longest queue", max(queue), "s", _QUEUE),
        Row(f"{what}: kept", kept, "states", sent, "(sent)", "all", kept == sent),
        Row("  messages brought to their last state", known, "", sent // 3, "(sent)"),
        Row("  p99 of the answers", found["p99"] * 1000, "ms"),
    ]


def _kept(file: Path) -> tuple[int, int]:
    """Return how many states were kept, and how many messages went on by them."""
    questions = ("receipts", "messages WHERE state = 'read'")
    with contextlib.closing(sqlite3.connect(file)) as db:
        found = [db.execute(f"SELECT count(*) FROM {one}") for one in questions]
        kept, known = (int(one.fetchone()[0]) for one in found)
    return kept, known
