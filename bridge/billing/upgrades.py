"""Price a plan change: the new plan's price less what was already paid.

Days never enter into it, and nothing is guessed: what cannot be priced for
certain is refused and left to a person.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bridge.billing.model import ConfigOption, Cycle, Invoice, Refusal
from bridge.billing.money import decimal_text, round_half_up
from bridge.billing.paid import Paid, already_paid
from bridge.billing.periods import nth_due
from bridge.billing.ranks import is_downgrade, list_price
from bridge.billing.upgrade_case import (
    CannotPrice,
    QuoteLine,
    UpgradeCase,
    UpgradeQuote,
)

__all__ = [
    "CannotPrice",
    "QuoteLine",
    "UpgradeCase",
    "UpgradeQuote",
    "began_on",
    "first_due",
    "is_downgrade",
    "quote",
]


def quote(case: UpgradeCase) -> UpgradeQuote:
    """Return what a plan change costs, with the working, or why it is refused."""
    try:
        _refuse_service(case)
        _refuse_invoices(case)
        _refuse_target(case)
        price = _price(case)
        _refuse_lower(case)
        paid = already_paid(case)
        return _allowed(case, price, paid)
    except CannotPrice as refused:
        return _refused(case, refused)


def first_due(cycle: Cycle, enabled_on: date) -> date | None:
    """Return the due day of a new period: one cycle after its plan is enabled.

    None where the cycle has no periods.
    """
    return None if cycle.months is None else nth_due(enabled_on, cycle, 1)


def began_on(cycle: Cycle, due: date | None, today: date) -> date:
    """Return the day on which a plan was enabled whose period is due on *due*.

    It is *today* where that day cannot be told from it, or would not be over.
    """
    if due is None or cycle.months is None:
        return today
    day = nth_due(due, cycle, -1)
    return day if day <= today and first_due(cycle, day) == due else today


def _refuse_service(case: UpgradeCase) -> None:
    service = case.service
    if Cycle.ONE_TIME in (service.cycle, case.cycle) or (
        case.new_product.pay_type == "onetime"
    ):
        raise CannotPrice(Refusal.ONE_TIME, "A one-time service has no renewal.")
    if not service.active:
        why = f"The service is {service.status}, not Active."
        raise CannotPrice(Refusal.SERVICE_NOT_ACTIVE, why)
    if service.product_id != case.old_product.id or service.quantity < 1:
        raise _not_priced("plan or quantity of the service is not known")
    if case.paid_basis not in ("invoice", "recurring"):
        raise _not_priced(f'"{case.paid_basis}" is no basis')
    paid_options = case.old_product.paid_options | case.new_product.paid_options
    if any(_chosen(one) and one.id in paid_options for one in service.options):
        why = "The service has configurable options that cost extra."
        raise CannotPrice(Refusal.PAID_OPTIONS, why)


def _chosen(option: ConfigOption) -> bool:
    """Tell whether an option costs anything: none of a quantity does not."""
    return not (
        option.kind in ("quantity", "yesno") and option.value.strip() in ("", "0")
    )


def _refuse_invoices(case: UpgradeCase) -> None:
    if case.upgrade_pending:
        why = (
            "Another upgrade is pending: one of the bridge's, or an open invoice of "
            "the panel's own."
        )
        raise CannotPrice(Refusal.UPGRADE_PENDING, why)
    for invoice in case.unknown:
        if invoice.open:
            why = f"Invoice {invoice.id} is of a plan change that is in no book: open."
            raise CannotPrice(Refusal.UPGRADE_PENDING, why)
    for invoice in case.invoices:
        if invoice.open and _bills(invoice, case.service.id):
            if invoice.client_id != case.service.client_id:
                # Its own client owes it: "pay it first" would be told to another.
                raise _not_priced(f"invoice {invoice.id} of an earlier owner is open")
            why = f"Invoice {invoice.id} of the service is open."
            raise CannotPrice(Refusal.INVOICE_OPEN, why)
        if invoice.counts and invoice.total and not invoice.lines:
            raise _not_priced(f"the lines of invoice {invoice.id} are not known")


def _bills(invoice: Invoice, service_id: int) -> bool:
    kinds = ("hosting", "promohosting", "setup")
    return any(
        line.related_id == service_id and line.kind.casefold() in kinds
        for line in invoice.lines
    )


def _refuse_target(case: UpgradeCase) -> None:
    service, target = case.service, case.new_product
    if target.id == service.product_id and case.cycle is service.cycle:
        why = "The service has this plan and cycle already."
        raise CannotPrice(Refusal.SAME_PLAN, why)
    if case.offered is not None and target.id not in case.offered:
        why = f"Plan {target.id} is not offered for plan {service.product_id}."
        raise CannotPrice(Refusal.NOT_OFFERED, why)
    if target.prices and case.currency not in target.prices:
        why = f"Plan {target.id} has no prices in {case.currency}."
        raise CannotPrice(Refusal.CURRENCY_DIFFERS, why)


def _price(case: UpgradeCase) -> Decimal:
    """Return the new plan's price for the whole quantity; without setup fee."""
    price = list_price(case.new_product, case.currency, case.cycle)
    if price is None:
        if case.cycle is Cycle.FREE:
            raise _not_priced(f"plan {case.new_product.id} is not free")
        why = f"Plan {case.new_product.id} is not sold {case.cycle.value}."
        raise CannotPrice(Refusal.CYCLE_NOT_SOLD, why)
    return price * case.service.quantity


def _refuse_lower(case: UpgradeCase) -> None:
    lower = is_downgrade(
        case.service,
        case.old_product,
        case.new_product,
        currency=case.currency,
        cycle=case.cycle,
        ladders=case.ladders,
    )
    if lower:
        why = f"Plan {case.new_product.id} ranks below plan {case.old_product.id}."
        raise CannotPrice(Refusal.DOWNGRADE, why)
    if lower is None:
        raise _not_priced("no price or ladder tells which plan is the larger")


def _not_priced(why: str) -> CannotPrice:
    return CannotPrice(Refusal.NOT_PRICED, f"It cannot be priced: {why}.")


def _allowed(case: UpgradeCase, price: Decimal, paid: Paid) -> UpgradeQuote:
    service, currency = case.service, case.currency
    label = f"{case.new_product.name}, {case.cycle.value}, {service.quantity} x"
    taken = QuoteLine(label, price, "list price", "price", quantity=service.quantity)
    lines = (taken, *paid.lines)
    charge = _charge(case, sum((line.amount for line in lines), Decimal(0)))
    new_period = case.cycle is not service.cycle
    return UpgradeQuote(
        service_id=service.id,
        product_id=case.new_product.id,
        cycle=case.cycle,
        allowed=True,
        refusal=None,
        charge=charge,
        currency=currency,
        basis=paid.basis,
        lines=lines,
        due_date=first_due(case.cycle, case.today) if new_period else service.next_due,
        new_period=new_period,
        recurring=round_half_up(price, currency),
        reason=_reason(price, charge, currency),
    )


def _charge(case: UpgradeCase, difference: Decimal) -> Decimal:
    """Round the difference, once. Below zero it is refused.

    For another cycle that is a downgrade: nothing is given back for the rest.
    """
    try:
        charge = round_half_up(difference, case.currency)
    except ValueError:
        raise _not_priced("an amount is not a number") from None
    if charge >= 0:
        return charge
    if case.cycle is not case.service.cycle:
        why = "That cycle costs less than was already paid; nothing is given back."
        raise CannotPrice(Refusal.DOWNGRADE, why)
    why = "The plan costs less than was already paid."
    raise CannotPrice(Refusal.COSTS_LESS, why)


def _reason(price: Decimal, charge: Decimal, currency: str) -> str:
    new = decimal_text(price, currency)
    if not charge:
        return f"The {new} {currency} of the new plan are already paid."
    paid, due = (decimal_text(one, currency) for one in (price - charge, charge))
    return f"{new} for the new plan less {paid} already paid is {due} {currency}."


def _refused(case: UpgradeCase, refused: CannotPrice) -> UpgradeQuote:
    return UpgradeQuote(
        service_id=case.service.id,
        product_id=case.new_product.id,
        cycle=case.cycle,
        allowed=False,
        refusal=refused.refusal,
        charge=None,
        currency=case.currency,
        basis="",
        lines=(),
        due_date=case.service.next_due,
        new_period=False,
        recurring=None,
        reason=refused.reason,
    )
