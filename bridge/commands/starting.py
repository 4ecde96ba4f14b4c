"""What a process needs to start: all that is wrong with it, in one list."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

from bridge import provideroptions, wiring
from bridge import settings as environment
from bridge.errors import ConfigError, Problem
from bridge.settings import Settings


def usable(command: str, *, receive: bool, work: bool) -> Settings:
    """Return the settings if a process can start with them.

    Raises ConfigError with everything that is wrong with environment, map, texts,
    panel, provider and address.
    """
    settings, problems = environment.examine()
    if not (receive and work) and settings.sqlite:
        what = (
            f"BRIDGE_DATABASE_URL: `{command}` needs PostgreSQL: one process owns an "
            "SQLite file, and its one writer makes every commit. Use `whmcs-bridge "
            "run`, or postgresql+psycopg://..."
        )
        problems.append(_problem(what))
    problems += of_parts(settings, problems)
    if receive:
        problems += _address(settings, problems)
    if problems:
        raise ConfigError(list({*problems, *of_map(settings.config_dir)}))
    return settings


def to_send() -> Settings:
    """Return the settings for a command that asks only the provider for something.

    Raises ConfigError with all that the provider needs and has not.
    """
    settings = environment.load(need=False)
    given = {name: value.reveal() for name, value in settings.others.items()}
    found: list[Problem] = []
    provideroptions.check(
        settings.whatsapp_provider,
        given,
        True,
        lambda name, what: found.append(_problem(f"{name}: {what}")),
    )
    if found:
        raise ConfigError(found)
    return settings


def of_parts(settings: Settings, known: list[Problem]) -> list[Problem]:
    """Return what is wrong with panel, provider and directory, besides *known*.

    Of a setting that is wrong already nothing more is said.
    """
    told = {_setting(problem) for problem in known}
    parts: list[Callable[[], object]] = [
        lambda: wiring.make_provider(settings, wiring.now)
    ]
    if "BRIDGE_PANEL" not in told:
        parts.append(lambda: wiring.make_panel(settings, None))
    found: list[Problem] = []
    for make in parts:
        try:
            make()
        except ConfigError as error:
            found += [one for one in error.problems if _setting(one) not in told]
    if not settings.config_dir.is_dir():
        found += of_map(settings.config_dir)
    return found


def _setting(problem: Problem) -> str:
    return problem.what.partition(":")[0]


def of_map(directory: Path) -> list[Problem]:
    """Return what is wrong with map and texts, or that there are none."""
    from bridge.hookmap import check_map

    if not directory.is_dir():
        what = f"{directory}: there is no such directory; `whmcs-bridge init` makes one"
        return [_problem(f"BRIDGE_CONFIG_DIR: {what}")]
    return [problem for problem in check_map(directory) if problem.level == "error"]


def _address(settings: Settings, known: list[Problem]) -> list[Problem]:
    """Return why the address cannot be listened on, as far as a look can tell."""
    if "BRIDGE_LISTEN" in map(_setting, known):
        return []
    host, port = settings.listen_host, settings.listen_port
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # by this bridge, perhaps: its lock says so
            return []
        why = error.strerror or str(error)
        return [_problem(f"BRIDGE_LISTEN: cannot listen on {host}:{port}: {why}")]
    return []


def _problem(what: str) -> Problem:
    return Problem("environment", 0, 0, what)
