"""doctor: whether everything outside is as it should be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import click

from bridge import logs, wiring
from bridge import settings as environment
from bridge.commands.notifying import examine
from bridge.commands.shared import show
from bridge.errors import BridgeError, ConfigError, Reason, RemoteError
from bridge.settings import Settings

_LIMIT = 300


@dataclass(frozen=True)
class Finding:
    """One thing looked at: *level* is ok, warning or error."""

    level: str
    about: str
    what: str


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True)
def doctor_command(as_json: bool) -> None:
    """Look at settings, map, store, panel, permissions, clock and provider."""
    logs.configure("error")
    found: list[Finding] = []
    status = _examine(found.append)
    if as_json:
        show([vars(one) for one in found])
    else:
        marks = {"ok": "✓", "warning": "!", "error": "✗"}
        for one in found:
            click.echo(f"{marks[one.level]} {one.about}: {one.what}")
    if not status and any(one.level == "error" for one in found):
        status = 1
    sys.exit(status)


def _examine(say: Callable[[Finding], None]) -> int:
    """Look at everything; return 3 for bad settings, 4 for a panel that is away."""
    from bridge.commands.starting import of_parts

    settings, problems = environment.examine()
    problems += of_parts(settings, problems)
    if problems:
        for problem in sorted(problems):
            say(Finding("error", "settings", problem.what))
        if settings.config_dir.is_dir():
            _map(settings, say)
        return 3
    say(Finding("ok", "settings", "complete"))
    if settings.dry_run:
        what = "on: nothing is sent or changed (BRIDGE_DRY_RUN)"
        say(Finding("warning", "dry run", what))
    _map(settings, say)
    _store(settings, say)
    examine(settings, lambda found: say(Finding(found.level, "whatsapp", found.what)))
    return 4 if _panel(settings, say) else 0


def _map(settings: Settings, say: Callable[[Finding], None]) -> None:
    from bridge.hookmap import load_map

    try:
        found = load_map(Path(settings.config_dir))
    except ConfigError as error:
        count = len(error.problems)
        say(Finding("error", "map", f"{count} problems: `whmcs-bridge check`"))
        return
    rules = sum(len(some) for some in found.rules.values())
    say(Finding("ok", "map", f"{rules} rules, version {found.version}"))
    if "example" in found.company.client_area:
        what = "company.client_area still is the example's: links would lead nowhere"
        say(Finding("warning", "map", what))


def _store(settings: Settings, say: Callable[[Finding], None]) -> None:
    from bridge.commands.events import to_read
    from bridge.store import schema

    try:
        with to_read(settings) as there:
            found = schema.current(there.database_url)
    except BridgeError as error:
        say(Finding("error", "store", str(error)))
        return
    if found is None:
        say(Finding("ok", "store", "empty; made at the first start"))
    elif found not in schema.known():
        what = f"schema {found} is newer than this program; install its version"
        say(Finding("error", "store", what))
    elif found != schema.newest():
        say(Finding("warning", "store", "older schema: `whmcs-bridge db upgrade`"))
    else:
        say(Finding("ok", "store", f"schema {found}"))
        _inside(settings, say)


def _inside(settings: Settings, say: Callable[[Finding], None]) -> None:
    """Look at what the store says: what is held back, and who may log in."""
    from bridge.store import Store, limits, operators, reports

    store = Store(settings.database_url, readers=1)
    try:
        with store.read() as db:
            why = limits.held(db)
            people = len(operators.everybody(db))
            newest = reports.ahead(db, datetime.now(UTC))
    finally:
        store.close()
    if why is not None:
        what = f"held back: {why}; `whmcs-bridge cancellations release`"
        say(Finding("warning", "terminations", what))
    if newest is not None:
        say(Finding("error", "clock", reports.why_paused(newest)))
    say(_console(settings, people))


def _console(settings: Settings, people: int) -> Finding:
    if not people:
        return Finding("ok", "console", "off: no operators (`operators add NAME`)")
    where = ", ".join(settings.console_allow)
    local = all(
        ip_network(one, strict=False).is_loopback for one in settings.console_allow
    )
    if local or settings.public_url.startswith("https:"):
        who = "1 operator" if people == 1 else f"{people} operators"
        return Finding("ok", "console", f"{who}, open to {where}")
    what = (
        f"open to {where}, but BRIDGE_PUBLIC_URL is not https: passwords could be read"
    )
    return Finding("warning", "console", what)


def _panel(settings: Settings, say: Callable[[Finding], None]) -> bool:
    """Return whether the panel could not be reached."""
    from bridge.transport import Transport

    with Transport(pool=1, total=settings.whmcs_timeout) as transport:
        panel: Any = wiring.make_panel(settings, transport)
        try:
            what = f"version {panel.version()}, address and login taken"
            say(Finding("ok", "panel", what))
        except RemoteError as error:
            say(Finding("error", "panel", str(error)))
            return error.reason in (Reason.UNREACHABLE, Reason.RATE_LIMITED)
        _permissions(panel, say)
        _automation(panel, say)
        _date_format(settings, panel, say)
        _skew(panel, say)
    return False


def _permissions(panel: Any, say: Callable[[Finding], None]) -> None:
    """Ask every reading action about something that is not there."""
    questions: dict[str, Callable[[], Any]] = {
        "GetClientsDetails": lambda: panel.client(2**31 - 1),
        "GetClients": lambda: panel.call("GetClients", limitnum=1),
        "GetUsers": lambda: panel.call("GetUsers", limitnum=1),
        "GetClientsProducts": lambda: panel.service(2**31 - 1),
        "GetProducts": lambda: panel.product(2**31 - 1),
        "GetInvoices": lambda: panel.call("GetInvoices", limitnum=1),
        "GetInvoice": lambda: panel.invoice(2**31 - 1),
        "GetCancelledPackages": lambda: panel.call("GetCancelledPackages", limitnum=1),
        "GetClientsDomains": lambda: panel.domain(2**31 - 1),
        "GetQuotes": lambda: panel.quote(2**31 - 1),
        "GetConfigurationValue": lambda: panel.setting("DateFormat"),
    }
    denied = []
    for action, ask in questions.items():
        try:
            ask()
        except RemoteError as error:
            if error.reason is Reason.MISSING_PERMISSION:
                denied.append(action)
    if denied:
        what = f"the API role does not allow {', '.join(denied)}"
        say(Finding("error", "permissions", what))
    else:
        say(Finding("ok", "permissions", "all reading actions are allowed"))
    writes = sorted(set(panel.actions) - set(questions) - {"WhmcsDetails"})
    what = f"not tried, since they change something: {', '.join(writes)}"
    say(Finding("ok", "permissions", what))


def _automation(panel: Any, say: Callable[[Finding], None]) -> None:
    """See that the panel does not end services by itself as well."""
    try:
        value = panel.setting("AutoCancellationRequests")
    except RemoteError:
        what = (
            "could not be read. See that Automation Settings > Cancellation Requests "
            "is off: only one may end services"
        )
        say(Finding("warning", "cancellations", what))
        return
    if value.casefold() in ("on", "1", "true", "yes"):
        what = (
            "the panel's own automation is ON: it would end services by other rules. "
            "Switch Automation Settings > Cancellation Requests off"
        )
        say(Finding("error", "cancellations", what))
    else:
        say(Finding("ok", "cancellations", "the panel's own automation is off"))


def _date_format(
    settings: Settings, panel: Any, say: Callable[[Finding], None]
) -> None:
    """Compare the form of dates: a period is read out of an invoice line's text."""
    try:
        value = panel.setting("DateFormat")
    except RemoteError:
        what = "the panel's could not be read; see WHMCS_DATE_FORMAT"
        say(Finding("warning", "date format", what))
        return
    ours = settings.whmcs_date_format
    if value.strip().upper() == ours:
        say(Finding("ok", "date format", ours))
    else:
        what = f"the panel writes {value}, WHMCS_DATE_FORMAT says {ours}"
        say(Finding("error", "date format", what))


def _skew(panel: Any, say: Callable[[Finding], None]) -> None:
    """Compare our clock with the one that the panel's answers told."""
    apart = panel.clock_off()
    if apart is None:
        say(Finding("warning", "clock", "the panel does not tell its time"))
        return
    off = apart.total_seconds()
    level = "error" if abs(off) > _LIMIT else "ok" if abs(off) < 60 else "warning"
    what = f"{off:+.0f} s from the panel's (deliveries may be {_LIMIT} s off)"
    say(Finding(level, "clock", what))
