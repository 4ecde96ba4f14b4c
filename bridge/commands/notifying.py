"""notify, and what doctor asks of WhatsApp: whether messages go out and come in."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import click
import sqlalchemy as sa

from bridge import __version__, wiring
from bridge.commands.comparing import compare, in_use, variables_of
from bridge.commands.events import to_read
from bridge.commands.shared import show
from bridge.commands.starting import to_send
from bridge.errors import (
    ConfigError,
    ErrorClass,
    RemoteError,
    SendError,
    StoreUnavailable,
    StoreUnusable,
)
from bridge.forming import form_of, to_other_form
from bridge.hookmap import HookMap, load_map
from bridge.ledger import keep_messages
from bridge.settings import Settings
from bridge.store import Store, engines, schema, talk
from bridge.store.recipients import DAY
from bridge.tier import reserve
from bridge.transport import Answer, Call, Transport
from bridge.whatsapp import Health, Message, Provider, Receipt, TemplateState
from bridge.whatsapp.phones import explain, normalise
from bridge.whatsapp.templates import chosen, current, says

_TEXT = "Mensaje de prueba del puente. / A test message of the bridge."
#: Templates that may stand in for a test outside the 24 hours: Meta gives the first
#: to every account, approved (https://developers.facebook.com/docs/whatsapp/cloud-api/get-started).
_STAND_INS = ("hello_world", "welcome")
#: How long our own public address may take to answer, in seconds.
_PATIENCE = 10.0

Say = Callable[[Health], None]
T = TypeVar("T")


# --- doctor ---


def examine(settings: Settings, say: Say) -> None:
    """Look at the configured provider: login, number, templates, webhook, session."""
    try:
        provider = wiring.make_provider(settings, wiring.now)
    except ConfigError as error:
        say(Health("error", str(error)))
        return
    if provider.name == "console":
        what = "console: messages are printed, nobody receives them"
        say(Health("warning", what))
        return
    say(Health("ok", f"{provider.name}, number {provider.number}"))
    if not provider.windowed:
        what = "a gateway drives a phone account: Meta may ban the number at any time"
        say(Health("warning", what))
    found = provider.health()
    for one in found:
        say(one)
    if provider.windowed and not any(one.level == "error" for one in found):
        _templates(settings, provider, say)
        if (counted := _counted(settings, provider)) is not None:
            say(counted)
    if settings.public_url:
        with Transport(pool=1, total=_PATIENCE, version=__version__) as transport:
            say(webhook(settings.public_url, provider, transport))


def _counted(settings: Settings, provider: Provider) -> Health | None:
    """Say how many of the day's people are written to, where they are limited."""
    try:
        limit = provider.people_a_day()
    except RemoteError as error:
        return Health("warning", f"the messaging limit is not known ({error.detail})")
    if not limit:
        return None
    used = len(_of_store(settings, _reached(provider.name)) or ())
    level = "warning" if used >= limit - reserve(limit) else "ok"
    what = f"{used} of {limit} people a day were written to outside the 24 hours"
    return Health(level, what)


def _reached(name: str) -> Callable[[sa.Connection], dict[str, datetime]]:
    return lambda db: talk.reached(db, name, wiring.now() - DAY)


def _templates(settings: Settings, provider: Provider, say: Say) -> None:
    """Say how many texts can go out outside the 24 hours."""
    try:
        today = wiring.now().astimezone(settings.zone).date()
        lines = compare(load_map(settings.config_dir), provider.templates(), today)
    except (RemoteError, ConfigError) as error:
        say(Health("warning", f"templates could not be compared: {error}"))
        return
    good = sum(line.state == "approved" for line in lines)
    level = "ok" if good == len(lines) else "warning"
    more = "" if level == "ok" else ": `whmcs-bridge templates list`"
    say(Health(level, f"{good} of {len(lines)} templates are approved{more}"))


def webhook(public: str, provider: Provider, transport: Any) -> Health:
    """Ask our own public address what the provider would ask, and judge the answer."""
    address = f"{public.rstrip('/')}/whatsapp/{provider.name}"
    challenge = secrets.token_hex(8)
    question = provider.question(challenge)
    call = Call.get(f"{address}?{urlencode(question)}" if question else address)
    try:
        answer = transport.send(call, deadline=_PATIENCE, service="bridge")
    except RemoteError as error:
        what = f"{address} cannot be reached ({error.detail}): does the bridge run?"
        return Health("warning", what)
    if question and (answer.status, answer.body) == (200, challenge.encode()):
        what = f"{address} answers and is verified: enter it at the vendor's webhook"
        return Health("ok", what)
    title = _title(answer)
    if (answer.status, title) == (403, "Not verified"):
        if not question:
            what = f"{address} answers: enter it at the vendor's webhook"
            return Health("ok", what)
        what = f"{address} knows another verify token: restart the bridge"
        return Health("error", what)
    if title == "Unknown provider":
        what = f"{address}: the bridge there has another provider: restart it"
        return Health("error", what)
    what = f"{address} answers HTTP {answer.status}, and not as this bridge does"
    return Health("error", what)


def _title(answer: Answer) -> str:
    try:
        found = answer.json()
    except ValueError:
        return ""
    return str(found.get("title", "")) if isinstance(found, dict) else ""


# --- notify ---


@click.group("notify")
def notify_command() -> None:
    """Look whether messages arrive."""


@notify_command.command("test")
@click.option("--to", "number", required=True, help="A number with its country.")
@click.option(
    "--message", "name", default="", help="Send this text, with made-up data."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--json", "as_json", is_flag=True)
def test(number: str, name: str, dry_run: bool, as_json: bool) -> None:
    """Send one message to a number, through the configured provider.

    Within 24 hours after that person wrote it is free text, else an approved
    template: --message, hello_world, welcome or another one.
    """
    settings = to_send()
    to = normalise(number, settings.default_country)
    if to is None:
        why = explain(number, settings.default_country)
        raise click.BadParameter(why, param_hint="--to")
    provider = wiring.make_provider(settings, wiring.now)
    if dry_run or settings.dry_run:
        if as_json:
            show({"to": to, "provider": provider.name, "state": "dry run"})
        else:
            click.echo(f"would send to {to} through {provider.name}: {name or _TEXT}")
        if settings.dry_run and not dry_run:
            click.echo("(BRIDGE_DRY_RUN is true.)", err=True)
        return
    message = _message(settings, provider, to, name)
    try:
        message, receipt = _sent(provider, message)
    except SendError as error:
        click.echo(str(error), err=True)
        away = not error.code and error.kind in (ErrorClass.RETRY, ErrorClass.UNSURE)
        sys.exit(4 if away else 1)
    state = receipt.states[-1].value if receipt.states else "accepted"
    told = {"to": to, "provider": provider.name, "form": form_of(message)}
    if message.template is not None:
        _count(settings, provider, message, receipt, state)
    if as_json:
        return show(told | {"state": state, "id": receipt.id})
    if (counted := _counted(settings, provider)) is not None:
        click.echo(f"{counted.what}.", err=True)
    form = "free text" if message.template is None else told["form"]
    click.echo(f"{state}, as {form}, id {receipt.id or 'unknown'}")
    if "accepted" in state:
        click.echo("Accepted is not delivered: see that it arrives.", err=True)
    return None


def _sent(provider: Provider, message: Message) -> tuple[Message, Receipt]:
    """Send a message, once more to its number's other form where that may help."""
    try:
        return message, provider.send(message)
    except SendError as error:
        other = to_other_form(message, error)
        if other is None:
            raise
    return other, provider.send(other)


def _count(
    settings: Settings,
    provider: Provider,
    message: Message,
    receipt: Receipt,
    state: str,
) -> None:
    """Keep a test that went by template: its recipient is one of the day's people."""
    row = {
        "key": message.tag,
        "job_key": message.tag,
        "event_id": None,
        "client_id": None,
        "name": message.name,
        "language": message.language,
        "to": message.to,
        "text": message.whole,
        "provider": provider.name,
        "provider_id": receipt.id,
        "state": state,
        "states": [one.value for one in receipt.states],
        "created_at": wiring.now(),
        "form": form_of(message),
        "reached": receipt.detail.get("reached"),
    }
    try:
        with to_read(settings) as there:
            schema.migrate(there.database_url)
            with closing(Store(there.database_url, readers=1)) as store:
                store.write(lambda db: keep_messages(db, [row]))
    except (StoreUnavailable, StoreUnusable) as error:
        click.echo(f"It is not counted among the day's people: {error}", err=True)


def _message(settings: Settings, provider: Provider, to: str, name: str) -> Message:
    """Return the message in the form in which it may go out now."""
    tag = f"notify-test/{secrets.token_hex(6)}"
    message = Message(to, _TEXT, settings.language, "test", tag)
    if name:
        message = _of_text(settings, message, name)
    if not provider.windowed or _wrote_lately(settings, to):
        return message
    filled = _by_template(settings, message, current(provider.templates()), name)
    return replace(filled, free=False)


def _by_template(
    settings: Settings, message: Message, states: list[TemplateState], name: str
) -> Message:
    """Return it by an approved template that says what its text says."""
    hookmap: HookMap = load_map(settings.config_dir)
    what = (
        f'the template "{name}" is not approved' if name else "no template is approved"
    )
    for one in [name] if name else [*_STAND_INS, *sorted(in_use(hookmap))]:
        found = chosen(states, one, settings.language, "en_US")
        if found is None:
            continue
        ours = one in hookmap.texts.names()
        if not ours and "{{" in found.body:
            continue
        if ours:
            message = _of_text(settings, message, one, found.language)
        if not ours or says(found, message):
            return replace(message, name=one, template=found.template)
        what = f'the template "{one}" says something else than its text'
    raise click.ClickException(
        f"{what}: `whmcs-bridge templates push`. Or let that "
        "person write to the number first: for a day free text may be sent."
    )


def _of_text(
    settings: Settings, message: Message, name: str, language: str = ""
) -> Message:
    """Return one of our texts, filled with made-up data; raises TextError."""
    hookmap = load_map(settings.config_dir)
    today = wiring.now().astimezone(settings.zone).date()
    text = hookmap.texts.text(name, language or settings.language)
    found = hookmap.texts.render(
        name, text.language, variables_of(text, hookmap, today)
    )
    return Message(
        message.to,
        found.text,
        found.language,
        name,
        message.tag,
        category=found.category,
        values=found.values,
        button=found.button,
        body=found.body,
    )


def _wrote_lately(settings: Settings, to: str) -> bool:
    """Tell whether the store knows that the 24 hours are open."""
    now = wiring.now()
    return bool(_of_store(settings, lambda db: talk.contact(db, to).window_open(now)))


def _of_store(settings: Settings, ask: Callable[[sa.Connection], T]) -> T | None:
    """Return what the store says; where there is none it is not made."""
    path = engines.file_of(settings.database_url)
    if path is not None and not path.exists():
        return None
    with to_read(settings) as there:
        schema.migrate(there.database_url)
        with closing(Store(there.database_url, readers=1)) as store, store.read() as db:
            return ask(db)
