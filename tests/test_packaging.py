"""What `pip install .` brings: the program with its default map and texts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bridge.commands.addon import pack

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """An empty environment with the built package; it borrows our dependencies."""
    work = tmp_path_factory.mktemp("package")
    copy = work / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *build, "-w", work, copy], check=True, capture_output=True)
    home = work / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    (wheel,) = work.glob("*.whl")
    put = ["--python", home / "bin" / "python", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *put, wheel], check=True, capture_output=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def run(home: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [home / "bin" / "whmcs-bridge", *words],
        cwd=where,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(where), "LANG": "C.UTF-8"},
        check=False,
    )


def test_an_installed_package_has_everything_it_needs(installed, tmp_path):
    made = run(installed, tmp_path, "init")
    checked = run(installed, tmp_path, "check")
    tried = run(installed, tmp_path, "try", "InvoiceCreated", "--sample")

    assert made.returncode == 0, made.stderr
    assert (tmp_path / "config" / "hooks.schema.json").is_file()
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "generamos la factura" in tried.stdout


def test_an_installed_package_has_the_pages_of_the_console(installed):
    (there,) = installed.glob("lib/python*/site-packages/bridge/console")
    ours = ROOT / "bridge" / "console"
    wanted = {
        path.relative_to(ours)
        for path in (*ours.glob("templates/**/*.html"), *ours.glob("static/*"))
    }

    assert len(wanted) > 10
    assert {path for path in wanted if not (there / path).is_file()} == set()


def test_an_installed_package_can_bring_a_store_up(installed, tmp_path):
    done = run(installed, tmp_path, "db", "upgrade")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data" / "bridge.db").stat().st_mode & 0o777 == 0o600


def test_an_installed_package_builds_the_addon_as_the_checkout_does(
    installed, tmp_path
):
    built = [
        run(installed, tmp_path, "addon", "build", "-o", name)
        for name in ("one.zip", "two.zip")
    ]

    assert [done.returncode for done in built] == [0, 0], built[0].stderr
    content = (tmp_path / "one.zip").read_bytes()
    assert (tmp_path / "two.zip").read_bytes() == content
    assert content == pack(ROOT / "addons" / "whmcs" / "modules" / "addons")
    assert hashlib.sha256(content).hexdigest() in built[0].stderr
    names = zipfile.ZipFile(tmp_path / "one.zip").namelist()
    assert "modules/addons/hookbridge/lib/Conditions.php" in names
    assert all(name.startswith("modules/addons/hookbridge/") for name in names)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_what_is_asked_for_with_an_extra_is_locked_with_it(lock):
    # pip before 24 with --require-hashes takes the newest `coverage[toml]`, and
    # refuses it, when the lock file says `coverage` alone and a newer one is out.
    locked = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and not line.startswith(" "):
            pin = Requirement(line.rstrip("\\ "))
            locked[canonicalize_name(pin.name)] = pin
    missing = []
    for name in locked:
        try:
            asked = requires(name) or []
        except PackageNotFoundError:  # for another platform or an older Python
            continue
        for text in asked:
            want = Requirement(text)
            mine = locked.get(canonicalize_name(want.name))
            wanted = want.marker is None or any(
                want.marker.evaluate({"extra": extra})
                for extra in ("", *locked[name].extras)
            )
            if wanted and mine is not None and want.extras - mine.extras:
                missing.append(f"{name} wants {text}; {lock} has {mine}")
    assert not missing
