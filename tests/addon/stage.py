"""Drives the stage: a MariaDB, a PHP web server, the panel's cron, and its tables."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "addons/whmcs/modules/addons/hookbridge"
FILES = ROOT / "tests/panel_stage"
#: Neither opcode nor notices are hidden: what PHP says about the add-on is output.
PHP = (
    "php",
    "-d",
    "opcache.enable_cli=1",
    "-d",
    "log_errors=0",
    "-d",
    "zend.assertions=1",
)
PATIENCE = 30.0


def missing() -> str:
    """Return what is not there to run the stage, or an empty text."""
    if shutil.which("php") is None:
        return "php is not installed"
    code = (
        "foreach (['curl', 'pdo_mysql', 'mbstring', 'json'] as $one)"
        ' if (!extension_loaded($one)) { echo "php has no $one"; exit; }'
        " if (!stream_resolve_include_path('Illuminate/Database/autoload.php'))"
        " echo 'php-illuminate-database is not installed';"
    )
    done = subprocess.run(
        ["php", "-r", code], capture_output=True, text=True, check=False
    )
    if done.stdout:
        return done.stdout
    if not os.environ.get("BRIDGE_TEST_MARIADB") and shutil.which("mariadbd") is None:
        return "mariadbd is not installed and BRIDGE_TEST_MARIADB is not set"
    return ""


class MariaDB:
    """A server of our own in a temporary folder, never as root; or a given one."""

    def __init__(self, *options: str) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        given = os.environ.get("BRIDGE_TEST_MARIADB", "")
        if given:
            self.address = _address(given)
            return
        self._folder = tempfile.TemporaryDirectory(prefix="bridge-mariadb-")
        folder = Path(self._folder.name)
        self.address = {
            "unix_socket": f"{folder}/s",
            "username": "root",
            "password": "",
        }
        how: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:
            # As somebody, not by --user: that has files of the system change hands.
            owner = _somebody()
            how |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = f"--datadir={folder}/data"
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", data, "--skip-test-db",
             "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, **how,
        )  # fmt: skip
        self.process = _start(
            ["mariadbd", "--no-defaults", data, f"--socket={folder}/s", "--skip-networking",
             f"--pid-file={folder}/pid", *options],
            folder / "log", leaves=str(folder), **how,
        )  # fmt: skip
        # A socket is there sooner; a server that is ended before this may not end.
        log = folder / "log"
        ready = b"ready for connections"
        until(lambda: ready in log.read_bytes(), "the database does not start")

    def stop(self) -> None:
        """End the server that was started, by its process."""
        if self.process is not None:
            try:
                end(self.process)
            finally:
                self._folder.cleanup()


class Stage:
    """The panel: its files in *folder*, its tables in one database of *server*.

    *clock* tells the add-on's time; None is the real one.
    """

    def __init__(self, folder: Path, server: MariaDB, name: str = "stage") -> None:
        self.folder = folder
        self.clock: Any = None
        self._database = server.address | {"database": name}
        shutil.copytree(FILES, folder, dirs_exist_ok=True)
        shutil.copytree(ADDON, folder / "modules/addons/hookbridge")
        self.env = {n: v for n, v in os.environ.items() if not n.startswith("BRIDGE_")}
        self.env |= {"STAGE_DATABASE": json.dumps(self._database)}
        self.php(_CREATE, server.address, name, (FILES / "schema.sql").read_text())
        self._web, self.port = serve(
            folder, folder / "web.log", self.env, str(folder / "index.php")
        )

    def stop(self) -> None:
        """End the web server with its workers."""
        end(self._web)

    def php(self, code: str, *arguments: Any) -> str:
        """Run a little PHP; *arguments* come as $given. Fails if PHP complains."""
        head = f"$given = json_decode(<<<'JSON'\n{json.dumps(arguments)}\nJSON, true);"
        return self.script("-r", head + code)

    def script(self, *arguments: str, stdin: str = "", **env: str) -> str:
        """Run PHP with *arguments*; return what it printed, which fails on a notice."""
        done = subprocess.run(
            [*PHP, "-d", "display_errors=1", "-d", "error_reporting=-1", *arguments],
            input=stdin, capture_output=True, text=True, check=False, env=self.env | env,
            cwd=self.folder, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def page(self, **asked: Any) -> dict[str, Any]:
        """Ask for one page of the panel; its own text must be all that it prints."""
        if self.clock is not None:
            asked.setdefault("clock", int(self.clock.now().timestamp()))
        if "as_" in asked:
            asked["as"] = asked.pop("as_")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/", json.dumps(asked).encode(), method="POST"
        )
        began = time.monotonic()
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        told = json.loads(text)
        assert isinstance(told, dict), text
        assert told["page"] == "", told["page"]
        return told | {"took": time.monotonic() - began}

    def fire(
        self, hookpoint: str, data: Any = None, times: int = 1, **asked: Any
    ) -> list[Any]:
        """Fire one hookpoint in a page; return what its callbacks answered."""
        told = self.page(fire=[[hookpoint, data or {}, times]], **asked)
        answers: list[Any] = told["answers"][0]
        return answers

    def cron(self, *fire: Sequence[Any]) -> dict[str, Any]:
        """Do what the panel's cron does, in a page: it starts sooner than a process."""
        return self.page(fire=fire, cron=True, as_="cron")

    def cron_process(self, *fire: Sequence[Any]) -> dict[str, Any]:
        """Run the panel's cron, with hooks before; it must print nothing."""
        asked: dict[str, Any] = {"fire": fire}
        if self.clock is not None:
            asked["clock"] = int(self.clock.now().timestamp())
        told = self.folder / f"told-{threading.get_ident()}.json"
        printed = self.script("cron.php", stdin=json.dumps(asked), STAGE_TELL=str(told))
        assert printed == ""
        found: dict[str, Any] = json.loads(told.read_text())
        return found

    def sql(self, statement: str, *values: Any) -> Any:
        """Carry out one statement; a SELECT returns its rows as dictionaries."""
        return self.page(sql=[[statement, values]], as_="guest")["rows"][0]

    def reset(self, address: str, secret: str) -> None:
        """Empty all tables and set the add-on up anew."""
        statements: list[list[Any]] = [[f"DELETE FROM {table}", []] for table in TABLES]
        rows = {"address": address, "secret": secret, "version": "0.1.0", "access": "1"}
        statements += [[_SETTING, [name, value]] for name, value in rows.items()]
        statements.append([_ACTIVE, []])
        self.page(sql=statements)

    def setting(self, name: str, value: str) -> None:
        """Change one of the add-on's settings, as staff do."""
        self.sql("UPDATE tbladdonmodules SET value = ? WHERE setting = ?", value, name)

    def rows(self, where: str = "state != 'sent'") -> list[dict[str, Any]]:
        """Return rows of the outbox, oldest first."""
        found: list[dict[str, Any]] = self.sql(
            f"SELECT * FROM mod_hookbridge_outbox WHERE {where} ORDER BY seq"
        )
        return found

    def state(self) -> dict[str, str]:
        """Return what the add-on remembers, by name."""
        return {
            r["name"]: r["value"]
            for r in self.sql("SELECT * FROM mod_hookbridge_state")
        }

    def no_pause(self) -> None:
        """Let the add-on's waiting time after a failure be over."""
        self.sql("UPDATE mod_hookbridge_state SET updated_at = 0 WHERE name = 'pause'")

    def complaints(self) -> str:
        """Return what PHP said of the add-on and nobody saw, and forget it."""
        file = self.folder / "complaints.log"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text


TABLES = (
    "tblconfiguration", "tbladdonmodules", "tblactivitylog", "tblmodulelog", "tblclients",
    "tblhosting", "tblhostingaddons", "tbldomains", "tblupgrades", "tblinvoiceitems",
    "tblproduct_upgrade_products", "mod_hookbridge_outbox", "mod_hookbridge_state",
    "mod_hookbridge_transfers",
)  # fmt: skip
_SETTING = (
    "INSERT INTO tbladdonmodules (module, setting, value) VALUES ('hookbridge', ?, ?)"
)
_ACTIVE = "INSERT INTO tblconfiguration (setting, value) VALUES ('ActiveAddonModules', 'hookbridge')"
#: Makes the database, then activates the add-on as the panel does.
_CREATE = r"""
$dsn = isset($given[0]['unix_socket']) ? 'unix_socket=' . $given[0]['unix_socket']
    : 'host=' . $given[0]['host'] . ';port=' . $given[0]['port'];
$db = new PDO('mysql:' . $dsn, $given[0]['username'], $given[0]['password']);
$db->exec("DROP DATABASE IF EXISTS $given[1]");
$db->exec("CREATE DATABASE $given[1] CHARACTER SET utf8mb3");
$db->exec("USE $given[1]");
foreach (array_filter(array_map('trim', explode(";\n", $given[2]))) as $statement) {
    $db->exec($statement);
}
require 'init.php';
require 'modules/addons/hookbridge/hookbridge.php';
$told = hookbridge_activate();
if ($told['status'] !== 'success') {
    echo $told['description'];
    exit(1);
}
"""


#: Ends what it started, workers too, when the tests end: also when they are killed,
#: since then its standard input ends. $0 is a folder that goes then, or nothing.
_GUARD = 'trap : TERM; "$@" & read -r _; kill 0; wait; [ -z "$0" ] || rm -rf "$0"'


def _start(
    command: list[str],
    log: Path,
    env: dict[str, str] | None = None,
    leaves: str = "",
    **how: Any,
) -> subprocess.Popen[bytes]:
    with log.open("wb") as errors:
        return subprocess.Popen(
            ["sh", "-c", _GUARD, leaves, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=env,
            start_new_session=True,
            **how,
        )


def serve(
    folder: Path,
    log: Path,
    env: dict[str, str],
    *script: str,
    options: Sequence[str] = (),
) -> tuple[subprocess.Popen[bytes], int]:
    """Start PHP's web server over *folder*, at a port that it takes by itself."""
    command = [*PHP, *options, "-S", "127.0.0.1:0", "-t", str(folder), *script]
    process = _start(command, log, env=env | {"PHP_CLI_SERVER_WORKERS": "4"})
    told = re.compile(r"\(http://127\.0\.0\.1:(\d+)\) started")
    until(lambda: told.search(log.read_text()), "the web server does not start")
    found = told.search(log.read_text())
    assert found is not None
    return process, int(found[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """End what `_start` started, and wait for it."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def _address(given: str) -> dict[str, Any]:
    parts = urlsplit(given)
    user = {
        "username": unquote(parts.username or "root"),
        "password": unquote(parts.password or ""),
    }
    at = parse_qs(parts.query).get("socket")
    if at:
        return user | {"unix_socket": at[0]}
    return user | {"host": parts.hostname or "127.0.0.1", "port": parts.port or 3306}


def _somebody() -> pwd.struct_passwd:
    for name in ("mysql", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LookupError("no user mysql or nobody to run the database as")


def until(true: Any, otherwise: str) -> None:
    """Wait for something of another process; *otherwise* is what is wrong if in vain."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, otherwise
        threading.Event().wait(0.02)
