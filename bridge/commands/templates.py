"""templates: the provider's approved templates, held against our texts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from functools import partial

import click

from bridge import logs, upkeep, wiring
from bridge.commands.comparing import Line, compare, in_use, submit
from bridge.commands.events import to_read
from bridge.commands.shared import show, sure, table
from bridge.commands.starting import to_send
from bridge.errors import RemoteError
from bridge.hookmap import HookMap, load_map
from bridge.settings import Settings
from bridge.store import Store, schema
from bridge.whatsapp import Provider, TemplateState

#: States of ours in which nothing is to be done.
_FINE = ("approved", "pending")


@click.group("templates")
def templates_command() -> None:
    """The provider's approved templates against our texts."""


_name = click.option("--name", "names", multiple=True, help="Only this text.")
_language = click.option(
    "--language", "languages", multiple=True, help="Only this language."
)


@templates_command.command("list")
@_name
@_language
@click.option("--json", "as_json", is_flag=True)
def list_(names: tuple[str, ...], languages: tuple[str, ...], as_json: bool) -> None:
    """Show each text's template: approved, pending, rejected, missing, changed.

    Exit status 1 where one can neither be sent nor is being looked at.
    """
    settings, provider, hookmap = _parts()
    if not provider.windowed:
        return _none(provider, as_json)
    states = provider.templates()
    with to_read(settings) as there:
        _keep(there, states)
    lines = _chosen(compare(hookmap, states, _today(settings)), names, languages)
    if as_json:
        show([line.shown() for line in lines])
    else:
        head = ["text", "language", "state", "category", "reason"]
        rows = [
            [line.name, line.language, line.state, line.category, line.reason]
            for line in lines
        ]
        table(head, rows, "No texts.")
        _sum_up(lines, states, hookmap)
    if any(line.state not in _FINE for line in lines):
        sys.exit(1)
    return None


@templates_command.command("push")
@_name
@_language
@click.option("--dry-run", is_flag=True, help="Only say what would be submitted.")
@click.option("--yes", is_flag=True, help="Do not ask before more than 20.")
@click.option("--json", "as_json", is_flag=True)
def push(
    names: tuple[str, ...],
    languages: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Submit the texts whose template is missing or says something else."""
    settings, provider, hookmap = _parts()
    if not provider.windowed:
        return _none(provider, as_json)
    states = provider.templates()
    every = _chosen(compare(hookmap, states, _today(settings)), names, languages)
    lines = [line for line in every if line.wanting]
    unfit = [line for line in every if line.state == "unfit"]
    if dry_run or settings.dry_run:
        _rehearsed(lines, unfit, as_json, settings.dry_run and not dry_run)
        sys.exit(1 if unfit else 0)
    sure(len(lines), "templates", yes)
    with to_read(settings, only=not lines) as there:
        done = _pushed(there, provider, states, lines)
    done += [(line, line.reason) for line in unfit]
    if as_json:
        show([_outcome(line, what) for line, what in done])
    bad = [(line, what) for line, what in done if not isinstance(what, TemplateState)]
    for line, what in bad:
        click.echo(f"{line.name} ({line.language}): {what}", err=True)
    click.echo(f"{len(done) - len(bad)} submitted, {len(bad)} failed.", err=True)
    if bad:
        sys.exit(1)
    return None


Outcome = tuple[Line, TemplateState | RemoteError | str]


def _pushed(
    settings: Settings,
    provider: Provider,
    states: list[TemplateState],
    lines: list[Line],
) -> list[Outcome]:
    """Submit, show how far it is, and keep what is known, whatever happens."""
    kept = [*states]
    done: list[Outcome] = []
    try:
        for line, what in submit(provider, lines):
            done.append((line, what))
            _progress(len(done), len(lines))
            if isinstance(what, TemplateState):
                kept = [one for one in kept if one.id != what.id]
                kept.append(what)
    finally:
        _keep(settings, kept)
        if done and len(done) < len(lines):
            told = f"{len(done)} of {len(lines)} were dealt with before it stopped."
            click.echo(f"{told} The rest: the same command again.", err=True)
    return done


def _parts() -> tuple[Settings, Provider, HookMap]:
    """Return settings, provider and map. Raises ConfigError for what is wrong."""
    logs.configure("error")
    settings = to_send()
    provider = wiring.make_provider(settings, wiring.now)
    return settings, provider, load_map(settings.config_dir)


def _today(settings: Settings) -> date:
    return wiring.now().astimezone(settings.zone).date()


def _keep(settings: Settings, states: list[TemplateState]) -> None:
    """Bring the store's table up to what the provider has."""
    schema.migrate(settings.database_url)
    with closing(Store(settings.database_url, readers=1)) as store:
        kept = partial(upkeep.keep_templates, states=states, now=wiring.now())
        store.write(kept)


def _none(provider: Provider, as_json: bool) -> None:
    if as_json:
        show([])
    what = "it sends the texts as they are, at any time"
    click.echo(f"{provider.name} has no templates: {what}.", err=True)


def _chosen(
    lines: list[Line], names: tuple[str, ...], languages: tuple[str, ...]
) -> list[Line]:
    """Return the lines that were asked for; raises BadParameter for unknown words."""
    for option, given, known in (
        ("--name", names, {line.name for line in lines}),
        ("--language", languages, {line.language for line in lines}),
    ):
        for word in given:
            if word not in known:
                what = f'"{word}" is none of {", ".join(sorted(known))}'
                raise click.BadParameter(what, param_hint=option)
    return [
        line
        for line in lines
        if (not names or line.name in names)
        and (not languages or line.language in languages)
    ]


def _sum_up(
    lines: list[Line], states: Sequence[TemplateState], hookmap: HookMap
) -> None:
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.state] = counts.get(line.state, 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    click.echo(f"{told}.", err=True)
    strange = {one.name for one in states} - in_use(hookmap)
    if strange:
        names = "name" if len(strange) == 1 else "names"
        what = f"{names} at the provider that the map does not use: left alone"
        click.echo(f"{len(strange)} {what}.", err=True)
    if any(line.wanting for line in lines):
        click.echo("Submit them: whmcs-bridge templates push", err=True)


def _rehearsed(
    lines: list[Line], unfit: list[Line], as_json: bool, by_setting: bool
) -> None:
    if as_json:
        show([line.shown() for line in (*lines, *unfit)])
    else:
        for line in lines:
            click.echo(f"would submit: {line.name} ({line.language}), {line.state}")
        for line in unfit:
            click.echo(f"{line.name} ({line.language}): {line.reason}", err=True)
        click.echo(f"{len(lines)} would be submitted.", err=True)
    if by_setting:
        click.echo("(BRIDGE_DRY_RUN is true: nothing was submitted.)", err=True)


def _outcome(line: Line, what: TemplateState | RemoteError | str) -> dict[str, str]:
    if isinstance(what, TemplateState):
        told = {"state": what.status.lower(), "category": what.category, "id": what.id}
        return line.shown() | told | {"reason": what.reason}
    return line.shown() | {"state": "failed", "reason": str(what)}


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\rsubmitting: {done}/{total}", nl=done == total, err=True)
