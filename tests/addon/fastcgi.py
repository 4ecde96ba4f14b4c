"""Just enough of FastCGI to ask php-fpm for a page and see when it is there."""

from __future__ import annotations

import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .stage import until

_BEGIN, _END, _PARAMS, _STDIN, _STDOUT, _STDERR = 1, 3, 4, 5, 6, 7


@dataclass(frozen=True)
class Page:
    """A page, and how many *seconds* it took until its last byte was there."""

    body: str
    errors: str
    seconds: float
    headers: str


class Fpm:
    """php-fpm with *workers* on a socket of its own."""

    def __init__(self, env: dict[str, str], workers: int = 4) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bridge-fpm-")
        self.socket = f"{self._folder.name}/s"
        config = Path(self._folder.name) / "fpm.conf"
        named = "\n".join(f"env[{name}] = '{value}'" for name, value in env.items())
        config.write_text(
            "[global]\nerror_log = /dev/null\ndaemonize = no\n[www]\n"
            f"listen = {self.socket}\npm = static\npm.max_children = {workers}\n"
            f"php_admin_value[session.save_path] = {self._folder.name}\n"
            "php_admin_value[opcache.enable] = 1\n" + named + "\n"
        )
        self._process = subprocess.Popen(
            [str(binary()), "--nodaemonize", "--allow-to-run-as-root", "-y", str(config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(Path(self.socket).exists, "php-fpm does not start")

    def stop(self) -> None:
        """End it, whatever its workers are doing."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)
        self._folder.cleanup()

    def page(self, script: Path, body: str, **more: str) -> Page:
        """Ask for one page with *body* as its input."""
        params = {
            "SCRIPT_FILENAME": str(script), "SCRIPT_NAME": f"/{script.name}",
            "REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(body.encode())),
            "CONTENT_TYPE": "application/json", "SERVER_PROTOCOL": "HTTP/1.1",
        } | more  # fmt: skip
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(30)
            line.connect(self.socket)
            line.sendall(_record(_BEGIN, struct.pack("!HB5x", 1, 0)))
            pairs = b"".join(_pair(name, value) for name, value in params.items())
            line.sendall(_record(_PARAMS, pairs) + _record(_PARAMS, b""))
            line.sendall(_record(_STDIN, body.encode()) + _record(_STDIN, b""))
            out, errors = b"", b""
            for kind, content in _records(line):
                if kind == _STDOUT:
                    out += content
                elif kind == _STDERR:
                    errors += content
                elif kind == _END:
                    break
            took = time.monotonic() - began
        headers, _, text = out.decode().partition("\r\n\r\n")
        return Page(text, errors.decode(), took, headers)


def binary() -> str | None:
    """Return where php-fpm is, or None."""
    names = ("php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1")
    found = (
        shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin") for name in names
    )
    return next((one for one in found if one), None)


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BBHHBx", 1, kind, 1, len(content), 0) + content


def _pair(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    sizes = b"".join(
        bytes([len(one)]) if len(one) < 128 else struct.pack("!I", len(one) | 1 << 31)
        for one in (key, text)
    )
    return sizes + key + text


def _records(line: Any) -> Iterator[tuple[int, bytes]]:
    with line.makefile("rb") as file:
        while head := file.read(8):
            _, kind, _, length, padding = struct.unpack("!BBHHBx", head)
            content = file.read(length)
            file.read(padding)
            yield kind, content
