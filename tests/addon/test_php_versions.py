"""The add-on's PHP as PHP 7.2 and 8.3 read it: the real ones, compiled to WebAssembly.

PHPCompatibility is on none of the package registries that are used here. What it
would say of syntax and missing functions, PHP 7.2 says itself: npm's
`@php-wasm/node-7-2`, see tests/addon/versions/.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ADDON = ROOT / "addons" / "whmcs" / "modules" / "addons" / "hookbridge"
VECTORS = ROOT / "tests" / "fixtures" / "signing" / "vectors.json"
READER = HERE / "versions"
NODE = shutil.which("node")
INSTALLED = (READER / "node_modules" / "@php-wasm" / "node-7-2").is_dir()
VERSIONS = {"7-2": "7.2.", "8-3": "8.3."}

pytestmark = pytest.mark.skipif(
    NODE is None or not INSTALLED,
    reason="needs node 18 and `npm ci --ignore-scripts` in tests/addon/versions",
)


def read(version: str, folder: Path, *more: str) -> dict:
    done = subprocess.run(
        [str(NODE), str(READER / "read.mjs"), version, str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_file_is_read_without_a_word(version):
    told = read(version, ADDON, str(VECTORS))

    assert told["php"].startswith(VERSIONS[version])
    assert {name for name, said in told["files"].items() if said} == set(), told
    assert {"transfer.php", "hooks.php", "hookbridge.php"} <= set(told["files"])
    assert told["unknown"] == []
    assert told["vectors"] == []


NEWER = {
    "arrow function": "$f = fn($x) => $x;",
    "typed property": "class T { public int $x = 0; }",
    "match": "$x = match(1) { 1 => 2 };",
    "enum": "enum T { case A; }",
    "named argument": "strlen(string: 'x');",
    "nullsafe": "$x = null; $y = $x?->z;",
    "comma after the last argument": "strlen('x',);",
    "union type": "function t(int|string $x) {}",
    "a function of 8.0": "function t($x) { return str_contains($x, 'a'); }",
    "a function of 7.3": "function t($x) { return array_key_first($x); }",
}


@pytest.mark.parametrize("code", NEWER.values(), ids=NEWER)
def test_what_is_newer_than_7_2_is_found(code, tmp_path):
    (tmp_path / "one.php").write_text(f"<?php\n{code}\n")

    told = read("7-2", tmp_path)

    assert told["files"]["one.php"] or told["unknown"]


OLDER = {
    "dynamic property": "namespace HookBridge; class T {} $t = new T(); $t->x = 1;",
    "null to a string function": "namespace HookBridge; strlen(null);",
    "interpolation of ${}": "namespace HookBridge; $a = 'b'; $c = \"${a}\";",
}


@pytest.mark.parametrize("code", OLDER.values(), ids=OLDER)
def test_what_8_3_would_print_is_found(code, tmp_path):
    (tmp_path / "one.php").write_text(f"<?php\n{code}\n")

    told = read("8-3", tmp_path)

    assert told["files"]["one.php"]
