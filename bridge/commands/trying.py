"""try and trigger: what the map would do; a delivery made by hand."""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bridge import logs
from bridge import settings as environment
from bridge.commands.shared import show
from bridge.errors import LOCKED_OUT, BridgeError, RemoteError
from bridge.events import Event, catalogue, read_body
from bridge.settings import Settings

_fixture = click.option(
    "--fixture",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file with the delivery's body, or its data alone.",
)
_set = click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="A field; params.x nests.",
)


@click.command("try")
@click.argument("hookpoint")
@_fixture
@_set
@click.option("--sample", is_flag=True, help="Use made-up clients; ask no panel.")
@click.option("--json", "as_json", is_flag=True)
def try_command(
    hookpoint: str,
    fixture: Path | None,
    pairs: tuple[str, ...],
    sample: bool,
    as_json: bool,
) -> None:
    """Show what the active map would do with HOOKPOINT, to whom, in which words.

    Nothing is sent and nothing is changed. Without a configured panel, or with
    --sample, clients and invoices are made up.
    """
    _known(hookpoint)
    logs.configure("error")
    settings = environment.load(need=False)
    sample = sample or not settings.whmcs_url
    body = _body(hookpoint, fixture, pairs, made_up=sample)
    if sample and not as_json:
        click.echo("Clients and invoices below are made up (no panel asked).", err=True)
    asked = _Asked()
    found = _preview(settings, hookpoint, body, sample, asked)
    if as_json:
        show(found)
    else:
        _tell(found)
    if asked.failed is not None:
        click.echo(f"The panel could not be asked: {asked.failed}", err=True)
        sys.exit(4)
    if any(job["state"] == "parked" for job in found["jobs"]):
        sys.exit(1)


class _Asked:
    """A panel that remembers that it could not be asked; *failed* says why."""

    def __init__(self) -> None:
        self._panel: Any = None
        self.failed: RemoteError | None = None

    def of(self, panel: Any) -> Any:
        """Put this before *panel*."""
        self._panel = panel
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._panel, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except RemoteError as error:
                if error.transient or error.reason in LOCKED_OUT:
                    self.failed = error
                raise

        return call


def _known(hookpoint: str) -> None:
    from difflib import get_close_matches

    if hookpoint not in catalogue():
        near = get_close_matches(hookpoint, catalogue(), 1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise click.UsageError(f'WHMCS documents no hookpoint "{hookpoint}".{hint}')


def _body(
    hookpoint: str,
    fixture: Path | None,
    pairs: tuple[str, ...],
    *,
    made_up: bool = False,
) -> dict[str, Any]:
    from bridge.samples import CONTEXTS, sample_data

    context = copy.deepcopy(CONTEXTS.get(hookpoint, {})) if made_up else {}
    names = [pair.partition("=")[0] for pair in pairs]
    data = sample_data(hookpoint, () if made_up else names)
    document: dict[str, Any] = {"data": data, "context": context}
    if fixture is not None:
        document = _read_file(fixture, hookpoint)
    document["type"] = hookpoint
    document.setdefault("timestamp", datetime.now(UTC).isoformat())
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f'--set takes KEY=VALUE, not "{pair}"')
        _put(document, key, value)
    try:
        json.dumps(document)
    except RecursionError as error:
        raise click.UsageError("--set nests too deeply") from error
    return document


def _read_file(fixture: Path, hookpoint: str) -> dict[str, Any]:
    """Return the delivery that a file holds, whole or its data alone."""
    try:
        read = json.loads(fixture.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise click.ClickException(f"{fixture}: nested too deeply") from error
    except ValueError as error:
        raise click.ClickException(f"{fixture}: not JSON: {error}") from error
    if not isinstance(read, dict):
        raise click.ClickException(f"{fixture}: must hold a JSON object")
    if not isinstance(read.get("data"), dict):
        return {"data": read}
    kind = read.get("type", hookpoint)
    if kind != hookpoint:
        what = f"holds {json.dumps(kind)[:60]}, not {hookpoint}"
        raise click.ClickException(f"{fixture}: {what}")
    return read


def _put(document: dict[str, Any], key: str, value: str) -> None:
    holder, leaf = document.setdefault("data", {}), key
    if key.startswith("context."):
        holder, leaf = document.setdefault("context", {}), key.removeprefix("context.")
    head = "data" if holder is document["data"] else "context"
    while True:
        if not isinstance(holder, dict):
            what = f"--set {key}=...: {head} is {json.dumps(holder)[:40]} already"
            raise click.UsageError(f"{what}, nothing nests in it")
        if "." not in leaf:
            break
        head, _, leaf = leaf.partition(".")
        holder = holder.setdefault(head, {})
    try:
        holder[leaf] = json.loads(value)
    except (ValueError, RecursionError):
        holder[leaf] = value


#: So long a step waits for what another one of its event finds out first.
_MOMENT = timedelta(seconds=6)


def _preview(
    settings: Settings,
    hookpoint: str,
    body: dict[str, Any],
    sample: bool,
    asked: _Asked,
) -> dict[str, Any]:
    """Run the real path on a store of its own, dry."""
    from dataclasses import replace

    from bridge import wiring
    from bridge.samples import SamplePanel

    with tempfile.TemporaryDirectory(prefix="whmcs-bridge-") as scratch:
        url = f"sqlite:///{scratch}/try.db"
        own = replace(
            settings, database_url=url, dry_run=True, whatsapp_provider="console"
        )
        today = wiring.now().astimezone(settings.zone).date()
        immediate = str(body["data"].get("type", "")).casefold() == "immediate"
        made_up = SamplePanel(today, immediate=immediate, hookpoint=hookpoint)
        panel: Any = made_up if sample else None
        clock = _Clock(wiring.now)
        bridge = wiring.build(own, panel=panel, clock=clock)
        bridge.bench.preview = True
        bridge.bench.panel = asked.of(bridge.bench.panel)
        try:
            return _outcome(bridge, hookpoint, body, clock, asked)
        finally:
            bridge.close()


class _Clock:
    """The present instant, and what of it was skipped."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._skipped = timedelta(0)

    def __call__(self) -> datetime:
        return self._now() + self._skipped

    def skip(self, length: timedelta) -> None:
        """Go on without waiting."""
        self._skipped += length


def _outcome(
    bridge: Any, hookpoint: str, body: dict[str, Any], clock: _Clock, asked: _Asked
) -> dict[str, Any]:
    from bridge.commands.events import describe
    from bridge.decisions import Decider
    from bridge.events import subject
    from bridge.store import inbox
    from bridge.store.inbox import Accepted

    now = bridge.bench.now()
    id = f"try-{uuid.uuid4()}"
    read = read_body(json.dumps(body).encode())
    event = Event(id, "whmcs", hookpoint, read.data, read.context, now, now)
    accepted = Accepted(id, "whmcs", id, read, now, subject(event))
    hookmap = bridge.map.current
    if hookpoint in hookmap.decisions:
        Decider(bridge.bench, 10.0).decide(accepted, now)
    else:
        bridge.store.write(lambda db: inbox.put(db, accepted, now))
        bridge.worker.drain(200)
        if asked.failed is None:  # else it would ask the panel again
            clock.skip(_MOMENT)
            bridge.worker.drain(200)
    found = describe(bridge.store, id)
    if found is None:
        raise BridgeError("the preview was not kept")
    found["warnings"] = [str(problem) for problem in hookmap.warnings]
    return found


def _tell(found: dict[str, Any]) -> None:
    click.echo(f"{found['hookpoint']}: {found['state']}: {found['reason']}")
    if found["answer"] is not None:
        click.echo(f"answers: {json.dumps(found['answer']['return'])}")
    for job in found["jobs"]:
        click.echo(f"\n{job['rule']}: {job['action']}: {job['state']}: {job['reason']}")
        if job["when"]:
            click.echo(f"  when: {job['when']}")
        for one in job["tries"][-1:]:
            if one.get("waits_until"):
                click.echo(f"  quiet hours: it would wait until {one['waits_until']}")
            for name, value in (one.get("condition") or {}).items():
                click.echo(f"    {name} = {value}")
    for message in found["messages"]:
        click.echo(f"\nto {message['to']} ({message['name']}):")
        for line in message["text"].splitlines():
            click.echo(f"  | {line}")


@click.command("trigger")
@click.argument("hookpoint")
@_fixture
@_set
@click.option("--id", "id_", help="The delivery's id; default: a new one.")
@click.option("--json", "as_json", is_flag=True)
def trigger_command(
    hookpoint: str,
    fixture: Path | None,
    pairs: tuple[str, ...],
    id_: str | None,
    as_json: bool,
) -> None:
    """Sign a delivery of HOOKPOINT and post it to the running bridge."""
    from bridge.signing import ID_RULE, is_id, sign
    from bridge.transport import Call, Transport

    _known(hookpoint)
    settings = environment.load(need=False)
    if not settings.signing_secrets:
        raise click.ClickException("BRIDGE_SIGNING_SECRETS is not set.")
    raw = json.dumps(_body(hookpoint, fixture, pairs)).encode()
    id_ = id_ or f"trigger-{uuid.uuid4()}"
    if not is_id(id_):
        raise click.BadParameter(ID_RULE, param_hint="--id")
    stamp = int(datetime.now(UTC).timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(settings.keys[0], id_, stamp, raw),
    }
    address = "decisions" if catalogue()[hookpoint].answers else "hooks"
    url = f"http://{settings.here}/{address}/{settings.panel}"
    call = Call("POST", url, headers, raw)
    try:
        with Transport(pool=1, total=10) as transport:
            answer = transport.send(call, service="bridge")
    except RemoteError as error:
        where = f"{settings.here} (BRIDGE_LISTEN)"
        asked = f'{error.detail}; is "whmcs-bridge run" up at {where}?'
        raise RemoteError("bridge", error.reason, asked) from error
    text = answer.body.decode("utf-8", "replace").strip()
    if as_json:
        show({"id": id_, "status": answer.status, "answer": _read_json(text)})
    else:
        click.echo(f"{answer.status} {text}")
    if answer.status >= 300:
        sys.exit(1)
    if address == "hooks":
        click.echo(f"See what became of it: whmcs-bridge events show {id_}", err=True)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
