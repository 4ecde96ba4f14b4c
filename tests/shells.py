"""The command line in tests: JSON that it prints, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bridge.cli import main
from bridge.demo.whatsapp.cloud import NUMBER_ID, TOKEN, WABA_ID, CloudStub
from bridge.demo.whatsapp.server import StubServer


@contextmanager
def cloud_shell(shell: Any, stub: CloudStub, monkeypatch: Any) -> Iterator[Any]:
    """Lend *shell* with the Cloud API as its provider, which *stub* plays."""
    with StubServer(stub) as server:
        given = {
            "URL": server.url,
            "TOKEN": TOKEN,
            "NUMBER_ID": NUMBER_ID,
            "WABA_ID": WABA_ID,
            "APP_SECRET": "app",
            "VERIFY_TOKEN": "verify",
        }
        monkeypatch.setenv("WHATSAPP_PROVIDER", "cloud")
        for name, value in given.items():
            monkeypatch.setenv(f"WHATSAPP_CLOUD_{name}", value)
        yield shell


def of_json(result: Any) -> Any:
    """Return what a command printed as JSON."""
    return json.loads(result.stdout)


def failing(*words: str) -> Any:
    """Run a command as a process would; return its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code
