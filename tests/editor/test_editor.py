"""The map in an operator's editor: the language server of VS Code's YAML extension."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.hooks import actions

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parents[1] / "config"
NODE = shutil.which("node")
INSTALLED = (HERE / "node_modules" / "yaml-language-server").is_dir()

pytestmark = pytest.mark.skipif(
    NODE is None or not INSTALLED,
    reason="needs node 18 and `npm ci --ignore-scripts` in tests/editor",
)


def ask(hookmap: Path) -> dict[str, Any]:
    """Return what the editor marks in a map, and shows and offers at a `do:`."""
    done = subprocess.run(
        [str(NODE), str(HERE / "ask.mjs"), str(hookmap)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_default_map_is_well_and_explained():
    told = ask(CONFIG / "hooks.yaml")

    known = {name for name, one in actions().items() if not one.internal}
    assert told["marked"] == []
    assert set(told["offered"]) == known
    assert all(actions()[name].summary in told["shown"] for name in known)


def test_a_slip_is_marked_where_it_is(tmp_path):
    shutil.copy(CONFIG / "hooks.schema.json", tmp_path)
    lines = (CONFIG / "hooks.yaml").read_text("utf-8").splitlines()
    _, later, *_ = (n for n, text in enumerate(lines) if "do: send_alert" in text)
    lines[later] = lines[later].replace("send_alert", "send_alrt")
    hookmap = tmp_path / "hooks.yaml"
    hookmap.write_text("\n".join(lines) + "\n", "utf-8")

    (mark, *_) = ask(hookmap)["marked"]

    assert mark["line"] == later + 1
    assert '"send_alert"' in mark["said"]
