"""What stands on the stage beside its one page: transfer.php and the admin's page."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bridge.signing import read_secret, sign

from .stage import FILES, PATIENCE, PHP, Stage, end, serve

PATH = "/modules/addons/hookbridge/transfer.php"
MARKS = ("MARKEDuser", "MARKEDpass")


class Answer(NamedTuple):
    """What came back over the wire, to the last byte."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """Return the body, which must be one JSON object and nothing else."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def text(self) -> str:
        """Return the body of a page."""
        return self.body.decode()


class Door:
    """A web server over *folder*; what PHP complains of is in `complaints`.

    *clock* (Unix seconds) stands still for the add-on there; without it time passes.
    """

    def __init__(
        self, stage: Stage, folder: Path | None = None, clock: int | None = None
    ) -> None:
        self.folder = folder or stage.folder
        name = uuid.uuid4().hex
        self._log = self.folder / f"complaints-{name}.log"
        self._web, self.port = serve(
            self.folder,
            self.folder / f"door-{name}.log",
            stage.env | ({} if clock is None else {"STAGE_CLOCK": str(clock)}),
            options=("-d", "log_errors=1", "-d", f"error_log={self._log}"),
        )

    def close(self) -> None:
        """End the web server with its workers."""
        end(self._web)

    @property
    def complaints(self) -> str:
        """Return every notice, warning and error so far."""
        return self._log.read_text() if self._log.exists() else ""

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Any = None
    ) -> Answer:
        """Send one request as it is."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        line.request(method, path, body, headers or {})
        got = line.getresponse()
        answer = Answer(
            got.status, {n.lower(): v for n, v in got.getheaders()}, got.read()
        )
        line.close()
        return answer

    def page(self, language: str = "english", **form: Any) -> Answer:
        """Show the add-on's page, or press one of its buttons."""
        path = f"/addonmodules.php?language={language}"
        if not form:
            return self.ask("GET", path)
        form = {"token": "stage", **form}
        if "rows" in form:
            form["rows[]"] = form.pop("rows")
        body = urlencode(form, doseq=True).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, kind)


def copied(stage: Stage, folder: Path, init: str) -> Path:
    """Make another panel in *folder* with the same tables, loaded by *init*."""
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    addon = stage.folder / "modules/addons/hookbridge"
    shutil.copytree(addon, folder / "modules/addons/hookbridge")
    (folder / "init.php").rename(folder / "real.php")
    (folder / "init.php").write_text(init, encoding="utf-8")
    return folder


def request(service: Any = 1, old: Any = 2, new: Any = 3, **more: Any) -> bytes:
    """Return the body of a transfer."""
    data = {"service_id": service, "from_client_id": old, "to_client_id": new, **more}
    now = "2026-11-25T10:00:00-03:00"
    return json.dumps({"type": "transfer", "timestamp": now, "data": data}).encode()


def signed(
    secret: str, body: bytes, id: str = "", skew: int = 0, now: float | None = None
) -> dict[str, str]:
    """Return the headers of a delivery, signed *now* or so many seconds off."""
    id, stamp = id or new_id(), int(time.time() if now is None else now) + skew
    return {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(read_secret(secret), id, stamp, body),
    }


def new_id() -> str:
    """Return an id nobody has used."""
    return f"msg_{uuid.uuid4().hex}"


class Holder:
    """Somebody in the panel who holds rows locked until `release`."""

    def __init__(self, stage: Stage, statement: str) -> None:
        code = (
            "require 'init.php'; $db = WHMCS\\Database\\Capsule::connection();"
            '$db->beginTransaction(); $db->select($argv[1]); echo "held\\n";'
            "fgets(STDIN); $db->rollBack();"
        )
        self._process = subprocess.Popen(
            [*PHP, "-r", code, statement], cwd=stage.folder, env=stage.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the rows."""
        if self._process.poll() is None:
            self._process.communicate("\n", PATIENCE)


TABLES = (
    "tblinvoices", "tblcancelrequests", "tblcustomfields", "tblcustomfieldsvalues",
    "tblsslorders",
)  # fmt: skip


def furnish(stage: Stage) -> None:
    """Put two clients and the service between them into the panel's tables."""
    for table in TABLES:
        stage.sql(f"DELETE FROM {table}")
    for id, email in ((2, "ana@example.com"), (3, "beto@example.com")):
        stage.sql(
            "INSERT INTO tblclients (id, firstname, email, currency, status,"
            " email_verified) VALUES (?, '', ?, 1, 'Active', 1)",
            id, email,
        )  # fmt: skip
    stage.sql(
        "INSERT INTO tblhosting (id, userid, packageid, domain, domainstatus, username,"
        " password, subscriptionid) VALUES (1, 2, 21, 'a.example', 'Active', ?, ?, '')",
        *MARKS,
    )
    stage.sql(
        "INSERT INTO tblhosting (id, userid, packageid, domain, username, password)"
        " VALUES (9, 2, 21, 'other.example', '', '')"
    )
    for id, service in ((11, 1), (12, 1), (19, 9)):
        stage.sql(
            "INSERT INTO tblhostingaddons (id, userid, hostingid) VALUES (?, 2, ?)",
            id, service,
        )  # fmt: skip
    stage.sql("INSERT INTO tbldomains (id, userid, domain) VALUES (5, 2, 'a.example')")
    stage.sql(
        "INSERT INTO tblcustomfields (id, type, fieldname)"
        " VALUES (6, 'client', 'Verified'), (7, 'product', 'Verified')"
    )
