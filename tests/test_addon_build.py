"""`whmcs-bridge addon build`: one zip, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import __version__
from bridge.commands import addon
from bridge.commands.addon import ROOT, addon_command, addons, pack


@pytest.fixture
def folder(tmp_path):
    module = tmp_path / "hookbridge"
    (module / "lib").mkdir(parents=True)
    (module / "hookbridge.php").write_text("<?php\n")
    (module / "lib" / "Signer.php").write_text("<?php // é\n", encoding="utf-8")
    (module / "README.md").write_text("# Hookbridge\n")
    return tmp_path


def read(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_the_zip_is_rooted_where_the_panel_keeps_its_addons(folder):
    names = read(pack(folder)).namelist()

    assert names == [
        "modules/addons/hookbridge/README.md",
        "modules/addons/hookbridge/hookbridge.php",
        "modules/addons/hookbridge/lib/Signer.php",
    ]


def test_the_same_files_give_the_same_bytes_whatever_their_times(folder):
    before = pack(folder)
    for path in folder.rglob("*"):
        os.utime(path, (0, time.time() - 86_400))
        path.chmod(0o700)

    assert pack(folder) == before


def test_what_is_no_part_of_it_stays_out(folder):
    before = pack(folder)
    (folder / "hookbridge" / "error_log").write_text("x")
    (folder / "hookbridge" / ".env").write_text("x")
    (folder / "hookbridge" / "hookbridge.php~").write_text("x")
    (folder / "hookbridge" / ".hidden.php").write_text("x")
    (folder / "hookbridge" / ".git").mkdir()
    (folder / "hookbridge" / ".git" / "a.php").write_text("x")
    (folder / "hookbridge" / "link.php").symlink_to("/etc/hostname")

    assert pack(folder) == before


def test_every_file_can_be_read_by_everybody_and_has_one_time(folder):
    entries = read(pack(folder)).infolist()

    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_the_command_writes_it_twice_alike(tmp_path):
    paths = [tmp_path / "one.zip", tmp_path / "two.zip"]

    for path in paths:
        result = CliRunner().invoke(addon_command, ["build", "-o", str(path)])
        assert result.exit_code == 0, result.output

    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert result.stdout == f"{paths[1]}\n"
    assert hashlib.sha256(paths[1].read_bytes()).hexdigest() in result.stderr


def test_the_zip_on_stdout_holds_the_whole_addon():
    code = "from bridge.commands.addon import build; build(['-o', '-'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    names = set(read(done.stdout).namelist())
    source = addons() / "hookbridge"
    kept = {ROOT + p.relative_to(addons()).as_posix() for p in source.rglob("*.php")}
    wanted = {"hookbridge.php", "hooks.php", "transfer.php", "README.md"}
    assert names >= kept
    assert {f"{ROOT}hookbridge/{name}" for name in wanted} <= names
    assert all(name.startswith(f"{ROOT}hookbridge/") for name in names)


def test_without_a_name_it_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(addon_command, ["build"])

    assert result.exit_code == 0
    assert (tmp_path / f"hookbridge-{__version__}.zip").is_file()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    target = tmp_path / "missing" / "one.zip"

    result = CliRunner().invoke(addon_command, ["build", "-o", str(target)])

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_an_installation_without_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(addon.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(addon.site, "getuserbase", lambda: str(tmp_path))
    monkeypatch.setattr(addon, "__file__", str(tmp_path / "a" / "b" / "c.py"))

    result = CliRunner().invoke(addon_command, ["build"])

    assert result.exit_code == 1
    assert "install it again" in result.stderr


def test_it_is_found_where_an_installation_puts_it(tmp_path, monkeypatch):
    below = Path("share/whmcs-bridge/addons/whmcs/modules/addons/hookbridge")
    (tmp_path / below).mkdir(parents=True)
    (tmp_path / below / "hookbridge.php").write_text("<?php\n")
    monkeypatch.setattr(addon.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(addon, "__file__", str(tmp_path / "a" / "b" / "c.py"))

    assert addons() == tmp_path / below.parent
