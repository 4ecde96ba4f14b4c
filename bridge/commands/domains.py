"""domains: a domain cannot be cancelled, only be left unrenewed."""

from __future__ import annotations

import sys
from typing import Any

import click
import sqlalchemy as sa

from bridge import logs, wiring
from bridge import settings as environment
from bridge.billing.model import Domain
from bridge.commands.shared import show, who
from bridge.errors import Reason, RemoteError
from bridge.store import book, outbox
from bridge.store.outbox import NewJob


@click.group("domains")
def domains_command() -> None:
    """Domains: which are not renewed."""


@domains_command.command("stop-renewal")
@click.argument("domain")
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def stop_renewal(domain: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Set "do not renew" on DOMAIN (its name or number); its owner is told."""
    settings = environment.load()
    logs.configure("error")
    bridge = wiring.build(settings)
    try:
        found = _find(bridge, domain)
        until = found.expires or "an unknown day"
        what = f"{found.name} (client {found.client_id}), which stays until {until}"
        if not found.renews:
            raise click.ClickException(f"Not renewed already: {what}.")
        if dry_run:
            click.echo(f"would not renew: {what}")
            return
        if not yes:
            click.confirm(f"Not renew {what}?", abort=True, err=True)
        _stop(bridge, found, as_json)
    finally:
        bridge.close()


def _find(bridge: Any, typed: str) -> Domain:
    """Return the domain that was typed, as people copy it: any case, a last dot."""
    panel = bridge.bench.panel
    domain = typed.strip().rstrip(".").strip().lower()
    if not domain:
        raise click.ClickException("Give the domain's name or its number.")
    numbered = domain.isascii() and domain.isdigit() and len(domain) < 10
    try:
        rows: list[Domain] = (
            [panel.domain(int(domain))] if numbered else panel.domains_named(domain)
        )
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            raise click.ClickException(f"Not found: {error.detail}.") from error
        raise
    active = [one for one in rows if one.status.casefold() == "active"] or rows
    if not active:
        raise click.ClickException(f'The panel knows no domain "{domain}".')
    if len(active) > 1:
        numbers = ", ".join(str(one.id) for one in active)
        raise click.ClickException(
            f'Several domains are called "{domain}": give the number ({numbers}).'
        )
    return active[0]


def _stop(bridge: Any, domain: Domain, as_json: bool) -> None:
    now = bridge.bench.now()
    job = NewJob(
        key=f"domain:{domain.id}/stop:{int(now.timestamp())}",
        event_id=None,
        action="stop_domain_renewal",
        rule="domain",
        run_at=now,
        parameters={"domain_id": domain.id, "client_id": domain.client_id},
        acts=True,
        client_id=domain.client_id,
    )

    def put(db: sa.Connection) -> None:
        book.note(db, now, who(), "stop renewal", job.key, domain=domain.name)
        outbox.put(db, [job], now)

    bridge.store.write(put)
    finish = bridge.worker.run_one(job.key)
    if finish is None:
        click.echo("A running bridge took it.", err=True)
        return
    if as_json:
        show({"domain": domain.name, "state": finish.state, "reason": finish.reason})
    else:
        click.echo(f"{finish.state}: {finish.reason or domain.name}")
    if finish.state not in ("done", "rehearsed"):
        sys.exit(1)
