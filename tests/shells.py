"""The command line in tests: JSON that it prints, and its exit status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.cli import main


def of_json(result: Any) -> Any:
    """Return what a command printed as JSON."""
    return json.loads(result.stdout)


def failing(*words: str) -> Any:
    """Run a command as a process would; return its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return ended.value.code
