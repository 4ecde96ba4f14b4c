"""transfer_request: whether the text that both sides send could be read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.billing.transfers import Gap, form_faults, form_mistakes
from bridge.placeholders import Placeholder


def form_problems(parts: Sequence[str | Placeholder]) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with the text as a form, each with its offset in it."""
    starts, end = [], 0
    for part in parts:
        starts.append(end)
        end += len(part) if isinstance(part, str) else len(part.source) + 4
    gaps = [part for part in parts if isinstance(part, Placeholder)]
    own = [gap.field for gap in gaps if gap.variable == "transfer"]
    for what in form_mistakes(own):
        yield 0, what
    for start, part in zip(starts, parts, strict=True):
        if isinstance(part, str):
            continue
        if part.variable not in ("transfer", "company"):
            yield start, f"{part.variable}.{part.field} is not known when it is read"
        if part.variable == "transfer" and part.filters:
            yield start, f"transfer.{part.field}: no filter, it is read back"
    for number, place, what in form_faults([_part(part) for part in parts]):
        yield starts[number] + place, what


def _part(part: str | Placeholder) -> str | Gap:
    """Return a part as a form has it; what is known when it is read is no gap."""
    if isinstance(part, str):
        return part
    return Gap(part.field) if part.variable == "transfer" else part.source
