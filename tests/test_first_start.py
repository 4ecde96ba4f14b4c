"""`./run.sh` makes its environment at the first start, and anew when that is broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: What the script needs of a system; no Python, and no uv.
TOOLS = ("sh", "dirname", "cmp", "rm", "cp", "uname")


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose program says its version, and needs no package."""
    shutil.copy(ROOT / "run.sh", tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "bridge").mkdir()
    (tmp_path / "bridge" / "__main__.py").write_text("print('started')\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name))
    return tmp_path


def start(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./run.sh", "check"],
        cwd=checkout,
        env={"PATH": str(checkout / "tools")} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def recording(path: Path) -> None:
    """Put a Python there that leaves a file named "used"."""
    program(path, f'echo yes >used; exec {sys.executable} "$@"')


def test_the_second_start_installs_nothing(checkout):
    first = start(checkout, PYTHON=sys.executable)
    second = start(checkout, PYTHON=sys.executable)

    assert "Making .venv with Python 3." in first.stderr
    assert (first.stdout, first.returncode) == ("started\n", 0)
    assert (second.stdout, second.stderr) == ("started\n", "")


@pytest.mark.parametrize("named", ["/no/such/python3", "old python/python"])
def test_a_python_that_is_named_and_does_not_fit_is_said(checkout, named):
    program(checkout / "old python" / "python", "exit 1")

    done = start(checkout, PYTHON=named)

    assert done.returncode == 1
    assert done.stderr == (
        f"run.sh: PYTHON={named} is no Python 3.11 or newer "
        "(unset it, and one is looked for).\n"
    )
    assert not (checkout / ".venv").exists()


def test_a_named_python_may_stand_in_a_folder_with_a_blank(checkout):
    recording(checkout / "my own" / "python")

    done = start(checkout, PYTHON="my own/python")

    assert (done.stdout, done.returncode) == ("started\n", 0)
    assert (checkout / "used").exists()


def test_on_macos_the_stub_of_the_system_is_not_touched(checkout):
    (checkout / "tools" / "uname").unlink()
    program(checkout / "tools" / "uname", "echo Darwin")
    recording(checkout / "tools" / "python3.11")

    done = start(checkout)

    assert (done.stdout, done.returncode) == ("started\n", 0)
    assert (checkout / "used").exists()


def test_without_any_python_one_line_says_so(checkout):
    (checkout / "tools" / "uname").unlink()
    program(checkout / "tools" / "uname", "echo Darwin")

    done = start(checkout)

    assert done.returncode == 1
    assert done.stderr.startswith("run.sh: Python 3.11 or newer is needed and was not")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("lacks", "reason"),
    [
        ("ensurepip", "on Debian: apt-get install python3-venv"),
        ("room", "Error: [Errno 28] No space left on device: '.venv'"),
    ],
)
def test_an_environment_that_cannot_be_made_is_said_with_the_reason(
    lacks, reason, checkout
):
    script = f"""
case "$*" in
*ensurepip*) [ {lacks} = room ] || exit 1 ;;
"-m venv"*) echo "Some words first"; echo "{reason}" >&2; exit 1 ;;
esac
exec {sys.executable} "$@"
"""
    program(checkout / "tools" / "python", script)

    done = start(checkout, PYTHON=str(checkout / "tools" / "python"))

    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        f"run.sh: {checkout}/tools/python cannot make virtual environments ({reason})."
    ]


@pytest.mark.parametrize("broken", ["interrupted", "upgraded", "removed"])
def test_an_environment_that_is_broken_is_made_anew(checkout, broken):
    start(checkout, PYTHON=sys.executable)
    home = checkout / ".venv"
    (library,) = home.glob("lib/python*")
    if broken == "interrupted":  # before pip was in it
        (home / ".installed").unlink()
        shutil.rmtree(library / "site-packages" / "pip")
    elif broken == "upgraded":  # the system's python3 is another version now
        library.rename(library.with_name("python3.7"))
    else:
        (home / "bin" / "python").unlink()
        (home / "bin" / "python").symlink_to("/no/such/python3")

    done = start(checkout, PYTHON=sys.executable)

    assert "Making .venv with Python 3." in done.stderr
    assert (done.stdout, done.returncode) == ("started\n", 0)
    assert os.access(home / "bin" / "python", os.X_OK)
