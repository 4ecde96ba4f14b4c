"""The add-on's README says what is true of the add-on and of the bridge."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import bridge
from bridge.whmcs_client import WhmcsClient

from .stage import ADDON

README = (ADDON / "README.md").read_text(encoding="utf-8")
BRIDGE = Path(bridge.__file__).parent
#: Of actions that the map may name, though no file of bridge/hooks/ calls it yet.
PROMISED = {"UpdateClientDomain"}
CLIENT = [BRIDGE / "whmcs_client.py", BRIDGE / "whmcs_reads.py"]


def part(title):
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def methods():
    """Return the actions behind each method of the client, through its helpers."""
    own, calls = {}, {}
    for path in CLIENT:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                inner = list(ast.walk(node))
                words = {n.value for n in inner if isinstance(n, ast.Constant)}
                own[node.name] = words & set(WhmcsClient.actions)
                calls[node.name] = {
                    n.attr for n in inner if isinstance(n, ast.Attribute)
                }
    for _ in range(3):
        for name, others in calls.items():
            own[name] = own[name].union(*(own[o] for o in others & own.keys()))
    return own


def called():
    """Return the names that the bridge calls on its panel."""
    found = set()
    for path in BRIDGE.rglob("*.py"):
        own = path.name.startswith("whmcs_") or path.name == "panel.py"
        if own or "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                holder = ast.unparse(node.value).rpartition(".")[2]
                if re.fullmatch(r"_?panel|client", holder):
                    found.add(node.attr)
    return found


def test_the_permissions_are_what_the_bridge_calls_by_itself():
    table = part("Permissions of the API credential")
    listed = re.findall(r"^\| (\w+) \|", table, re.M)
    used, names = methods(), called()
    wanted = {action for name in names & used.keys() for action in used[name]}

    assert len(wanted) > 15
    assert sorted(listed[1:]) == sorted(wanted | PROMISED)
    assert wanted <= set(WhmcsClient.actions)


def test_every_table_of_the_addon_is_named():
    source = "".join(path.read_text() for path in (ADDON / "lib").glob("*.php"))
    tables = set(re.findall(r"'(mod_hookbridge_\w+)'", source))

    assert len(tables) == 3
    for table in tables:
        assert f"`{table}`" in part("What is stored where")


def test_every_answer_of_the_transfer_is_named():
    source = (ADDON / "lib" / "Endpoint.php").read_text()
    source += (ADDON / "lib" / "Transfer.php").read_text()
    statuses = set(re.findall(r"(?:say\(|return \[|send\()(\d{3})\b", source))

    assert {"200", "400", "401", "405", "409", "413", "415", "503"} <= statuses
    for status in statuses:
        assert status in part("Moving a service to another client")


@pytest.mark.parametrize("name", ["Test", "Ask now"])
def test_buttons_are_called_as_on_the_page(name):
    english = (ADDON / "lang" / "english.php").read_text()

    assert f"= '{name}';" in english
    assert f"**{name}**" in README


def test_settings_are_called_as_on_the_configuration_page():
    source = (ADDON / "hookbridge.php").read_text()

    assert "'FriendlyName' => 'On removal'" in source
    assert "*On removal*" in README
