"""`python -m bench addon`: what the add-on costs a page of the panel, and how fast it drains.

Real PHP (php-fpm, one worker more than visitors), a MariaDB that syncs each commit as
it comes by default, and the stage of the tests. A page fires one hook. Beside it: the
same page with an empty hook function, and with one that posts by curl and waits.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.processes import Place, bridge_environ, free_port, place
from bench.table import Note, Row, at_least, at_most
from tests.addon.fastcgi import Fpm, binary
from tests.addon.receiver import Receiver
from tests.addon.stage import MariaDB, Stage, missing

if TYPE_CHECKING:
    from bench.options import Options

SECRET = "whsec_YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNo"
HOOK = ["InvoicePaid", {"invoiceid": 1, "invoice": {"object": "x"}}]
EMPTY = "<?php\nadd_hook('InvoicePaid', 99, function ($vars) {\n});\n"
#: How often the one that waits for a bridge of 2.5 s is asked: it takes as long each time.
SLOW_PAGES = 3
#: What many modules do: post within the hook and wait for the answer.
SYNCHRONOUS = """<?php
add_hook('InvoicePaid', 99, function ($vars) {
    $curl = curl_init(%s);
    curl_setopt_array($curl, [
        CURLOPT_POST => true, CURLOPT_POSTFIELDS => json_encode(['type' => 'InvoicePaid', 'data' => ['invoiceid' => $vars['invoiceid']]]),
        CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 10, CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    ]);
    curl_exec($curl);
});
"""
#: The fastest that PHP can post the same rows: one handle, kept alive, nothing kept.
BARE = r"""
require 'init.php';
require_once 'modules/addons/hookbridge/lib/autoload.php';
$rows = WHMCS\Database\Capsule::table('mod_hookbridge_outbox')->orderBy('seq')->get(['id', 'body'])->all();
$key = HookBridge\Settings::load()->keys()[0];
$url = HookBridge\Settings::load()->hooksUrl();
$curl = curl_init();
$began = microtime(true);
foreach ($rows as $row) {
    $id = $row->id . 'b';
    $now = time();
    curl_setopt_array($curl, [
        CURLOPT_URL => $url, CURLOPT_POST => true, CURLOPT_POSTFIELDS => $row->body, CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'webhook-id: ' . $id, 'webhook-timestamp: ' . $now,
            'webhook-signature: ' . HookBridge\Signer::sign($key, $id, $now, $row->body)],
    ]);
    curl_exec($curl);
    if (curl_getinfo($curl, CURLINFO_HTTP_CODE) !== 202) {
        exit('not accepted');
    }
}
echo count($rows) / (microtime(true) - $began);
"""


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Start database and stage; the hooks to compare with are modules like any."""
    with contextlib.ExitStack() as opened:
        server = MariaDB("--innodb-buffer-pool-size=128M")
        opened.callback(server.stop)
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-panel-")
        )
        stage = Stage(Path(folder) / "panel", server)
        opened.callback(stage.stop)
        yield stage


def activate(stage: Stage, module: str, hooks: str = "") -> None:
    """Have just one module's hooks loaded by the next page."""
    if hooks:
        file = stage.folder / f"modules/addons/{module}/hooks.php"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(hooks)
    stage.sql(
        "UPDATE tblconfiguration SET value = ? WHERE setting = 'ActiveAddonModules'",
        module,
    )


def pages(stage: Stage, fpm: Fpm, count: int) -> tuple[float, float]:
    """Return the median time of a page that fires one hook, and the hook's own, in ms."""
    whole, hook = [], []
    for _ in range(count):
        found = fpm.page(
            stage.folder / "index.php", json.dumps({"as": "client", "fire": [HOOK]})
        )
        whole.append(found.seconds * 1000)
        hook.append(json.loads(found.body)["spent"][0] * 1000)
        time.sleep(0.01)  # so that what is done behind a page is not in the next one
    return statistics.median(whole), statistics.median(hook)


def added(stage: Stage, count: int) -> list[Row | Note]:
    """Time that a hook adds to a page, whatever the bridge does."""
    receiver, rows = Receiver(), []
    down = f"http://127.0.0.1:{free_port()}"
    fpm = Fpm({"STAGE_DATABASE": stage.env["STAGE_DATABASE"]}, workers=4)

    def late(_: Any) -> str:
        time.sleep(2.5)
        return "ok"

    states: list[tuple[str, str, Any, int]] = [
        ("healthy", receiver.url, "ok", count),
        ("slow (over 2 s)", receiver.url, late, SLOW_PAGES),
        ("down", down, "ok", count),
    ]
    try:
        for state, address, behave, turns in states:
            stage.reset(address, SECRET)
            receiver.behave = behave
            activate(stage, "emptyhook", EMPTY)
            pages(stage, fpm, 20)
            empty, _ = pages(stage, fpm, count)
            activate(stage, "hookbridge")
            pages(stage, fpm, 5)
            ours, own = pages(stage, fpm, count)
            activate(
                stage, "curlhook", SYNCHRONOUS % json.dumps(f"{address}/hooks/whmcs")
            )
            other, _ = pages(stage, fpm, turns)
            what = f"bridge {state}: added to a page"
            row = at_most(
                what,
                ours - empty,
                "ms",
                2.0,
                max(other - empty, 0.001),
                "curl that waits",
            )
            rows += [row, Row(f"bridge {state}: the hook itself", own, "ms")]
    finally:
        fpm.stop()
        receiver.stop()
    return [
        *rows,
        Note("ours and other: medians, less those of an empty hook function"),
    ]


def drained(stage: Stage, there: Place, count: int, runs: int) -> list[Row | Note]:
    """Rows a second that one cron takes to a real bridge, beside a bare curl loop."""
    port = free_port()
    environ = bridge_environ(there.directory, port, free_port())
    environ |= {"BRIDGE_SIGNING_SECRETS": SECRET, "BRIDGE_DRY_RUN": "true"}
    # Without a rule the bridge just keeps it, and has the machine to itself for that.
    file = Path(environ["BRIDGE_CONFIG_DIR"]) / "hooks.yaml"
    head, _, tail = file.read_text("utf-8").partition("\nhooks:")
    rules = (
        "hooks:\n  ClientAdd:\n    - {do: send_alert, message: welcome}\n\ndecisions:"
    )
    file.write_text(f"{head}\n{rules}{tail.partition('decisions:')[2]}", "utf-8")
    there.python("bridge", "run", port=port, **environ)
    told: list[Row | Note] = []
    rates: list[tuple[float, float]] = []
    for _ in range(runs):
        stage.reset("", SECRET)
        stage.page(fire=[["InvoicePaid", HOOK[1], count]])
        stage.setting("address", f"http://127.0.0.1:{port}")
        bare = float(stage.script("-r", BARE))
        ours = count / stage.cron_process()["cron"]
        left = stage.rows()
        if left:
            told.append(Note(f"{len(left)} rows were left: {left[0]['error']}"))
        rates.append((ours, bare))
    ours, bare = (statistics.median(one) for one in zip(*rates, strict=True))
    return [
        at_least(f"{count} rows to a bridge", ours, bare, "bare curl loop", 0.5),
        *told,
    ]


def addon(options: Options) -> list[Row | Note]:
    """What the panel's add-on adds to a page, and how fast it drains its table."""
    if why := missing() or ("" if binary() else "php-fpm is not installed"):
        return [Note(f"not measured: {why}")]
    with staged() as stage, place() as there:
        return [
            *added(stage, options.pages),
            *drained(stage, there, options.rows, options.runs),
        ]
