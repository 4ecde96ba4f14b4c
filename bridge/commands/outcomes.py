"""What became of a message: its states with their times, its form, what followed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click

from bridge.commands.reasons import did
from bridge.hooks.records import ARRIVED, earlier


def describe_message(
    message: Any, states: list[Any], settled: Any, sent: Collection[str] = ()
) -> dict[str, Any]:
    """Return a message as it is shown.

    *states* are those that the provider told, in order; *settled* is the job that
    looked after it where it failed; *sent* are the keys of all that went out.
    """
    alone = not any(message.key in earlier(key) for key in sent)
    arrived = alone and message.state in ("delivered", "read")
    return {
        "to": message.to,
        "reached": message.reached,
        "text": message.text,
        "state": message.state,
        "name": message.name,
        "language": message.language,
        "form": message.form or "free",
        "provider": message.provider,
        "provider_id": message.provider_id,
        "sent_at": message.created_at,
        "error": message.error,
        "states": [_state(one, message.to) for one in states],
        "follow_up": _follow_up(settled, arrived),
    }


def _state(one: Any, to: str) -> dict[str, Any]:
    shown = {"state": one.state, "at": one.at, "heard_at": one.received_at}
    if one.to and one.to != to and to.startswith("+"):
        shown["to"] = one.to
    if one.state == "failed":
        shown |= {"class": one.kind, "code": one.code, "detail": one.detail}
    return shown


def _follow_up(job: Any, arrived: bool) -> dict[str, Any] | None:
    """Return what was done about a failed message; nothing, where it *arrived*."""
    if job is None:
        return None
    next_at = job.run_at if job.state in ("waiting", "running") else None
    reason = job.reason or did(job)
    if arrived and str((job.outcome or {}).get("then", "")).startswith("sent anew"):
        reason = f"{ARRIVED}: nothing was sent anew"
    return {"job": job.key, "state": job.state, "reason": reason, "next_at": next_at}


def tell_message(message: dict[str, Any]) -> None:
    """Print a message that `describe_message` made."""
    how = message["form"] if message["form"] != "free" else "free text"
    head = f"to {message['to']} ({message['name']}), {how}: {message['state']}"
    click.echo(f"\n{head}")
    click.echo(f"  handed over by {message['sent_at']:%Y-%m-%d %H:%M:%S} UTC")
    if message["reached"]:
        click.echo(f"  wrong recipient: the provider says {message['reached']}")
    for one in message["states"]:
        line = f"  {one['state']} {one['at']:%Y-%m-%d %H:%M:%S} UTC"
        if one["state"] == "failed":
            line += f": {one['class']} {one['code']}: {one['detail']}".rstrip(": ")
        if "to" in one:
            line += f" (of {one['to']})"
        click.echo(line)
    if message["error"] and not message["states"]:
        click.echo(f"  {message['error']}")
    if after := message["follow_up"]:
        click.echo(f"  then: {after['state']}: {after['reason']}")
    for line in message["text"].splitlines():
        click.echo(f"  | {line}")
