"""The same pipeline on Huey: a Flask app that enqueues, a consumer with threads.

`python -m bench.huey_app serve PORT FILE STUB` or `... work THREADS FILE STUB`.
"""

from __future__ import annotations

import json
import sys
import threading

import requests
from huey import SqliteHuey  # type: ignore[import-not-found]
from requests.adapters import HTTPAdapter

from bench.flask_app import create_app

_FORM = "identifier=demo&secret=demo&responsetype=json&action={action}&{name}={number}"


def made(file: str, stub: int) -> tuple[SqliteHuey, object]:
    """Return the queue, durable as the bridge's store is, and its one task."""
    huey = SqliteHuey(filename=file, fsync=True, results=True, timeout=30)
    base, adapter = f"http://127.0.0.1:{stub}", HTTPAdapter(pool_maxsize=512)
    session = requests.Session()
    session.trust_env = False

    def post(path: str, body: str) -> dict[str, object]:
        prepared = session.prepare_request(
            requests.Request("POST", base + path, data=body)
        )
        told: dict[str, object] = adapter.send(prepared, timeout=10).json()
        return told

    def ask(action: str, name: str, number: object) -> dict[str, object]:
        body = _FORM.format(action=action, name=name, number=number)
        return post("/includes/api.php", body)

    @huey.task()  # type: ignore[untyped-decorator]
    def alert(body: str) -> str:
        number = json.loads(body)["data"]["invoiceid"]
        invoice = ask("GetInvoice", "invoiceid", number)
        client = ask("GetClientsDetails", "clientid", invoice["userid"])
        text = f"{client['userid']}: {invoice['total']}"
        post("/v20.0/1555/messages", json.dumps({"text": {"body": text}}))
        return text

    return huey, alert


def main() -> None:
    """Serve or work."""
    how, number, file, stub = sys.argv[1:5]
    huey, alert = made(file, int(stub))
    if how == "serve":
        from waitress import serve

        app = create_app(lambda row: alert(row[3].decode()))  # type: ignore[operator]
        serve(app, port=int(number), host="127.0.0.1", threads=16)
    else:
        consumer = huey.create_consumer(
            workers=int(number), worker_type="thread", periodic=False
        )
        consumer.start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
