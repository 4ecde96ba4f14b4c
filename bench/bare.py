"""A bare loop of prepared requests: what the calls alone can reach.

`python -m bench.bare PORT THREADS SECONDS` prints calls a second.
"""

from __future__ import annotations

import sys
import threading
import time

import requests
from requests.adapters import HTTPAdapter

_FORM = (
    "identifier=demoApiIdentifier&secret=demoApiSecret&responsetype=json"
    "&action=GetInvoice&invoiceid={number}"
)


def main() -> None:
    """Call in threads for some seconds; the first second is not counted."""
    port, threads, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    url = f"http://127.0.0.1:{port}/includes/api.php"
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=threads)
    session = requests.Session()
    session.trust_env = False
    counts = [0] * threads
    stop = threading.Event()

    def work(mine: int) -> None:
        prepared = session.prepare_request(
            requests.Request("POST", url, data=_FORM.format(number=mine + 1))
        )
        while not stop.is_set():
            adapter.send(prepared, timeout=10).content  # noqa: B018  (reads it)
            counts[mine] += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(1.0)
    before, began = sum(counts), time.perf_counter()
    time.sleep(seconds)
    rate = (sum(counts) - before) / (time.perf_counter() - began)
    stop.set()
    for worker in workers:
        worker.join()
    print(rate)


if __name__ == "__main__":
    main()
