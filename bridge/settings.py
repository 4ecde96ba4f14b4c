"""The environment and .env, checked: every problem at once, secrets kept dark."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from bridge import provideroptions
from bridge.environ import Reader, read_environment, unread_lines
from bridge.errors import ConfigError, Problem
from bridge.signing import read_secret

LANGUAGES = ("es", "en", "pt_BR")
PROVIDERS = ("console", "cloud", "twilio", "evolution", "waha")
LEVELS = ("debug", "info", "warning", "error")
DATE_FORMATS = (
    "DD/MM/YYYY",
    "DD.MM.YYYY",
    "DD-MM-YYYY",
    "MM/DD/YYYY",
    "YYYY/MM/DD",
    "YYYY-MM-DD",
)
#: Longest time of one call to the panel that may be set, in seconds. An acting job is
#: claimed for longer than that, or it could be taken anew during the call.
LONGEST_CALL = 120
#: How the names of those end that are secrets, among those of the providers.
_SECRET = ("_TOKEN", "_SECRET", "_KEY")
_PANEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")


class Secret:
    """A text that is never shown: not by `str`, `repr`, a log or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True)
class Settings:
    """Everything from the environment, ready to use. Times are in seconds."""

    panel: str = "whmcs"
    signing_secrets: tuple[Secret, ...] = ()
    database_url: str = field(default="sqlite:///data/bridge.db", repr=False)
    config_dir: Path = Path("config")
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    public_url: str = ""
    timezone: str = "America/Argentina/Buenos_Aires"
    default_country: str = "AR"
    language: str = "es"
    dry_run: bool = True
    workers: int = 32
    one_core: bool = True
    decision_seconds: float = 2.0
    trusted_proxies: int = 0
    metrics_allow: tuple[str, ...] = ("127.0.0.1",)
    console_allow: tuple[str, ...] = ("127.0.0.1", "::1")
    retention_days: int = 90
    whmcs_url: str = ""
    whmcs_identifier: Secret = field(default_factory=lambda: Secret(""))
    whmcs_secret: Secret = field(default_factory=lambda: Secret(""))
    whmcs_access_key: Secret = field(default_factory=lambda: Secret(""))
    whmcs_date_format: str = "DD/MM/YYYY"
    whmcs_timeout: float = 10.0
    whatsapp_provider: str = "console"
    whatsapp_console_file: Path | None = None
    log_level: str = "info"
    sentry_dsn: Secret = field(default_factory=lambda: Secret(""))
    others: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The panel's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def keys(self) -> list[bytes]:
        """The signing keys, newest first."""
        return [read_secret(secret.reveal()) for secret in self.signing_secrets]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must be on no surface, for who takes it out of texts."""
        known = [*self.signing_secrets, self.whmcs_identifier, self.whmcs_secret]
        known += [self.whmcs_access_key, self.sentry_dsn]
        known += [v for k, v in self.others.items() if k.endswith(_SECRET)]
        words = [
            word for one in known for word in one.reveal().replace(",", " ").split()
        ]
        words += [key.decode("latin-1") for key in self.keys]
        named = urlsplit(self.sentry_dsn.reveal()).username
        password = urlsplit(self.database_url).password
        words += [unquote(part) for part in (named, password) if part]
        return tuple(dict.fromkeys(words))

    @property
    def here(self) -> str:
        """Host and port at which this machine reaches the receiver."""
        every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        return address(every.get(self.listen_host, self.listen_host), self.listen_port)

    @property
    def sqlite(self) -> bool:
        """Whether one process owns the store, as a file."""
        return self.database_url.startswith("sqlite")


def address(host: str, port: int) -> str:
    """Return host and port as one word; an IPv6 address stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def load(environ: Mapping[str, str] | None = None, *, need: bool = True) -> Settings:
    """Read and check all settings.

    With *need* false (commands that only read files) required ones may be
    missing. Raises ConfigError with every problem.
    """
    settings, problems = examine(environ, need=need)
    if problems:
        raise ConfigError(problems)
    return settings


def examine(
    environ: Mapping[str, str] | None = None, *, need: bool = True
) -> tuple[Settings, list[Problem]]:
    """Return the settings and all that is wrong with them.

    What is wrong has its default, so that more can be looked at; such settings are
    not for use. Raises ConfigError where `.env` cannot be read.
    """
    reader = Reader(read_environment() if environ is None else environ)
    reader.problems += unread_lines() if environ is None else []
    return _read(reader, need), reader.problems


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: "America" is a directory
        return False
    return True


def _country(reader: Reader) -> str:
    from phonenumbers import SUPPORTED_REGIONS  # most commands never need them

    country = reader.text("BRIDGE_DEFAULT_COUNTRY", "AR").upper()
    if country not in SUPPORTED_REGIONS:
        what = f'no country "{country}" (its two letters of ISO 3166, as AR)'
        reader.wrong("BRIDGE_DEFAULT_COUNTRY", what)
    return country


def _read(reader: Reader, need: bool) -> Settings:
    host, port = _listen(reader)
    timezone = reader.text("BRIDGE_TIMEZONE", Settings.timezone)
    if not _is_zone(timezone):
        reader.wrong("BRIDGE_TIMEZONE", f'no time zone "{timezone}" (as Area/City)')
        timezone = Settings.timezone
    panel = reader.text("BRIDGE_PANEL", "whmcs")
    if not _PANEL_NAME.match(panel):
        reader.wrong("BRIDGE_PANEL", f'"{panel}": small letters, digits and _ only')
    console_file = reader.text("WHATSAPP_CONSOLE_FILE")
    public = reader.address("BRIDGE_PUBLIC_URL", False, "")
    provider = reader.choice("WHATSAPP_PROVIDER", "console", PROVIDERS)
    if provider == "twilio" and "_" in (urlsplit(public).hostname or ""):
        what = "Twilio refuses every message that names a host with an underscore"
        reader.wrong("BRIDGE_PUBLIC_URL", what)
    found = Settings(
        panel=panel,
        signing_secrets=_secrets(reader, need),
        database_url=_database(reader),
        config_dir=Path(reader.text("BRIDGE_CONFIG_DIR", "config")),
        listen_host=host,
        listen_port=port,
        public_url=public,
        timezone=timezone,
        default_country=_country(reader),
        language=reader.choice("BRIDGE_LANG", "es", LANGUAGES),
        dry_run=reader.flag("BRIDGE_DRY_RUN", True),
        workers=reader.number("BRIDGE_WORKERS", 32, 1, 512),
        one_core=reader.flag("BRIDGE_ONE_CORE", True),
        decision_seconds=reader.seconds("BRIDGE_DECISION_SECONDS", 2.0),
        trusted_proxies=reader.number("BRIDGE_TRUSTED_PROXIES", 0, 0, 10),
        metrics_allow=_networks(reader, "BRIDGE_METRICS_ALLOW", "127.0.0.1"),
        console_allow=_networks(reader, "BRIDGE_CONSOLE_ALLOW", "127.0.0.1,::1"),
        retention_days=reader.number("BRIDGE_RETENTION_DAYS", 90, 31, 3650),
        whmcs_url=reader.address(
            "WHMCS_URL", need, "the panel's base address, as https://panel.example"
        ),
        whmcs_identifier=Secret(
            reader.needed(
                "WHMCS_API_IDENTIFIER", need, "an API credential's identifier"
            )
        ),
        whmcs_secret=Secret(
            reader.needed("WHMCS_API_SECRET", need, "the API credential's secret")
        ),
        whmcs_access_key=Secret(reader.text("WHMCS_API_ACCESS_KEY")),
        whmcs_date_format=reader.choice(
            "WHMCS_DATE_FORMAT", "DD/MM/YYYY", DATE_FORMATS
        ),
        whmcs_timeout=reader.seconds("WHMCS_TIMEOUT_SECONDS", 10.0, LONGEST_CALL),
        whatsapp_provider=provider,
        whatsapp_console_file=Path(console_file) if console_file else None,
        log_level=reader.choice("LOG_LEVEL", "info", LEVELS),
        sentry_dsn=Secret(reader.text("SENTRY_DSN")),
        others=_others(reader, provider, need),
    )
    reader.misspelt("BRIDGE_", "WHMCS_")
    return found


def _secrets(reader: Reader, need: bool) -> tuple[Secret, ...]:
    name = "BRIDGE_SIGNING_SECRETS"
    text = reader.needed(name, need, "make one with `whmcs-bridge init`")
    found = [Secret(word) for word in text.replace(",", " ").split()]
    if text and not found:
        reader.wrong(name, "holds no secret; make one with `whmcs-bridge init`")
    for position, secret in enumerate(found, 1):
        try:
            read_secret(secret.reveal())
        except ValueError as error:
            reader.wrong(name, f"number {position}: {error}")
    return tuple(found)


def _database(reader: Reader) -> str:
    name = "BRIDGE_DATABASE_URL"
    url = reader.text(name, "sqlite:///data/bridge.db")
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path in ("", ":memory:") or "?" in path:
            reader.wrong(name, "a plain path to a file, as sqlite:///data/bridge.db")
    elif not url.startswith("postgresql+psycopg://"):
        reader.wrong(name, "begins with sqlite:/// or postgresql+psycopg://")
    elif _no_port(url):
        reader.wrong(name, "not an address")
    elif urlsplit(url).netloc.count("@") > 1:
        reader.wrong(name, "an @ in the user's name or password is written %40")
    return url


def _no_port(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018  (reading it is the check)
    except ValueError:
        return True
    return False


def _listen(reader: Reader) -> tuple[str, int]:
    text = reader.text("BRIDGE_LISTEN", "127.0.0.1:8080")
    host, colon, port = text.rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not digits or int(port) > 65535:
        reader.wrong("BRIDGE_LISTEN", f'"{text}" is not address:port')
        return "127.0.0.1", 8080
    return host.strip("[]") or "127.0.0.1", int(port)


def _networks(reader: Reader, name: str, default: str) -> tuple[str, ...]:
    text = reader.text(name, default)
    words = tuple(text.replace(",", " ").split())
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            reader.wrong(name, f'"{word}" is no address or network')
    return words


def _others(reader: Reader, provider: str, need: bool) -> dict[str, Secret]:
    """Return what is set for providers; that of the chosen one is checked."""
    names = {
        name if name == "WHATSAPP_CONSOLE_FILE" else name.removesuffix("_FILE")
        for name, value in reader.environ.items()
        if name.startswith("WHATSAPP_") and value
    }
    known = len(reader.problems)
    found = {name: reader.text(name) for name in sorted(names)}
    unread = {problem.what.split("_FILE:")[0] for problem in reader.problems[known:]}

    def wrong(name: str, what: str) -> None:
        if name not in unread:
            reader.wrong(name, what)

    provideroptions.check(provider, found, need, wrong)
    return {name: Secret(value) for name, value in found.items() if value}


def describe(settings: Settings) -> dict[str, Any]:
    """Return what may be shown of the settings: never a secret."""
    return {
        "panel": settings.panel,
        "database": settings.database_url.split("@")[-1].split("?")[0],
        "listen": address(settings.listen_host, settings.listen_port),
        "timezone": settings.timezone,
        "provider": settings.whatsapp_provider,
        "dry_run": settings.dry_run,
        "workers": settings.workers,
    }
