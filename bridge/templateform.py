"""What a text must be to be a provider's template: Meta's rules, as far as known.

https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates/components
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bridge.placeholders import BODY_LIMIT, Placeholder

Parts = Sequence[str | Placeholder]

_WORD = re.compile(r"\w+")


def body_findings(parts: Parts) -> Iterator[str]:
    """Yield why the body of a text cannot be a template."""
    if not parts:
        return
    found = [*_places(parts)]
    length = len(numbered(parts))
    if length > BODY_LIMIT:
        found.append(
            f"a template holds {BODY_LIMIT} characters, this text has {length}"
        )
    fixed = "".join(part for part in parts if isinstance(part, str))
    if "\t" in fixed:
        found.append("a template may not have a tab: write blanks")
    yield from found or _proportion(parts)


def _places(parts: Parts) -> Iterator[str]:
    if not (_speaks(parts[0]) and _speaks(parts[-1])):
        yield "a template may not begin or end with a variable: put words there"
    touching = any(
        isinstance(a, Placeholder) and isinstance(b, Placeholder)
        for a, b in pairwise(parts)
    )
    gaps = [part for part in parts[1:-1] if isinstance(part, str)]
    if touching or not all(gap.strip() for gap in gaps):
        yield "a template may not have two variables side by side"


def _proportion(parts: Parts) -> Iterator[str]:
    """Meta gives no number; several of its partners found this one by trying."""
    count = sum(isinstance(part, Placeholder) for part in parts)
    words = sum(len(_WORD.findall(part)) for part in parts if isinstance(part, str))
    if count and words < 2 * count + 1:
        yield (
            f"a template with {count} variable{'s' * (count > 1)} needs at least "
            f"{2 * count + 1} words beside them, this text has {words}"
        )


def button_findings(parts: Parts) -> Iterator[str]:
    """Yield why the address of a button cannot be that of a template.

    It may be fixed, begin fixed and end with one variable, or be one variable
    alone, which is then an address below the client area.
    """
    placed = [part for part in parts if isinstance(part, Placeholder)]
    if len(placed) > 1 or (placed and parts[-1] is not placed[0]):
        yield "a template's button takes one variable, at the end of its address"


def category_findings(category: str) -> Iterator[str]:
    """Yield why a category cannot be that of a text of ours."""
    if category == "authentication":
        yield "an authentication template has a text of Meta's own: use utility"


def numbered(parts: Parts) -> str:
    """Return a text with {{1}}, {{2}}, ... in place of its placeholders."""
    written, place = [], 0
    for part in parts:
        place += isinstance(part, Placeholder)
        written.append(part if isinstance(part, str) else f"{{{{{place}}}}}")
    return "".join(written)


def _speaks(part: str | Placeholder) -> bool:
    """Tell whether a part is words: punctuation alone does not hide a variable."""
    return isinstance(part, str) and bool(_WORD.search(part))
