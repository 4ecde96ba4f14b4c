"""The add-on's units in PHP, and what PHP says of every file."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .stage import ADDON, ROOT

VECTORS = ROOT / "tests/fixtures/signing/vectors.json"
FILES = sorted(ADDON.rglob("*.php"))
needs_php = pytest.mark.skipif(
    shutil.which("php") is None, reason="php is not installed"
)


@needs_php
def test_the_units_and_the_signatures_that_python_reads_too():
    units = Path(__file__).with_name("units.php")

    done = subprocess.run(
        ["php", "-d", "display_errors=1", str(units), str(ADDON), str(VECTORS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert re.fullmatch(r"\d+ checks\n", done.stdout), done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 150


@needs_php
def test_every_file_is_read_without_a_word():
    for file in FILES:
        done = subprocess.run(
            ["php", "-d", "display_errors=1", "-d", "error_reporting=-1", "-l", str(file)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout == f"No syntax errors detected in {file}\n", file


def test_no_file_prints_by_its_mere_form():
    for file in FILES:
        text = file.read_bytes()
        assert text.startswith(b"<?php\n"), file
        assert b"?>" not in text, file
        assert text.endswith(b"\n"), file


@needs_php
@pytest.mark.parametrize("name", ["hooks.php", "hookbridge.php"])
def test_what_is_called_by_its_address_says_nothing_of_itself(name):
    done = subprocess.run(
        ["php", str(ADDON / name)], capture_output=True, text=True, check=False
    )

    assert done.stdout == "This file cannot be accessed directly"
