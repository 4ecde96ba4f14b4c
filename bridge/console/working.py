"""How a charge was worked out, and how far an order is, ready for a page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from bridge.billing.upgrades import UpgradeQuote
from bridge.console.words import Words

#: The steps of an order with something to pay, and of one without.
_STEPS = ("ordered", "draft", "published", "paid", "applied", "told")
_FREE = ("ordered", "applied", "told")
#: Up to which step an order in a state has come.
_REACHED = {
    "invoiced": "published",
    "paid": "paid",
    "applying": "applied",
    "done": "told",
}
#: States in which nothing goes on by itself.
STOPPED = ("staff", "ended", "rehearsed")


@dataclass(frozen=True)
class Row:
    """One line of the working: what it is, why it counts, how much."""

    what: str
    why: str
    amount: str


def rows(
    words: Words,
    lines: Sequence[Mapping[str, Any]],
    charge: Decimal,
    currency: str,
    *,
    plan: str,
    cycle: str,
) -> list[Row]:
    """Return the working line by line, with the exact difference and its rounding."""
    found = [_row(words, line, currency, plan, cycle) for line in lines]
    exact = sum((Decimal(line["amount"]) for line in lines), Decimal(0))
    found.append(Row(words("difference"), "", words.money(exact, currency)))
    how = "not_rounded" if exact == charge else "rounded"
    moved = "–" if exact == charge else words.money(charge - exact, currency)
    found.append(Row(words("rounding"), words(how), moved))
    return found


def _row(
    words: Words, line: Mapping[str, Any], currency: str, plan: str, cycle: str
) -> Row:
    amount = words.money(line["amount"], currency)
    kind = line.get("kind") or ""
    if not kind:  # kept by a version that did not tell
        return Row(line["label"], line["source"], amount)
    what = "recurring" if kind in ("recurring", "uncovered", "free") else kind
    why = words(
        f"why_{kind}",
        name=plan,
        cycle=words.cycle(cycle),
        quantity=line.get("quantity") or 1,
        source=_source(words, line["source"]),
        first=words.day(line.get("first_day")),
        last=words.day(line.get("last_day")),
    )
    return Row(words(f"line_{what}"), why, amount)


def _source(words: Words, source: str) -> str:
    kind, _, number = source.partition(" ")
    return words("invoice_number", number=number) if kind == "invoice" else source


def fingerprint(quote: UpgradeQuote) -> str:
    """Return what differs as soon as anything about a quote does."""
    told = json.dumps(asdict(quote), default=str, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def renewal(words: Words, quote: UpgradeQuote) -> str:
    """Return when and at what the new plan renews."""
    if quote.due_date is None or quote.recurring is None:
        return words("renews_never")
    return words(
        "renews_anew" if quote.new_period else "renews",
        amount=words.money(quote.recurring, quote.currency),
        cycle=words.cycle(quote.cycle.value),
        day=words.day(quote.due_date),
    )


def steps(order: Any) -> list[tuple[str, str]]:
    """Return each step of an order with `done`, `now`, `stopped` or `next`."""
    names = _STEPS if order.charge else _FREE
    reached = _REACHED.get(order.state) or _before(order)
    place = names.index(reached) + 1 if reached in names else 1
    after = "stopped" if order.state in STOPPED else "now"
    marks = ["done"] * place + [after] + ["next"] * len(names)
    return list(zip(names, marks, strict=False))


def _before(order: Any) -> str:
    """Return the step that an order had come to before it was stopped."""
    if order.paid_on is not None:
        return "paid"
    return "ordered" if order.invoice_id is None else "draft"


def goes_on(order: Any) -> bool:
    """Tell whether an order's page will look different in a moment."""
    return order.state in ("ordered", "paid", "applying")
