"""whmcs-bridge: the command line. Commands are loaded when they are called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from bridge import __version__
from bridge.errors import (
    BridgeError,
    ConfigError,
    RemoteError,
    StoreUnavailable,
    StoreUnusable,
)

#: command -> (module under bridge.commands, what it does)
COMMANDS = {
    "demo": ("demo", "A simulated panel and a month of its life, played here."),
    "init": ("files", "Make config/ and .env with fresh secrets."),
    "check": ("files", "Check map, texts and environment: all problems at once."),
    "schema": ("files", "Print the JSON Schema of the map, for editors."),
    "hooks": ("files", "Known hookpoints, their variables, the rules that use them."),
    "addon": ("addon", "The panel's add-on, ready to upload."),
    "run": ("running", "Receiver, worker and scheduler in one process."),
    "serve": ("running", "Only the receiver (PostgreSQL)."),
    "worker": ("running", "Only worker and scheduler (PostgreSQL)."),
    "db": ("running", "The store: upgrade, status, backup."),
    "doctor": ("doctor", "Look whether everything outside is as it should be."),
    "try": ("trying", "Show what the active map would do; nothing is sent."),
    "trigger": ("trying", "Post a signed delivery to a running bridge."),
    "events": ("events", "What came in, and what became of it."),
    "cancellations": ("cancellations", "What ends when, and why that day."),
    "upgrade": ("upgrades", "The difference between plans, and its invoice."),
    "transfers": ("transfers", "Changes of owner, with the evidence."),
    "domains": ("domains", "Leave a domain unrenewed."),
    "reconcile": ("cancellations", "Compare with the panel, and mend."),
    "templates": ("templates", "The provider's templates against our texts."),
    "notify": ("notifying", "Send one test message."),
    "operators": ("operators", "Who may log in to the console."),
}
#: Other names of commands.
ALIASES = {"user": "operators"}


class Commands(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return one command."""
        name = ALIASES.get(name, name)
        if name not in COMMANDS:
            return None
        module = import_module(f"bridge.commands.{COMMANDS[name][0]}")
        found: click.Command = getattr(module, f"{name}_command")
        return found

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, does) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a mistyped one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            raise click.UsageError(f'No command "{args[0]}".{hint}', ctx) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whmcs-bridge")
def cli() -> None:
    """Take a billing panel's hooks and do what config/hooks.yaml says.

    Exit status: 0 done, 1 findings or failed items, 2 usage, 3 bad
    configuration, 4 panel or provider unreachable.
    """


def main(args: list[str] | None = None) -> None:
    """Run a command; errors on purpose become sentences and an exit status."""
    _open_streams()
    try:
        status = cli(args=args, standalone_mode=False)
        sys.stdout.flush()
    except OSError as error:
        status = _system(error)
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        click.echo("Stopped.", err=True)
        status = 130 if _interrupted(error) else 1
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except BridgeError as error:
        status = _on_purpose(error)
    sys.exit(status if isinstance(status, int) else 0)


def _open_streams() -> None:
    """Let output that was closed go nowhere, and no file opened later take its place.

    Opened in order: each takes the lowest number that is free, its stream's own.
    """
    for name, how in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, how, encoding="utf-8"))  # noqa: SIM115


def _interrupted(error: BaseException) -> bool:
    """Tell Ctrl-C from a question that was answered with no."""
    causes = (error, error.__cause__, error.__context__)
    return any(isinstance(one, KeyboardInterrupt) for one in causes)


def _system(error: OSError) -> int:
    """Say what the system refused; a reader that went away is no failure."""
    broken = isinstance(error, BrokenPipeError)
    if not broken:
        why = error.strerror or type(error).__name__
        place = error.filename or "the output cannot be written"
        click.echo(f"{place}: {why}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        # What stands in the buffer is written at exit again: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if broken else 1


def _on_purpose(error: BridgeError) -> int:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            click.echo(str(problem), err=True)
        count = len(error.problems)
        click.echo(f"{count} problem{'s' if count != 1 else ''}.", err=True)
        return 3
    if isinstance(error, StoreUnusable | StoreUnavailable):
        click.echo(f"The store cannot be used: {error}", err=True)
        return 3
    click.echo(str(error), err=True)
    return 4 if isinstance(error, RemoteError) else 1
