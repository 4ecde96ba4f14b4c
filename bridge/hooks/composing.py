"""The text of an alert, or of several that become one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge import labels
from bridge.hooks.context import Context

#: A grouped message lists this many at most.
_LISTED = 20
#: The text of such a message.
SEVERAL = "several"


def compose(ctx: Context, language: str, message: str, more: Sequence[Any]) -> Any:
    """Return the finished text of an alert; it lists *more* alerts, if there are any.

    *more* holds `{"ctx": Context}` for each. Raises TextError.
    """
    if not more:
        uses = ctx.post.uses(message)
        variables = ctx.facts.variables(uses, language)
        return ctx.post.render(message, language, variables)
    lines = [_line(ctx, language, message)]
    lines += [_line(one["ctx"], language, message) for one in more[: _LISTED - 1]]
    lines = [f"• {line}" for line in lines]
    if len(more) >= _LISTED:
        lines.append(labels.more(len(more) + 1 - _LISTED, language))
    listed = "\n".join(lines)
    variables = ctx.facts.variables(ctx.post.uses(SEVERAL) - {"result"}, language)
    given = {"count": len(more) + 1, "list": listed}
    return ctx.post.render(SEVERAL, language, variables | {"result": given})


def _line(ctx: Context, language: str, message: str) -> str:
    """Return one alert of several, cut to its first sentence or two."""
    uses = ctx.post.uses(message)
    text = ctx.post.render(message, language, ctx.facts.variables(uses, language)).text
    line = " ".join(str(text).split())
    return line if len(line) <= 160 else line[:157].rstrip() + "…"
