"""transfers link: the wa.me address with the text that both sides send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote as quoted

import click

from bridge import logs, wiring
from bridge import settings as environment
from bridge.billing.model import Service
from bridge.billing.transfers import read
from bridge.commands.shared import show
from bridge.errors import Reason, RemoteError
from bridge.hooks.transferring import fields_of
from bridge.views import View, company_view, language_of

T = TypeVar("T")


@click.command("link")
@click.option("--service", required=True, type=click.IntRange(1))
@click.option("--to", "email", required=True, help="E-mail of the client who takes it.")
@click.option("--lang", type=click.Choice(("es", "en", "pt_BR")))
@click.option("--json", "as_json", is_flag=True)
def link(service: int, email: str, lang: str | None, as_json: bool) -> None:
    """Print the wa.me address with the text typed: the same for both sides."""
    settings = environment.load()
    logs.configure("error")
    bridge = wiring.build(settings)
    try:
        text, language = typed(bridge, service, email, lang)
        number = bridge.map.current.company.whatsapp
    finally:
        bridge.close()
    digits = "".join(c for c in number if c.isdigit())
    if not digits:
        raise click.ClickException("company.whatsapp is not set in the map.")
    address = f"https://wa.me/{digits}?text={quoted(text, safe='')}"
    if as_json:
        return show({"url": address, "text": text, "language": language})
    click.echo(address)
    click.echo(f"It types: {text}", err=True)
    return None


def typed(
    bridge: Any, service_id: int, email: str, lang: str | None
) -> tuple[str, str]:
    """Return the text that both sides send, and its language.

    Raises ClickException where there is no such client, or no service that can pass.
    """
    panel, hookmap = bridge.bench.panel, bridge.map.current
    mail = email.strip()
    service = _found(lambda: panel.service(service_id), f"service {service_id}")
    if not service.active:
        raise click.ClickException(_cannot_pass(service))
    giver = panel.client(service.client_id)
    taker = _found(lambda: panel.client_by_email(mail), f"client with e-mail {mail}")
    if taker.id == giver.id:
        raise click.ClickException("That is the client who has the service already.")
    language = lang or language_of(giver, bridge.settings.language)
    variables = {
        "company": company_view(hookmap.company, hookmap.policies.upgrades.contact),
        "transfer": View(fields_of(giver, taker, service)),
    }
    made = hookmap.texts.render("transfer_request", language, variables)
    known = {"company": variables["company"]}
    if read(made.text, hookmap.texts.forms("transfer_request", known)) is None:
        raise click.ClickException(
            "The text for these two would not be read back, so neither side could "
            "send it: a name or an e-mail is too long, or holds what an e-mail cannot "
            f"hold. The text: {made.text}"
        )
    return made.text, made.language


def _found(look: Callable[[], T], what: str) -> T:
    try:
        return look()
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            raise click.ClickException(f"The panel knows no {what}.") from error
        raise


def _cannot_pass(service: Service) -> str:
    then = "have it made active in the panel, then make the link"
    if service.ended:
        then = "the other client orders a service of his own"
    what = f"Service {service.id} is {service.status}"
    return f"{what}, and only an active one passes to another client: {then}."
