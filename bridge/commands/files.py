"""init, check, schema, hooks: what only reads and writes files."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path
from typing import Any

import click

from bridge import settings as environment
from bridge.commands.shared import shorten, show, table
from bridge.errors import ConfigError, Problem


@click.command("init")
@click.argument("directory", default=".", type=click.Path(path_type=Path))
def init_command(directory: Path) -> None:
    """Make config/ and .env with fresh secrets in DIRECTORY; overwrite nothing."""
    source = default_config()
    made: list[Path] = []
    kept: list[Path] = []
    for path in sorted(source.rglob("*")):
        if path.is_dir() or path.name == "env.example":
            continue
        target = directory / "config" / path.relative_to(source)
        (kept if not _copy(path, target) else made).append(target)
    dotenv = directory / ".env"
    (made if _write_env(source / "env.example", dotenv) else kept).append(dotenv)
    click.echo(f"{len(made)} files made, {len(kept)} were there and stay as they are.")
    click.echo(f"""
Next:
  1. Edit {shorten(dotenv)}: the panel's address and API credential.
  2. Edit {shorten(directory / "config" / "hooks.yaml")}: your company, and what
     happens at which hookpoint; `whmcs-bridge check` tells every mistake.
  3. `whmcs-bridge doctor`, then `whmcs-bridge run`. It starts as a dry run:
     nothing is sent or changed until BRIDGE_DRY_RUN=false.""")


def default_config() -> Path:
    """Return where the default map and texts lie: the checkout, or as installed."""
    here = Path(__file__).resolve().parents[2] / "config"
    below = Path("share", "whmcs-bridge", "config")
    places = [here, Path(sysconfig.get_path("data")) / below]
    places.append(Path(site.getuserbase()) / below)
    for place in places:
        if (place / "hooks.yaml").is_file():
            return place
    raise click.ClickException(
        "The default map was not installed with the program; install it again."
    )


def _copy(source: Path, target: Path) -> bool:
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return True


def _write_env(template: Path, target: Path) -> bool:
    from bridge.signing import new_secret

    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    text = template.read_text(encoding="utf-8")
    line = "BRIDGE_SIGNING_SECRETS="
    text = text.replace(f"{line}\n", f"{line}{new_secret()}\n", 1)
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return True


@click.command("check")
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def check_command(file: Path | None, form: str, as_json: bool) -> None:
    """Check the map (or FILE), the texts and the environment, all at once."""
    from bridge.hookmap import check_map

    problems = _environment()
    directory = environment.examine(need=False)[0].config_dir
    if not directory.is_dir():
        what = f"{directory}: there is no such directory; `whmcs-bridge init` makes one"
        problems.append(Problem("environment", 0, 0, f"BRIDGE_CONFIG_DIR: {what}"))
    else:
        problems += check_map(directory, file)
    problems.sort()
    _print(problems, "json" if as_json else form)
    errors = sum(problem.level == "error" for problem in problems)
    if form == "text" and not as_json:
        _summary(errors, len(problems) - errors)
    sys.exit(1 if errors else 0)


def _environment() -> list[Problem]:
    """Return what is wrong with the environment; what is only missing warns."""
    wrong: list[Problem] = []
    missing: list[Problem] = []
    try:
        environment.load(need=False)
    except ConfigError as error:
        wrong = error.problems
    try:
        environment.load(need=True)
    except ConfigError as error:
        missing = [
            Problem(p.file, p.line, p.column, p.what, "warning")
            for p in error.problems
            if p not in wrong
        ]
    return wrong + missing


def _print(problems: list[Problem], form: str) -> None:
    if form == "json":
        names = ("file", "line", "column", "level", "what")
        return show([{n: getattr(p, n) for n in names} for p in problems])
    for problem in problems:
        if form == "github":
            place = f"file={problem.file},line={problem.line},col={problem.column}"
            click.echo(f"::{problem.level} {place}::{problem.what}")
        else:
            click.echo(str(problem))
    return None


def _summary(errors: int, warnings: int) -> None:
    parts = []
    if errors:
        parts.append(f"{errors} problem{'s' * (errors != 1)}")
    if warnings:
        parts.append(f"{warnings} warning{'s' * (warnings != 1)}")
    if errors:
        click.echo(
            ", ".join(parts) + "; a running bridge keeps the map it has.", err=True
        )
    else:
        click.echo(f"All is well{' (' + parts[0] + ')' if parts else ''}.", err=True)


@click.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the map, for editors."""
    from bridge.hookmap import json_schema

    show(json_schema())


@click.group("hooks")
def hooks_command() -> None:
    """Known hookpoints, their variables, and the rules that use them."""


@hooks_command.command("list")
@click.option("--used", is_flag=True, help="Only those that the map uses.")
@click.option("--json", "as_json", is_flag=True)
def hooks_list(used: bool, as_json: bool) -> None:
    """List the hookpoints that WHMCS documents."""
    from bridge.events import catalogue

    rules = _rules()
    rows: list[dict[str, Any]] = [
        {
            "hookpoint": point.name,
            "category": point.category,
            "answers": point.answers,
            "deprecated": point.deprecated,
            "rules": rules.get(point.name, []),
        }
        for point in catalogue().values()
        if not used or point.name in rules
    ]
    if as_json:
        return show(rows)
    shown = [
        [
            row["hookpoint"],
            row["category"],
            "waits" if row["answers"] else "",
            ", ".join(row["rules"]),
        ]
        for row in rows
    ]
    table(["hookpoint", "category", "panel", "rules"], shown)


@hooks_command.command("show")
@click.argument("hookpoint")
@click.option("--json", "as_json", is_flag=True)
def hooks_show(hookpoint: str, as_json: bool) -> None:
    """Show what HOOKPOINT carries, and what its texts and conditions may name."""
    from difflib import get_close_matches

    from bridge.events import catalogue

    known = catalogue()
    if hookpoint not in known:
        near = get_close_matches(hookpoint, known, 1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise click.UsageError(f'WHMCS documents no hookpoint "{hookpoint}".{hint}')
    point = known[hookpoint]
    variables = _variables(hookpoint)
    if as_json:
        found = {"fields": point.fields, "variables": variables}
        return show(
            {"hookpoint": hookpoint, "rules": _rules().get(hookpoint, [])} | found
        )
    click.echo(f"{hookpoint} ({point.category})")
    if point.replacement:
        click.echo(f"Deprecated: use {point.replacement}.")
    click.echo("\nIt carries:")
    table(["field", "type"], sorted(point.fields.items()), "  nothing that is kept")
    click.echo("\nTexts and conditions may name:")
    rows = [
        [f"{v}.{f}", m] for v, fields in variables.items() for f, m in fields.items()
    ]
    table(["variable", "meaning"], rows)
    click.echo("\nRules: " + (", ".join(_rules().get(hookpoint, [])) or "none"))
    return None


def _variables(hookpoint: str) -> dict[str, dict[str, str]]:
    from bridge.events import catalogue
    from bridge.mapscope import reachable
    from bridge.variables import FIELDS

    reached = reachable(hookpoint)
    found: dict[str, dict[str, str]] = {}
    for name, fields in FIELDS.items():
        if fields and (reached is None or name in reached):
            found[name] = {field: meaning for field, (_, meaning) in fields.items()}
    for name in catalogue()[hookpoint].fields:
        leaf = name.rpartition(".")[2]
        found["event"].setdefault(leaf, "as the panel sends it")
    return found


def _rules() -> dict[str, list[str]]:
    """Return the map's rules by hookpoint; nothing where the map is not good."""
    from bridge.hookmap import load_map

    try:
        found = load_map(environment.examine(need=False)[0].config_dir)
    except ConfigError:
        click.echo("(The map has problems: `whmcs-bridge check`.)", err=True)
        return {}
    rules = {name: [rule.name for rule in some] for name, some in found.rules.items()}
    for name, decision in found.decisions.items():
        rules.setdefault(name, []).append(decision.do)
    return rules
