"""Amounts: with their currency, rounded, written; nothing here ever is a float."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

# Minor units as in ISO 4217; every other currency has two. Where CLDR, by which amounts
# are shown, knows fewer (supplemental/currencyData.xml: IQD), what is shown is charged.
_DECIMALS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
            *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF", "IQD"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}

# Far above any invoice; `quantize` refuses what has more digits than the context.
_DIGITS = 60


class Amount(Decimal):
    """An amount that knows its currency; else it is the number, exact as written.

    A result of arithmetic on it is a bare Decimal.
    """

    currency: str

    def __new__(cls, amount: Decimal, currency: str) -> Amount:
        """Make one of a decimal and a currency code."""
        made = super().__new__(cls, amount)
        made.currency = currency
        return made

    @property
    def amount(self) -> Decimal:
        """The bare number."""
        return Decimal(self)

    def __eq__(self, other: object) -> bool:
        return Decimal.__eq__(self, _exact(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return Decimal.__hash__(self)

    def __lt__(self, other: Any) -> bool:
        return Decimal.__lt__(self, _exact(other))

    def __le__(self, other: Any) -> bool:
        return Decimal.__le__(self, _exact(other))

    def __gt__(self, other: Any) -> bool:
        return Decimal.__gt__(self, _exact(other))

    def __ge__(self, other: Any) -> bool:
        return Decimal.__ge__(self, _exact(other))


def _exact(other: Any) -> Any:
    """Return 0.1 as the 0.1 that was written, not as its binary neighbour."""
    return Decimal(str(other)) if isinstance(other, float) else other


def decimals(currency: str) -> int:
    """Return how many decimals an amount of *currency* has."""
    return _DECIMALS.get(currency.strip().upper(), 2)


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """Round to what can be paid in *currency*; a half goes away from zero.

    Raises ValueError for what is no amount (infinite, or not a number).
    """
    if not amount.is_finite() or amount.adjusted() > _DIGITS - 10:
        raise ValueError("not an amount")
    with localcontext() as context:
        context.prec = _DIGITS
        unit = Decimal(1).scaleb(-decimals(currency))
        rounded = amount.quantize(unit, rounding=ROUND_HALF_UP)
    return rounded if rounded else abs(rounded)


def decimal_text(amount: Decimal, currency: str) -> str:
    """Return *amount* rounded, as plain decimal text: `50.00`, `1500`."""
    return f"{round_half_up(amount, currency):f}"
