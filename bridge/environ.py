"""Reads named values of the environment, and remembers what is wrong with each."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bridge.errors import Problem


class Reader:
    """Reads one name after the other and remembers what is wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[Problem] = []

    def wrong(self, name: str, what: str) -> None:
        self.problems.append(Problem("environment", 0, 0, f"{name}: {what}"))

    def text(self, name: str, default: str = "") -> str:
        value = self.environ.get(name, "").strip()
        path = self.environ.get(f"{name}_FILE")
        if not value and path:
            try:
                value = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.wrong(f"{name}_FILE", f"cannot read {path}: {plain(error)}")
        return value or default

    def needed(self, name: str, need: bool, what: str) -> str:
        known = len(self.problems)
        value = self.text(name)
        if need and not value and len(self.problems) == known:
            path = self.environ.get(f"{name}_FILE")
            state = f"{path} is empty" if path else "is not set"
            self.wrong(name, f"{state}; {what}")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            return default
        digits = value.isascii() and value.isdigit() and len(value) <= 9
        if not digits or not low <= int(value) <= high:
            self.wrong(name, f'not a whole number from {low} to {high}: "{value}"')
            return default
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name)
        try:
            found = float(value) if value else default
        except ValueError:
            found = -1.0
        if not 0 < found <= 300:
            self.wrong(name, f'not a number of seconds from 0 to 300: "{value}"')
            return default
        return found

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name).casefold()
        if value in ("1", "true", "yes", "on", "sí", "si"):
            return True
        if value in ("0", "false", "no", "off"):
            return False
        if value:
            self.wrong(name, f'neither true nor false: "{value}"')
        return default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name) or default
        if value not in allowed:
            self.wrong(name, f'"{value}" is none of {", ".join(allowed)}')
            return default
        return value

    def address(self, name: str, need: bool, what: str) -> str:
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
