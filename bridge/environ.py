"""The environment and .env, read one name after the other, all mistakes kept."""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from bridge import regular
from bridge.errors import ConfigError, Problem

#: Largest `.env` and file of one setting that are read, in bytes.
_LARGEST = 64 * 1024
#: How much of a name must agree for it to be a slip (0 to 1).
_ALIKE = 0.88
_FORM = "not a line of the form NAME=value"


def read_environment(directory: Path | None = None) -> dict[str, str]:
    """Return the environment over the `.env` of *directory* (the current one).

    Lines of it that nobody can read are left out: `unread_lines` tells them. Raises
    ConfigError where that file cannot be read.
    """
    lines = _lines(_env_file(directory))
    sound = "".join(line.original.string for line in lines if not line.error)
    found = dotenv_values(stream=StringIO(sound))
    merged = {name: value for name, value in found.items() if value is not None}
    merged.update(os.environ)
    return merged


def unread_lines(directory: Path | None = None) -> list[Problem]:
    """Return a problem for each line of `.env` that sets nothing, by its number.

    What it holds is not shown: it may be a secret.
    """
    path = _env_file(directory)
    return [
        Problem("environment", 0, 0, f"{path}:{_number(line)}: {_FORM}")
        for line in _lines(path)
        if line.error
    ]


def _env_file(directory: Path | None) -> Path:
    return (directory or Path.cwd()) / ".env"


def _lines(path: Path) -> list[Binding]:
    try:
        return list(parse_stream(StringIO(_read_text(path))))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("environment", 0, 0, f"{path}: {plain(error)}")
        raise ConfigError([problem]) from error


def _number(line: Binding) -> int:
    """Return where a line is; blank ones above it are kept with it."""
    text = line.original.string
    return line.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _read_text(path: Path) -> str:
    raw = regular.read(path, _LARGEST)
    if len(raw) > _LARGEST:
        raise OSError(errno.EFBIG, f"larger than {_LARGEST // 1024} KiB")
    return raw.decode("utf-8")


class Reader:
    """Reads one name after the other and remembers what is wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []
        self._asked: set[str] = set()

    def wrong(self, name: str, what: str) -> None:
        """Note what is wrong with a setting."""
        self.problems.append(Problem("environment", 0, 0, f"{name}: {what}"))

    def text(self, name: str, default: str = "") -> str:
        """Return a text, from its file where NAME_FILE names one."""
        self._asked |= {name, f"{name}_FILE"}
        value = self.environ.get(name, "").strip()
        path = self.environ.get(f"{name}_FILE")
        if not value and path:
            try:
                value = _read_text(Path(path)).strip()
            except (OSError, UnicodeDecodeError) as error:
                self.wrong(f"{name}_FILE", f"cannot read {path}: {plain(error)}")
        return value or default

    def misspelt(self, *prefixes: str) -> None:
        """Note names that nobody asked for and that look like one that was.

        Others of those *prefixes* are left alone: an environment holds much.
        """
        for name in sorted(self.environ.keys() - self._asked):
            if name.startswith(prefixes):
                for near in get_close_matches(name, sorted(self._asked), 1, _ALIKE):
                    self.wrong(name, f"there is no such setting (did you mean {near}?)")

    def needed(self, name: str, need: bool, what: str) -> str:
        """Return a text that must be there when *need*."""
        known = len(self.problems)
        value = self.text(name)
        if need and not value and len(self.problems) == known:
            path = self.environ.get(f"{name}_FILE")
            state = f"{path} is empty" if path else "is not set"
            self.wrong(name, f"{state}; {what}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number between two others."""
        value = self.text(name)
        if not value:
            return default
        digits = value.isascii() and value.isdigit() and len(value) <= 9
        if not digits or not low <= int(value) <= high:
            self.wrong(name, f'not a whole number from {low} to {high}: "{value}"')
            return default
        return int(value)

    def seconds(self, name: str, default: float, most: int = 300) -> float:
        """Return a number of seconds, *most* at most."""
        value = self.text(name)
        try:
            found = float(value) if value else default
        except ValueError:
            found = -1.0
        if not 0 < found <= most:
            self.wrong(name, f'not a number of seconds from 0 to {most}: "{value}"')
            return default
        return found

    def flag(self, name: str, default: bool) -> bool:
        """Return a yes or no."""
        value = self.text(name).casefold()
        if value in ("1", "true", "yes", "on", "sí", "si"):
            return True
        if value in ("0", "false", "no", "off"):
            return False
        if value:
            self.wrong(name, f'neither true nor false: "{value}"')
        return default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of some words."""
        value = self.text(name) or default
        if value not in allowed:
            self.wrong(name, f'"{value}" is none of {", ".join(allowed)}')
            return default
        return value

    def address(self, name: str, need: bool, what: str) -> str:
        """Return an outside address without its last slash."""
        value = self.needed(name, need, what).rstrip("/")
        if value and (problem := wrong_address(value)):
            self.wrong(name, problem)
        return value


def wrong_address(url: str) -> str:
    """Return what is wrong with an outside address, or an empty text."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not an address"
    if parts.scheme not in ("http", "https") or not host:
        return "not an http(s) address"
    if parts.username or parts.password:
        return "an address must not hold a user name or password"
    if parts.query or parts.fragment:
        return "give the base address only, without ? or #"
    if parts.path.endswith(".php"):
        return "give the base address only, without a page (.php)"
    if parts.scheme == "http" and not is_loopback(host):
        return "only https, except to this machine (http://127.0.0.1)"
    return ""


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine, in its plain spellings."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def plain(error: Exception) -> str:
    """Return why a file could not be read, without its content."""
    return getattr(error, "strerror", None) or "not readable text"
