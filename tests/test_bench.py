"""The bench runs and prints ratios; how large they are is for a quiet machine."""

import json

import pytest
from effort import in_ci

from bench.__main__ import main
from bench.load import quantile
from bench.table import Note, Row, at_least, at_most, show, told


def test_a_case_prints_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    main(["schedule", "--seconds", "0.3", "--runs", "1", "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert printed["case"] == "schedule"
    assert {row["beside"] for row in printed["rows"]} == {"(flask)"}
    assert all(row["ratio"] > 0 for row in printed["rows"])
    assert "this machine's speed: " in printed["notes"][-1]


def test_without_php_the_addon_is_a_note(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    main(["addon", "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert printed["notes"] == ["not measured: php is not installed"]


def test_a_table_says_what_was_met_and_why_a_row_is_missing() -> None:
    rows = [
        at_least("intake", 2000.0, 2400.0, "(flask)", 0.8),
        at_most("p99", 12.5, "ms", 10),
        Row("alerts", 30.0, "/s", 10.0, "(huey)"),
        Note("webhook: not measured: no `webhook` here, and this is no Debian"),
    ]

    assert show("title", rows) == (
        "title\n"
        "  what    ours      other             ratio  target\n"
        "  intake  2,000 /s  2,400 /s (flask)  0.83   ratio >= 0.8  met\n"
        "  p99     12.5 ms                            <= 10 ms      NOT MET\n"
        "  alerts  30.0 /s   10.0 /s (huey)    3.00\n"
        "  webhook: not measured: no `webhook` here, and this is no Debian\n"
    )
    assert json.loads(told("intake", rows))["rows"][0]["met"] is True


def test_a_quantile_is_a_value_that_was_measured() -> None:
    assert quantile(range(100), 0.99) == 99
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.99) == 0.0


@in_ci
def test_messages_go_out_through_tls_and_their_states_are_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["whatsapp", "--seconds", "0.3", "--runs", "1", "--workers", "8", "--json"])

    printed = json.loads(capsys.readouterr().out)
    rows = {row["what"]: row for row in printed["rows"]}
    assert [note for note in printed["notes"] if "no PostgreSQL here" not in note] == []
    assert rows["messages/s through TLS, 8 threads"]["ours"] > 0
    kept = [row for what, row in rows.items() if what.endswith("kept")]
    assert [(row["ours"], row["other"]) for row in kept] == [(900, 900)] * 2
