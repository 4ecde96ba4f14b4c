"""docs/actions.md, as the registry of actions and decisions has it."""

from __future__ import annotations

from typing import Any

from bridge.hooks import Registered, actions, decisions

_KINDS = {
    "String": "text",
    "Integer": "whole number",
    "Boolean": "true or false",
    "List": "list",
}


def actions_page() -> str:
    """Return the page that lists what a map may say under `do:`."""
    parts = [
        "# Actions and decisions\n",
        "Printed by `python -m bridge.commands.documenting`; a test compares it with "
        "the code.\n",
        "## Actions\n",
        "A rule's `do:` names one; its parameters stand beside it. What `then` steps "
        "see as `result` is listed.\n",
    ]
    parts += [_one(a) for a in actions().values() if not a.internal]
    parts += [
        "## Decisions\n",
        "Under `decisions:`, for hookpoints whose answer counts. No answer in time "
        "means no opinion.\n",
    ]
    parts += [_one(d) for d in decisions().values()]
    parts += [
        "## Steps of the bridge's own\n",
        "Put in the outbox by the actions above; a map cannot name them.\n",
    ]
    parts += [f"- `{a.name}`: {a.summary}" for a in actions().values() if a.internal]
    return "\n".join(parts) + "\n"


def _one(found: Registered) -> str:
    lines = [f"### `{found.name}`\n", f"{found.summary}\n"]
    if found.parameters:
        lines.append("| parameter | kind | |\n| --- | --- | --- |")
        for name, field in found.parameters.items():
            lines.append(f"| `{name}` | {_kind(field)} | {_default(field)} |")
        lines.append("")
    if found.result:
        names = ", ".join(f"`result.{name}`" for name in found.result)
        lines.append(f"Leaves {names}.\n")
    if found.acts:
        lines.append("Never repeated before a look at the panel.\n")
    return "\n".join(lines)


def _kind(field: Any) -> str:
    return _KINDS.get(type(field).__name__, type(field).__name__)


def _default(field: Any) -> str:
    if field.required:
        return "needed"
    return f"default `{field.load_default}`" if field.load_default != "" else "optional"


if __name__ == "__main__":
    print(actions_page(), end="")
