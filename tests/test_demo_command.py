"""`demo --once`: the whole story on the real bridge, and a bridge that is broken."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from itertools import takewhile
from pathlib import Path

import pytest
from effort import in_ci

ROOT = Path(__file__).parents[1]
#: Settings of whoever runs the tests say nothing here.
OTHERS = ("BRIDGE_", "WHMCS_", "WHATSAPP_", "LOG_LEVEL", "SENTRY_")


COMMAND = [sys.executable, "-m", "bridge", "demo"]


def surroundings(**settings):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
    return kept | {"PYTHONIOENCODING": "utf-8"} | settings


def until_it_stays(lines):
    """Return what was said up to the last line, or to its end if it broke off."""
    return list(takewhile(lambda line: not line.startswith("Ctrl-C"), lines))


def demo(*words, **settings):
    return subprocess.run(
        [*COMMAND, "--once", *words],
        cwd=ROOT,
        env=surroundings(**settings),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    temporary = tmp_path_factory.mktemp("temporary")
    began = time.monotonic()
    result = demo(TMPDIR=str(temporary))
    return result, time.monotonic() - began, temporary


def test_the_story_comes_out_as_it_says(told):
    result, _, _ = told

    assert [line for line in result.stdout.splitlines() if "✗" in line] == []
    assert result.returncode == 0
    assert result.stderr == ""


@in_ci
@pytest.mark.parametrize("provider", ["cloud", "twilio", "evolution", "waha"])
def test_with_a_provider_the_story_comes_out_as_it_says(provider):
    result = demo("--provider", provider)

    assert [line for line in result.stdout.splitlines() if "✗" in line] == []
    assert (result.returncode, result.stderr) == (0, "")
    assert "inbound_how_to_cancel" in result.stdout
    # A message shows the time of its step: that of the place, not of Greenwich.
    assert re.search(r"\n10:00  .*\n +╭─ .* ─ 10:00 ─", result.stdout)


def test_the_story_takes_less_than_a_minute(told):
    _, seconds, _ = told

    assert seconds < 60


def test_each_step_is_judged(told):
    result, _, _ = told
    steps = re.split(r"\n(?=\d\d:\d\d  )", result.stdout)[1:]

    assert len(steps) >= 35
    assert [step for step in steps if "✓" not in step] == []


def test_nothing_is_left_behind(told):
    _, _, temporary = told

    assert list(temporary.iterdir()) == []


def test_a_map_without_the_invoice_rule_fails_by_name(config_with):
    config = config_with()
    text = (config / "hooks.yaml").read_text("utf-8")
    without, count = re.subn(r"  InvoiceCreated:\n(?:    .*\n)+", "", text)
    (config / "hooks.yaml").write_text(without, "utf-8")

    result = demo(BRIDGE_CONFIG_DIR=str(config), BRIDGE_LANG="en")

    assert count == 1
    assert result.returncode == 1
    assert (
        "  ✗ Marta orders a plan and pays it · messages: — (✓ = Marta invoice_created)"
    ) in result.stdout.splitlines()
    assert "Traceback" not in result.stderr


def test_a_map_that_is_not_there_is_a_bad_configuration(tmp_path):
    result = demo(BRIDGE_CONFIG_DIR=str(tmp_path / "nowhere"))

    assert result.returncode == 3
    assert "hooks.yaml" in result.stderr
    assert "Traceback" not in result.stderr


def console(address: str, password: str) -> str:
    """Log in as the demo says, and return the page that comes then."""
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
    )
    with browser.open(address) as answer:
        page = answer.read().decode()
    given = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    given |= {"name": "demo", "password": password}
    origin = {"Origin": address.removesuffix("/console/")}
    form = urllib.parse.urlencode(given).encode()
    asked = urllib.request.Request(f"{address}login", form, origin)
    with browser.open(asked) as answer:
        return str(answer.read().decode())


def test_without_once_it_stays_up_until_it_is_interrupted(tmp_path):
    environment = surroundings(TMPDIR=str(tmp_path))
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        said = until_it_stays(running.stdout)
        [address] = re.findall(r"curl -s (\S+)", "".join(said[-20:]))
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(address) as answer:
            ready = json.load(answer)
        inside = console(*re.findall(r"(\S+/console/) .*demo, (\S+)", "".join(said))[0])
        running.send_signal(signal.SIGINT)
        status = running.wait(30)

    assert ready == {"status": "ready", "warnings": []}
    assert 'class="who">demo<' in inside
    assert status == 0
    assert list(tmp_path.iterdir()) == []
