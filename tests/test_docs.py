"""The documents say what is true: commands, settings, actions and the hook file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import COMMANDS, cli
from bridge.commands.documenting import actions_page
from bridge.provideroptions import OPTIONS
from bridge.settings import Settings, load
from bridge.whmcs_client import WhmcsClient

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
LINES = [line.strip() for block in SHELL for line in block.splitlines() if line.strip()]
#: How each command of the README is run here: some need another test's stage.
ELSEWHERE = {
    "./run.sh demo": "tests/test_demo_command.py plays it with --once",
    "./run.sh test": "this is it",
    "pip install .": "test_an_installed_package_has_everything_it_needs",
    "whmcs-bridge run": "tests/test_server.py and tests/test_run.py",
    "whmcs-bridge doctor": "test_commands.py asks a simulated panel",
    "whmcs-bridge trigger InvoiceCreated --set invoiceid=42": "tests/test_run.py",
    "whmcs-bridge reconcile --dry-run": "test_commands.py asks a simulated panel",
}
INDENTED = [
    line.strip() for line in re.findall(r"^   (whmcs-bridge .*)$", README, re.M)
]
SETTING = r'"((?:BRIDGE|WHMCS|WHATSAPP)_[A-Z_]*[A-Z]|LOG_LEVEL|SENTRY_DSN)"'
COMMANDS_HERE = [c for c in dict.fromkeys(LINES + INDENTED) if c not in ELSEWHERE]


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith(("BRIDGE_", "WHMCS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, ["init"])
    _readme_alert(tmp_path)
    return tmp_path


def _readme_alert(directory: Path) -> None:
    """Add the alert of the README's own example, as it stands there."""
    rule = re.search(r"```yaml\nhooks:\n(.*?)```", README, re.DOTALL).group(1)
    text = re.search(r"```\n(---\ncategory.*?)```", README, re.DOTALL).group(1)
    hooks = directory / "config" / "hooks.yaml"
    hooks.write_text(
        hooks.read_text(encoding="utf-8").replace("hooks:\n", "hooks:\n" + rule, 1),
        encoding="utf-8",
    )
    for language in ("es", "en", "pt_BR"):
        path = directory / "config" / "messages" / language / "ticket_opened.txt"
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS_HERE)
def test_a_command_of_the_readme_works(command, here):
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(words, capture_output=True, env=env, check=False)
        assert done.returncode == 0, done.stderr
        return
    assert words[0] == "whmcs-bridge"

    result = CliRunner().invoke(cli, words[1:])

    assert result.exit_code == 0, result.output


def test_every_readme_command_is_run_by_some_test():
    assert len(COMMANDS_HERE) + len(ELSEWHERE) == len(
        set(COMMANDS_HERE) | set(ELSEWHERE) | set(LINES)
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_operators_guide(name):
    assert re.search(rf"^\| .*`{name}\b|`{name}[ `]", OPERATIONS, re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = CliRunner().invoke(cli, [name, "--help"])

    assert result.exit_code == 0
    assert "Usage" in result.output


def test_every_setting_is_in_the_operators_guide_and_the_example():
    source = (ROOT / "bridge" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(SETTING, source))
    assert len(names) > 20
    example = (ROOT / "config" / "env.example").read_text(encoding="utf-8")

    assert {name for name in names if f"`{name}`" not in OPERATIONS} == set()
    assert {name for name in names if f"{name}=" not in example} == set()


@pytest.mark.parametrize("provider", [name for name in OPTIONS if OPTIONS[name]])
def test_every_setting_of_a_provider_is_in_its_section_and_the_example(provider):
    page = (ROOT / "docs" / "whatsapp.md").read_text(encoding="utf-8")
    section = page.split(f"(`{provider}`)")[1].split("\n## ")[0]
    example = (ROOT / "config" / "env.example").read_text(encoding="utf-8")

    for option in OPTIONS[provider]:
        assert f"`{option.name}`" in section
        assert f"#{option.name}={option.default}\n" in example
        assert not option.default or f"`{option.default}`" in section
    assert f"<BRIDGE_PUBLIC_URL>/whatsapp/{provider}" in section


def test_the_permissions_page_names_the_clients_actions():
    page = OPERATIONS.split("## Permissions")[1].split("\n## ")[0]

    assert set(re.findall(r"\b[A-Z][a-z]+[A-Z]\w+\b", page)) >= set(WhmcsClient.actions)


def test_the_page_of_actions_is_what_the_registry_prints():
    page = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")

    assert page == actions_page()


def test_the_example_environment_is_the_defaults():
    lines = (ROOT / "config" / "env.example").read_text(encoding="utf-8").splitlines()
    pairs = [
        line.lstrip("#").partition("=")
        for line in lines
        if re.match(r"#?[A-Z_]+=", line)
    ]
    environ = {name: value for name, _, value in pairs if value}
    environ = {n: v for n, v in environ.items() if "example" not in v}
    environ.pop("WHATSAPP_CONSOLE_FILE")
    for option in (one for options in OPTIONS.values() for one in options):
        assert environ.pop(option.name, "") == option.default

    plain = {"WHATSAPP_PROVIDER": environ["WHATSAPP_PROVIDER"]}
    assert load(environ, need=False) == load(plain, need=False)
    assert Settings().dry_run is True


PHP = shutil.which("php")


@pytest.mark.skipif(PHP is None, reason="needs php-cli and php-curl (CI installs them)")
def test_the_hook_file_of_the_guide_sends_what_the_door_takes(tmp_path, kit):
    """Real PHP runs the guide's hook file against a real server."""
    from bridge.server import Server

    guide = (ROOT / "docs" / "wire-a-panel.md").read_text(encoding="utf-8")
    php = re.search(r"```php\n(.*?)```", guide, re.DOTALL).group(1)
    server = Server(kit.bridge.app(), "127.0.0.1", 0)
    thread = server.start()
    php = php.replace("https://bridge.example.com", f"http://127.0.0.1:{server.port}")
    php = php.replace("whsec_...", kit.secret)
    (tmp_path / "whmcs_bridge.php").write_text(php, encoding="utf-8")
    fire = """<?php
error_reporting(E_ALL); ini_set('display_errors', '1');
$hooks = []; function add_hook($n, $p, $f) { global $hooks; $hooks[$n] = $f; }
function_exists('curl_init') or exit('no curl');
// The simulated clock: deliveries are signed with the panel's time.
require __DIR__ . '/whmcs_bridge.php';
$hooks['InvoiceCreated'](
    ['invoiceid' => 1, 'source' => 'autogen', 'status' => 'Unpaid', 'user' => 'system']
);
$hooks['ClientEdit']([
    'userid' => 1, 'city' => 'A', 'password' => 'MARKED',
    'olddata' => ['city' => 'B', 'password' => 'MARKED'],
]);
"""
    (tmp_path / "fire.php").write_text(fire, encoding="utf-8")
    kit.clock.set(datetime.now(UTC))  # PHP signs with the real time
    try:
        done = subprocess.run(
            [PHP, str(tmp_path / "fire.php")],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        stopper.join(10)
        thread.join(10)

    assert (done.stdout, done.stderr) == ("", "")
    with kit.bridge.store.read() as db:
        from bridge.store import reports

        rows = {row.hookpoint: row for row in reports.list_events(db)}
    assert rows["InvoiceCreated"].data == {
        "invoiceid": 1,
        "source": "autogen",
        "status": "Unpaid",
    }
    assert rows["ClientEdit"].context == {"changed": ["city"]}
