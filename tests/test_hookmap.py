"""The hook map: every mistake in words, and the last good one stays."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import tracemalloc
from datetime import time
from pathlib import Path

import jsonschema
import pytest
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from bridge.errors import ConfigError
from bridge.hookmap import LiveMap, check_map, json_schema, load_map
from bridge.mapscope import reachable

ROOT = Path(__file__).parent.parent
MAPS = Path("tests/fixtures/maps")
BAD = sorted(path.stem for path in (ROOT / MAPS / "bad").glob("*.yaml"))
GOOD = sorted(path.stem for path in (ROOT / MAPS / "good").glob("*.yaml"))
TEXTS = sorted(path.name for path in (ROOT / MAPS / "bad-texts").iterdir())


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def config(tmp_path, monkeypatch, copy_config):
    """A directory of our own with the default map and texts."""
    monkeypatch.chdir(tmp_path)
    copy_config(tmp_path / "config", "several", "welcome")
    return Path("config")


def instead(file, place):
    """Put a file in the place of another one."""
    Path(place).unlink(missing_ok=True)
    shutil.copyfile(file, place)


def told(problems):
    return "".join(f"{problem}\n" for problem in problems)


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_in_the_map_is_told_with_file_line_and_word(case):
    problems = check_map(Path("config"), MAPS / "bad" / f"{case}.yaml")

    expected = (MAPS / "bad" / f"{case}.txt").read_text(encoding="utf-8")
    assert told(problems) == expected


@pytest.mark.parametrize("case", TEXTS)
def test_a_mistake_in_a_text_is_told_with_file_line_and_word(case, config):
    folder = ROOT / MAPS / "bad-texts" / case
    texts = config / "messages"
    shutil.copytree(folder, texts, copy_function=instead, dirs_exist_ok=True)

    problems = check_map(config)

    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert told(problems) == expected


@pytest.mark.parametrize("case", GOOD)
def test_a_good_map_has_no_problems(case):
    assert told(check_map(Path("config"), MAPS / "good" / f"{case}.yaml")) == ""


@pytest.mark.parametrize("case", BAD)
def test_a_bad_map_is_not_loaded(case, config):
    shutil.copy(ROOT / MAPS / "bad" / f"{case}.yaml", config / "hooks.yaml")
    expected = (ROOT / MAPS / "bad" / f"{case}.txt").read_text(encoding="utf-8")

    loaded = None
    with contextlib.suppress(ConfigError):
        loaded = load_map(config)

    only_warnings = all(": warning: " in line for line in expected.splitlines())
    assert (loaded is not None) is only_warnings


def test_problems_come_in_the_order_of_the_file():
    problems = check_map(Path("config"), MAPS / "bad" / "everything-at-once.yaml")

    assert [p.line for p in problems] == sorted(p.line for p in problems)
    assert len(problems) == 5


def test_a_missing_map_is_told_with_the_texts_checked_all_the_same(config):
    (config / "hooks.yaml").unlink()
    (config / "messages" / "es" / "several.txt").write_text("{{ nada }}")

    assert [problem.file for problem in check_map(config)] == [
        "config/hooks.yaml",
        "config/messages/es/several.txt",
    ]


def test_no_texts_at_all_is_one_problem_and_not_forty(config):
    shutil.rmtree(config / "messages")
    (config / "hooks.yaml").write_text("version: 1\n")

    assert [str(problem) for problem in check_map(config)] == [
        "config/messages: no texts here: there must be <language>/<name>.txt"
    ]


def test_a_text_that_the_bridge_sends_itself_must_be_there(config):
    for language in ("es", "en", "pt_BR"):
        (config / "messages" / language / "refusal_one_time.txt").unlink()

    assert [str(problem) for problem in check_map(config)] == [
        'config/messages: no text "refusal_one_time": the bridge sends it by itself'
    ]


def test_rules_keep_order_names_conditions_and_steps(config):
    (config / "hooks.yaml").write_text(
        "hooks:\n"
        "  CancellationRequest:\n"
        "    - do: log_activity\n"
        "      text: Se pidió una baja.\n"
        "    - name: plan\n"
        "      when: event.type == 'Immediate'\n"
        "      do: schedule_cancellation\n"
        "      then:\n"
        "        - {do: send_alert, message: cancellation_scheduled, urgent: true}\n"
        "        - {do: log_activity, text: 'Termina {{ result.ends }} de noche'}\n"
    )

    first, second = load_map(config).rules["CancellationRequest"]

    assert (first.name, first.do, first.line) == (
        "CancellationRequest-1",
        "log_activity",
        3,
    )
    assert first.when is None
    assert (second.name, second.line) == ("plan", 5)
    assert second.when is not None
    assert second.when.names == {("event", "type")}
    assert [step.name for step in second.then] == ["plan.1", "plan.2"]
    assert second.then[0].parameters == {
        "message": "cancellation_scheduled",
        "urgent": True,
        "to": "client",
        "fallback": "",
    }


def test_policies_are_what_the_map_says_and_else_the_defaults(config):
    shutil.copy(ROOT / MAPS / "good" / "every-policy.yaml", config / "hooks.yaml")

    policies = load_map(config).policies

    assert policies.alerts.quiet_from == time(23, 30)
    assert policies.alerts.quiet_to == time(7, 15)
    assert policies.upgrades.paths == {21: (22, 25)}
    assert policies.upgrades.ladders == ((21, 22, 25), (3, 4))
    assert policies.cancellations.remind_days == (7, 3, 1)
    assert policies.transfers.verified_field == 12
    assert policies.cancellations.caps == (5, 50, 60)
    assert policies.transfers.caps == (4, 6, 8)
    assert policies.upgrades.caps == (3, 5, 7)
    assert policies.staff.ticket_department == 2


def test_quiet_hours_can_be_switched_off(config):
    shutil.copy(ROOT / MAPS / "good" / "no-quiet-hours.yaml", config / "hooks.yaml")

    alerts = load_map(config).policies.alerts

    assert (alerts.quiet_from, alerts.quiet_to, alerts.group_after) == (None, None, 3)


def test_a_map_without_policies_has_the_rules_own_defaults(config):
    (config / "hooks.yaml").write_text("version: 1\n")

    cancellations = load_map(config).policies.cancellations

    assert cancellations.immediate_at == time(20)
    assert cancellations.max_terminations_per_hour == 20
    assert cancellations.max_terminations_per_day == 100


def test_warnings_do_not_keep_a_map_from_being_used(config):
    shutil.copy(ROOT / MAPS / "bad" / "unknown-hookpoint.yaml", config / "hooks.yaml")

    loaded = load_map(config)

    assert list(loaded.rules) == ["InvoicePayed"]
    assert [problem.level for problem in loaded.warnings] == ["warning"]


def test_the_version_changes_with_the_map_and_with_a_text(config):
    versions = {load_map(config).version}
    with (config / "hooks.yaml").open("a") as file:
        file.write("# una nota\n")
    versions.add(load_map(config).version)
    with (config / "messages" / "en" / "several.txt").open("a") as file:
        file.write("Thank you, as always, for being with us.\n")
    versions.add(load_map(config).version)

    assert len(versions) == 3
    assert {len(version) for version in versions} == {12}


def test_a_hookpoint_reaches_what_its_ids_lead_to():
    assert reachable("InvoicePaid") == {
        "event",
        "company",
        "result",
        "invoice",
        "client",
    }
    assert "service" in (reachable("AfterModuleSuspend") or ())
    assert "upgrade" in (reachable("AfterProductUpgrade") or ())
    assert "client" not in (reachable("DailyCronJob") or ())
    assert reachable("NoSuchHookpoint") is None


# The file can be saved in many ways; the map in use is always a good one.

GOOD_MAP = (
    "version: 1\nhooks:\n  InvoicePaid:\n    - {name: a, do: send_alert, message: %s}\n"
)
#: They are of one length: nothing but what stands in them tells one from the other.
ONE, TWO = GOOD_MAP % "payment_received", GOOD_MAP % "invoice_created" + "\n"
WORSE = GOOD_MAP % "payment_recieved"


class Calls(list):
    def __call__(self, live):
        self.append((live.current.version, len(live.problems)))


@pytest.fixture
def calls():
    return Calls()


@pytest.fixture
def live(config, calls):
    (config / "hooks.yaml").write_text(ONE)
    return LiveMap(config, on_change=calls, settle=lambda: None)


def message(live):
    return live.current.rules["InvoicePaid"][0].parameters["message"]


def in_place(path, text):
    path.write_text(text)


def by_rename(path, text):
    other = path.with_suffix(".new")
    other.write_text(text)
    os.replace(other, path)


def by_symlink(path, text):
    target = path.with_name(f"hooks-{len(text)}-{hash(text) % 9999}.yaml")
    target.write_text(text)
    link = path.with_suffix(".link")
    link.symlink_to(target.name)
    os.replace(link, path)


def same_time(path, text):
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


SAVES = [in_place, by_rename, by_symlink, same_time]


@pytest.mark.parametrize("save", SAVES)
def test_a_saved_map_is_read_however_it_was_saved(save, live, config, calls):
    save(config / "hooks.yaml", TWO)

    assert live.refresh() is True
    assert message(live) == "invoice_created"
    assert calls == [(live.current.version, 0)]


@pytest.mark.parametrize("save", SAVES)
def test_a_bad_map_leaves_the_last_good_one(save, live, config, calls):
    version = live.current.version

    save(config / "hooks.yaml", WORSE)

    assert live.refresh() is False
    assert live.current.version == version
    assert [problem.line for problem in live.problems] == [4]
    assert calls == [(version, 1)]


def test_a_directory_swapped_by_symlink_is_read(tmp_path, monkeypatch, copy_config):
    monkeypatch.chdir(tmp_path)
    for name, text in (("one", ONE), ("two", TWO)):
        copy_config(tmp_path / name)
        (tmp_path / name / "hooks.yaml").write_text(text)
    Path("config").symlink_to("one")
    live = LiveMap(Path("config"), settle=lambda: None)

    Path("next").symlink_to("two")
    os.replace("next", "config")

    assert live.refresh() is True
    assert message(live) == "invoice_created"


def test_a_vanished_map_leaves_the_last_good_one_until_it_is_back(live, config):
    (config / "hooks.yaml").unlink()

    assert live.refresh() is False
    assert "cannot be read" in str(live.problems[0])
    assert message(live) == "payment_received"

    (config / "hooks.yaml").write_text(ONE)

    assert live.refresh() is False
    assert live.problems == ()


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/null")


def huge(path):
    path.touch()
    os.truncate(path, 4 << 30)


SPOILT = {
    "pipe": (pipe, "cannot be read: not a regular file"),
    "device": (device, "cannot be read: not a regular file"),
    "huge": (huge, "larger than 256 KiB"),
    "directory": (Path.mkdir, "cannot be read: Is a directory"),
}


def in_time(call):
    """Run something that may never end, and fail if it does not."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    thread.join(20)
    assert found, "it did not end"
    return found[0]


@pytest.mark.parametrize("name", ["hooks.yaml", "messages/es/zz.txt"])
@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_what_is_no_plain_file_neither_blocks_nor_fills_the_memory(
    live, config, calls, name, spoil, said
):
    path = config / name
    path.unlink(missing_ok=True)
    spoil(path)

    tracemalloc.start()
    in_time(live.refresh)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert any(said in str(problem) for problem in live.problems)
    assert message(live) == "payment_received"
    assert most < 50 << 20
    assert any(said in str(problem) for problem in in_time(lambda: check_map(config)))


def test_after_a_pipe_a_good_map_is_read_again(live, config):
    (config / "hooks.yaml").unlink()
    os.mkfifo(config / "hooks.yaml")
    in_time(live.refresh)

    (config / "hooks.yaml").unlink()
    (config / "hooks.yaml").write_text(ONE.replace("payment_received", "welcome"))

    assert live.refresh() is True
    assert live.problems == ()


def test_vanished_texts_leave_the_last_good_ones(live, config):
    shutil.rmtree(config / "messages")

    assert live.refresh() is False
    assert live.problems
    assert "several" in live.current.texts.names()


def test_a_changed_text_is_another_version(live, config):
    version = live.current.version
    with (config / "messages" / "es" / "welcome.txt").open("a") as file:
        file.write("Hasta pronto.\n")

    assert live.refresh() is True
    assert live.current.version != version


def test_a_map_that_did_not_change_is_not_read_again(live, calls):
    assert live.refresh() is False
    assert calls == []


def test_a_map_of_which_only_half_is_written_is_not_believed(config):
    """A file cut between two rules is good YAML; it is still being written."""
    path = config / "hooks.yaml"
    path.write_text(ONE)
    rest = "    - {name: b, do: send_alert, message: invoice_created}\n"
    live = LiveMap(config, settle=lambda: path.write_text(ONE + "#\n" + rest))

    path.write_text(ONE + "#\n")

    assert live.refresh() is False
    assert len(live.current.rules["InvoicePaid"]) == 1
    assert live.refresh() is True
    assert len(live.current.rules["InvoicePaid"]) == 2


def test_a_map_cut_anywhere_never_replaces_the_good_one_with_nothing(live, config):
    whole = (ROOT / "config" / "hooks.yaml").read_bytes()
    for size in range(0, len(whole), 97):
        (config / "hooks.yaml").write_bytes(whole[:size])
        live.refresh()

        assert live.current.rules


def test_the_first_map_must_be_good(config):
    (config / "hooks.yaml").write_text(WORSE)

    with pytest.raises(ConfigError, match="payment_recieved"):
        LiveMap(config)


def test_readers_always_see_a_whole_map_while_it_is_refreshed(live, config):
    stop, seen = threading.Event(), set()

    def read():
        while not stop.wait(0.001):
            now = live.current
            seen.add((now.version, now.rules["InvoicePaid"][0].parameters["message"]))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        (config / "hooks.yaml").write_text((ONE, TWO, WORSE)[number % 3])
        live.refresh()
    stop.set()
    reader.join(10)

    assert {message for _, message in seen} <= {"payment_received", "invoice_created"}
    assert len(seen) <= 2


def test_the_checked_in_schema_is_the_one_of_the_code():
    """Made anew by: whmcs-bridge schema > config/hooks.schema.json"""
    kept = json.loads(Path("config/hooks.schema.json").read_text(encoding="utf-8"))

    assert kept == json_schema()


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft7Validator.check_schema(json_schema())
    return jsonschema.Draft7Validator(json_schema())


def plain(path):
    """Read YAML as an editor does: with numbers where there are digits."""
    return json.loads(json.dumps(YAML(typ="safe").load(path.read_text("utf-8"))))


def keys_without_a_word(schema, path):
    for part in (schema, *schema.get("anyOf", [])):
        for name, below in part.get("properties", {}).items():
            if "description" not in below:
                yield f"{path}.{name}"
            yield from keys_without_a_word(below, f"{path}.{name}")


@pytest.mark.parametrize("section", ["policies", "inbound", "company"])
def test_editors_show_a_word_on_each_key(section):
    schema = json_schema()["properties"][section]

    assert list(keys_without_a_word(schema, section)) == []


def test_editors_find_nothing_wrong_in_the_default_map(validator):
    assert list(validator.iter_errors(plain(Path("config/hooks.yaml")))) == []


@pytest.mark.parametrize("case", ["every-policy", "no-quiet-hours"])
def test_editors_find_nothing_wrong_in_a_good_map(case, validator):
    document = plain(MAPS / "good" / f"{case}.yaml")

    assert list(validator.iter_errors(document)) == []


SEEN = [
    "unknown-top-key",
    "unknown-rule-key",
    "unknown-policy",
    "unknown-action",
    "internal-action",
    "no-action",
    "missing-message",
    "unknown-decision",
    "wrong-kind-of-parameter",
    "wrong-recipient",
    "rules-not-a-list",
    "other-version",
    "limit-too-high",
    "limit-zero",
    "limit-null",
    "limit-per-client",
    "limit-in-words",
    "hour-that-is-none",
    "hour-without-quotes",
    "unknown-choice",
]


@pytest.mark.parametrize("case", SEEN)
def test_editors_mark_what_the_check_would_tell(case, validator):
    assert list(validator.iter_errors(plain(MAPS / "bad" / f"{case}.yaml")))


def test_the_default_map_tells_editors_where_its_schema_is():
    first = Path("config/hooks.yaml").read_text(encoding="utf-8").splitlines()[0]

    assert first == "# yaml-language-server: $schema=hooks.schema.json"


def test_a_text_under_a_name_that_is_no_utf8_is_a_problem_like_another(config):
    name = os.fsdecode(b"ma\xf1ana.txt")
    (config / "messages" / "es" / name).write_text("Hola.")

    assert any("the file's name may hold" in p.what for p in check_map(config))
    assert all(str(p).encode() for p in check_map(config))


HEAVY = ["flask", "sqlalchemy", "requests", "babel", "apispec", "apscheduler"]


def test_reading_the_map_imports_nothing_heavy():
    script = (
        "import sys, pathlib, bridge.hookmap as h; h.load_map(pathlib.Path('config'));"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


KEYS = st.sampled_from(
    (
        *("hooks", "InvoicePaid", "name", "when", "do", "then", "message", "text"),
        *("decisions", "policies", "alerts", "quiet_hours", "company", "version"),
    )
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from(["send_alert", "welcome", "invoice.total > 0", "log_activity"]),
    st.text(alphabet="ab {}.|\n'", max_size=12),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(hooks=TREES, policies=TREES, decisions=TREES, company=TREES)
def test_no_map_whatever_is_in_it_raises_while_it_is_checked(
    tmp_path, hooks, policies, decisions, company
):
    path = tmp_path / "map.yaml"
    sections = {"policies": policies, "decisions": decisions, "company": company}
    path.write_text(json.dumps({"hooks": {"InvoicePaid": hooks}, **sections}))

    for problem in check_map(Path("config"), path):
        assert str(problem)
