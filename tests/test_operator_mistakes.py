"""What an operator types or sets wrongly is a sentence and an exit status."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from bridge.commands.shared import table
from tests.conftest import CONFIG
from tests.shells import failing, of_json

NOWHERE = "https://169.254.169.254"


@pytest.mark.parametrize("words", [("run",), ("doctor",), ("try", "InvoiceCreated")])
def test_an_address_that_nobody_is_asked_at_is_bad_configuration(
    shell, monkeypatch, capsys, words
):
    monkeypatch.setenv("WHMCS_URL", NOWHERE)

    status = failing(*words)

    told = capsys.readouterr()
    assert status == 3
    assert "WHMCS_URL: 169.254.169.254 is an address" in told.out + told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize("words", [("run",), ("events", "list")])
def test_a_store_that_cannot_be_made_is_bad_configuration(
    shell, monkeypatch, capsys, tmp_path, words
):
    (tmp_path / "data").write_text("x", encoding="utf-8")
    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///data/below/bridge.db")
    assert failing(*words) == 3

    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///data/bridge.db")
    assert failing(*words) == 3

    assert "data: a file stands where" in capsys.readouterr().err


def test_a_trigger_without_a_running_bridge_says_where_none_answers(
    shell, monkeypatch, capsys
):
    monkeypatch.setenv("BRIDGE_LISTEN", "127.0.0.1:9")

    status = failing("trigger", "InvoiceCreated")

    assert status == 4
    assert 'is "whmcs-bridge run" up at 127.0.0.1:9 (' in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("init", "file/below"), ("db", "backup", "x/y/z.db")]
)
def test_a_place_that_cannot_be_written_is_named(
    shell, monkeypatch, capsys, tmp_path, words
):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "b.db").write_bytes(b"")
    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///b.db")

    assert failing(*words) == 1

    assert words[-1].partition("/")[0] in capsys.readouterr().err


SETS = [("params=5", "params.x=1"), ("invoiceid.x=1",)]


@pytest.mark.parametrize("pairs", SETS)
def test_a_field_below_a_plain_value_is_a_usage_error(shell, pairs):
    words = [word for pair in pairs for word in ("--set", pair)]

    result = shell("try", "InvoiceCreated", *words, status=2)

    assert "nothing nests in it" in result.output


def test_a_field_of_a_context_that_is_none_is_a_usage_error(shell, tmp_path):
    fixture = '{"data": {"invoiceid": 1}, "context": "x"}'
    (tmp_path / "f.json").write_text(fixture, encoding="utf-8")
    words = ("--fixture", "f.json", "--set", "context.x=1")

    result = shell("try", "InvoiceCreated", *words, status=2)

    assert 'context is "x" already' in result.output


def test_a_field_nested_too_deeply_is_a_usage_error(shell):
    result = shell("try", "InvoiceCreated", "--set", "a." * 2000 + "b=1", status=2)

    assert "nests too deeply" in result.output


def test_a_fixture_nested_too_deeply_is_told(shell, tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")

    result = shell("try", "InvoiceCreated", "--fixture", "deep.json", status=1)

    assert "nested too deeply" in result.output


def test_a_fixture_of_another_hookpoint_is_told(shell, tmp_path):
    fixture = '{"type": "ClientAdd", "data": {"invoiceid": 1}}'
    (tmp_path / "f.json").write_text(fixture, encoding="utf-8")

    result = shell("try", "InvoiceCreated", "--fixture", "f.json", status=1)

    assert 'f.json: holds "ClientAdd", not InvoiceCreated' in result.output


def test_a_fixture_may_begin_with_the_mark_that_editors_put_there(shell, tmp_path):
    (tmp_path / "f.json").write_text('{"invoiceid": 1}', encoding="utf-8-sig")

    shell("try", "InvoiceCreated", "--fixture", "f.json")


def test_an_id_that_no_header_holds_is_a_usage_error(shell):
    result = shell("trigger", "InvoiceCreated", "--id", "ñ", status=2)

    assert "visible ASCII" in result.output


ENDS = ["9999-12-31", "9999-12-31T23:59", "0001-01-01", "0001-01-01T00:00+14:00"]


@pytest.mark.parametrize("moment", ENDS)
def test_the_ends_of_the_calendar_are_dates(shell, kit, moment):
    kit.world.request_cancellation(11)
    kit.work()

    due = of_json(shell("cancellations", "due", "--as-of", moment, "--json"))
    shell("events", "list", "--since", moment)

    assert len(due) == (1 if moment > "9" else 0)


def test_everything_that_stops_a_start_is_one_list(shell, monkeypatch, capsys):
    monkeypatch.setenv("BRIDGE_WORKERS", "-1")
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", "nowhere")
    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///data/bridge.db")
    monkeypatch.setenv("WHATSAPP_PROVIDER", "pigeon")
    monkeypatch.setenv("WHMCS_URL", NOWHERE)
    monkeypatch.setenv("BRIDGE_LISTEN", "203.0.113.9:80")
    monkeypatch.delenv("WHMCS_API_SECRET")

    status = failing("serve")

    told = capsys.readouterr().err
    assert status == 3
    assert "7 problems." in told
    for name in (
        "BRIDGE_WORKERS: ",
        "nowhere: there is no such directory; `whmcs-bridge init` makes one",
        "`serve` needs PostgreSQL",
        "WHATSAPP_PROVIDER: ",
        "WHMCS_URL: ",
        "WHMCS_API_SECRET: ",
        "BRIDGE_LISTEN: cannot listen on 203.0.113.9:80",
    ):
        assert name in told


def test_a_bad_map_stands_in_the_same_list_as_a_bad_environment(
    shell, monkeypatch, capsys, config_with
):
    bad = config_with(("do: send_alert", "do: send_alrt"))
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(bad))
    monkeypatch.setenv("BRIDGE_WORKERS", "-1")

    assert failing("run") == 3

    told = capsys.readouterr().err
    assert "BRIDGE_WORKERS" in told
    assert 'did you mean "send_alert"' in told


def test_doctor_with_missing_settings_ends_as_bad_configuration(shell, monkeypatch):
    monkeypatch.delenv("WHMCS_API_SECRET")

    result = shell("doctor", status=3)

    assert "WHMCS_API_SECRET: is not set" in result.output


def command(*words, **streams):
    env = os.environ | {"PYTHONPATH": str(CONFIG.parent)}
    line = [sys.executable, "-m", "bridge", *words]
    return subprocess.Popen(line, env=env, **streams)


def test_output_that_cannot_be_written_is_a_sentence(shell):
    with open("/dev/full", "wb") as full:
        process = command("hooks", "list", stdout=full, stderr=subprocess.PIPE)
        told = process.communicate()[1].decode()

    assert process.returncode == 1
    assert told == "the output cannot be written: No space left on device\n"


def test_output_that_is_closed_is_no_failure(shell):
    script = '"$0" -m bridge hooks list >&-'
    env = os.environ | {"PYTHONPATH": str(CONFIG.parent)}

    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_ends_with_130(shell, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", SimpleNamespace(readline=interrupted))
        status = failing("upgrade", "order", "1", "--to", "22")

    assert status == 130
    assert capsys.readouterr().err.endswith("Stopped.\n")


@pytest.mark.parametrize("words", [("list",), ("replay", "--since", "2026-01-01")])
def test_a_state_that_does_not_exist_is_a_usage_error(shell, words):
    result = shell("events", *words, "--status", "nonsense", status=2)

    assert "parked" in result.output


def test_an_unknown_event_cannot_be_retried(shell):
    result = shell("events", "retry", "nope", status=1)

    assert result.output == 'There is no event "nope" to retry.\n'


def test_an_unknown_language_of_the_demo_is_bad_configuration(
    shell, monkeypatch, capsys
):
    monkeypatch.setenv("BRIDGE_LANG", "fr")

    assert failing("demo", "--once") == 3

    assert 'BRIDGE_LANG: "fr" is none of es, en, pt_BR' in capsys.readouterr().err


def test_a_newer_store_is_not_told_to_upgrade(shell, kit, database_url):
    engine = sa.create_engine(database_url)
    with engine.begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()

    shown = shell("db", "status", status=1)
    examined = shell("doctor", status=1)

    assert "newer than this program" in shown.stderr
    assert "db upgrade" not in shown.output + examined.output


@pytest.mark.parametrize("words", [("9" * 20, "--to", "1"), ("1", "--to", "9" * 20)])
def test_a_number_that_no_panel_gives_is_a_usage_error(shell, words):
    result = shell("upgrade", "quote", *words, status=2)

    assert "Invalid value" in result.output


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_shows_ids_whole_and_as_they_are(monkeypatch):
    screen = Terminal()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout", screen)
    ids = ["[red]:smile:", "msg_f257fc99196b_0000001-and-more-of-it"]

    table(["id", "hookpoint", "reason"], [[id, "InvoiceCreated", "why"] for id in ids])

    for id in ids:
        assert f"{id} " in screen.getvalue()


READING = [
    ("events", "list"),
    ("events", "show", "x"),
    ("cancellations", "list"),
    ("cancellations", "show", "1"),
    ("cancellations", "due", "--as-of", "2026-11-30"),
    ("db", "status"),
    ("doctor",),
    ("upgrade", "quote", "1", "--to", "22"),
    ("upgrade", "list"),
    ("upgrade", "order", "1", "--to", "22", "--dry-run"),
    ("reconcile", "--dry-run"),
]


@pytest.mark.parametrize("words", READING, ids=lambda words: " ".join(words[:2]))
def test_a_command_that_only_reads_makes_no_store(shell, monkeypatch, tmp_path, words):
    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///data/bridge.db")

    failing(*words)

    assert not (tmp_path / "data").exists()


@pytest.mark.store("sqlite")
def test_what_is_no_sound_copy_is_told_and_does_not_stay(
    shell, kit, monkeypatch, capsys, tmp_path
):
    path = tmp_path / "damaged.db"
    with (
        kit.bridge.store.read() as db,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        db.connection.driver_connection.backup(copy)
    with path.open("r+b") as file:
        file.seek(100)  # where the tables are named
        file.write(b"\xff" * 100)
    monkeypatch.setenv("BRIDGE_DATABASE_URL", f"sqlite:///{path}")

    status = failing("db", "backup", "copy.db")

    assert status == 1
    assert "No copy was made: " in capsys.readouterr().err
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.store("sqlite")
def test_a_damaged_page_is_a_sentence_when_it_is_read(
    shell, kit, monkeypatch, capsys, tmp_path
):
    kit.world.change_password(1)
    kit.work()
    path = tmp_path / "damaged.db"
    with (
        kit.bridge.store.read() as db,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        db.connection.driver_connection.backup(copy)
        (page,) = copy.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'events'"
        ).fetchone()
        (size,) = copy.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    monkeypatch.setenv("BRIDGE_DATABASE_URL", f"sqlite:///{path}")

    status = failing("events", "list")

    told = capsys.readouterr()
    assert status == 3
    assert "malformed" in told.err
    assert "Traceback" not in told.out + told.err
