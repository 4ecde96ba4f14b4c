"""Starts and ends what is measured, and finds what it is compared with."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.hooks import KEY, SECRET

ROOT = Path(__file__).resolve().parent.parent
#: What is fetched or compiled once; git does not see it.
_BUILD = ROOT / "build" / "bench"
_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 30.0


class Missing(Exception):
    """What is compared with cannot be had here; the text says why."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Place:
    """A directory for one run, its children, and the environment they get."""

    directory: Path
    slow_disk: bool = False
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def environ(self, **more: str) -> dict[str, str]:
        """Return the environment of a child."""
        names = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        found = kept | {"PYTHONPATH": str(ROOT), **more}
        if self.slow_disk:
            found |= {"LD_PRELOAD": str(slow_sync()), "BENCH_SYNC_MS": "5"}
        return found

    def start(
        self, command: Sequence[str], *, port: int = 0, said: bool = False, **env: str
    ) -> subprocess.Popen[str]:
        """Start a child; wait until *port* answers, or with *said* for its word."""
        log = open(self.directory / f"child-{len(self.children)}.log", "w")  # noqa: SIM115
        child = subprocess.Popen(
            command,
            cwd=self.directory,
            env=self.environ(**env),
            stdout=subprocess.PIPE if said else log,
            stderr=log,
            text=True,
        )
        log.close()
        self.children.append(child)
        if said and child.stdout is not None and not child.stdout.readline():
            raise RuntimeError(f"{command[1:4]} ended at once: see {log.name}")
        if port:
            wait_for(port, child, log.name)
        return child

    def python(self, module: str, *args: object, **how: Any) -> subprocess.Popen[str]:
        """Start a module of ours."""
        command = [sys.executable, "-m", module, *map(str, args)]
        return self.start(command, **how)

    def load(self, mode: str, port: int, **more: Any) -> dict[str, Any]:
        """Run the load generator and return what it measured."""
        given = json.dumps({"mode": mode, "port": port, **more})
        done = subprocess.run(
            [sys.executable, "-m", "bench.load", given],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=self.directory,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        bad = {k: v for k, v in told["statuses"].items() if not k.startswith("2")}
        if bad:
            raise RuntimeError(f"answers that are no 2xx: {bad}")
        return told

    def end(self, child: subprocess.Popen[str]) -> None:
        """End a child as its supervisor would."""
        child.terminate()
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


@contextlib.contextmanager
def place(*, slow_disk: bool = False) -> Iterator[Place]:
    """Make a directory, and leave neither it nor a child behind."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        found = Place(Path(directory), slow_disk)
        try:
            yield found
        finally:
            for child in reversed(found.children):
                if child.poll() is None:
                    found.end(child)


def wait_for(port: int, child: subprocess.Popen[str], log: str = "") -> None:
    """Wait until a port takes connections."""
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        if child.poll() is not None:
            text = Path(log).read_text()[-2000:] if log else ""
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}:\n{text}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        time.sleep(0.005)
    raise RuntimeError(f"{child.args!r} does not listen on {port}")


def bridge_environ(
    directory: Path, port: int, stub: int, *, workers: int = 128, database: str = ""
) -> dict[str, str]:
    """Return the settings of a bridge that sends at any hour."""
    config = directory / "config"
    if not config.exists():
        shutil.copytree(ROOT / "config", config)
        path = config / "hooks.yaml"
        text = path.read_text(encoding="utf-8")
        begin = text.index("quiet_hours:")
        rest = text[begin:].partition("\n")[2]
        path.write_text(f"{text[:begin]}quiet_hours: null\n{rest}", encoding="utf-8")
    return {
        "BRIDGE_SIGNING_SECRETS": SECRET,
        "BRIDGE_DATABASE_URL": database or f"sqlite:///{directory}/bridge.db",
        "BRIDGE_CONFIG_DIR": str(config),
        "BRIDGE_LISTEN": f"127.0.0.1:{port}",
        "BRIDGE_DRY_RUN": "false",
        "BRIDGE_WORKERS": str(workers),
        "WHMCS_URL": f"http://127.0.0.1:{stub}",
        "WHMCS_API_IDENTIFIER": "benchIdentifier",
        "WHMCS_API_SECRET": "benchSecret",
        "WHATSAPP_PROVIDER": "console",
    }


def webhook_config(directory: Path) -> list[str]:
    """Write `webhook`'s rule and return its command; the rule runs `true`."""
    rule = {
        "id": "whmcs",
        "execute-command": shutil.which("true") or "/bin/true",
        "trigger-rule": {
            "match": {
                "type": "payload-hmac-sha256",
                "secret": KEY.decode("ascii"),
                "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
            }
        },
    }
    file = directory / "webhook.json"
    file.write_text(json.dumps([rule]))
    return [str(webhook()), "-hooks", str(file), "-ip", "127.0.0.1"]


def webhook() -> Path:
    """Return Debian's `webhook`: installed, or taken out of its package."""
    if found := shutil.which("webhook"):
        return Path(found)
    there = _BUILD / "webhook" / "usr" / "bin" / "webhook"
    if not there.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise Missing("no `webhook` here, and this is no Debian")
        with tempfile.TemporaryDirectory() as directory:
            _quietly(["apt-get", "download", "webhook"], Path(directory), "webhook")
            package = next(Path(directory).glob("webhook_*.deb"))
            target = str(_BUILD / "webhook")
            _BUILD.mkdir(parents=True, exist_ok=True)
            _quietly(["dpkg-deb", "-x", str(package), target], _BUILD, "webhook")
    return there


def huey() -> str:
    """Return the directory that Huey is installed in."""
    target = _BUILD / "huey"
    if not target.exists():
        wanted = ["--target", str(target), "--require-hashes", "-r"]
        wanted.append(str(ROOT / "bench" / "requirements.txt"))
        installer = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        if uv := shutil.which("uv"):
            installer = [uv, "pip", "install", "-q", "--no-deps"]
            installer += ["--python", sys.executable]
        _BUILD.mkdir(parents=True, exist_ok=True)
        _quietly(installer + wanted, _BUILD, "huey")
    return str(target)


def slow_sync() -> Path:
    """Return the library that makes syncs slow, compiled at the first need."""
    source, made = ROOT / "bench" / "slowsync.c", _BUILD / "slowsync.so"
    if made.exists() and made.stat().st_mtime > source.stat().st_mtime:
        return made
    if not sys.platform.startswith("linux"):
        raise Missing("a slow disk is only played on Linux (LD_PRELOAD)")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("a slow disk needs a C compiler (on Debian: apt-get install gcc)")
    _BUILD.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(source)]
    _quietly([*command, "-ldl"], _BUILD, "the slow disk")
    return made


def _quietly(command: list[str], directory: Path, what: str) -> None:
    try:
        subprocess.run(
            command, cwd=directory, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        last = said.strip().rpartition("\n")[2]
        raise Missing(f"{what} cannot be had: {last[:200]}") from error


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    """Return a process's memory (VmRSS now, VmHWM at most) in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start a PostgreSQL of Debian's on a port of its own; yield its address."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise Missing("no PostgreSQL here (on Debian: apt-get install postgresql)")
    tools, port = found[-1], free_port()
    directory = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    user = _other_user() if os.geteuid() == 0 else {}
    try:
        if user:
            os.chown(directory, user["user"], user["group"])
        data = directory / "data"
        init = [str(tools / "initdb"), "-D", str(data), "-A", "trust", "-U", "bridge"]
        subprocess.run(init, check=True, capture_output=True, cwd="/", **user)
        command = [str(tools / "postgres"), "-D", str(data), "-p", str(port)]
        command += ["-k", str(directory), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "max_connections=200"]
        server = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
        )
        try:
            wait_for(port, server)
            time.sleep(1.0)
            create = [str(tools / "createdb"), "-h", "127.0.0.1", "-p", str(port)]
            subprocess.run([*create, "-U", "bridge", "bench"], check=True)
            yield f"postgresql+psycopg://bridge@127.0.0.1:{port}/bench"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _other_user() -> dict[str, Any]:
    import pwd

    try:
        known = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing(
            "PostgreSQL does not run as root, and there is no postgres user"
        ) from None
    return {"user": known.pw_uid, "group": known.pw_gid}
