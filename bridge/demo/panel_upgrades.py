"""The panel's own way to change a plan: calculate, check out, pay, change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from dateutil.relativedelta import relativedelta

from bridge.demo.panel_billing import Billing
from bridge.demo.panel_rows import (
    CENT,
    KEYS,
    MONTHS,
    NOT_SOLD,
    Invoice,
    Line,
    Service,
    Upgrade,
    cycle_named,
)
from bridge.demo.panel_services import ModuleError
from bridge.demo.panel_tables import next_due

STILL_UNPAID = (
    "Unable to accept upgrade order."
    " Previous upgrade invoice for service is still unpaid."
)


class UpgradeRefusedError(Exception):
    """The panel or the bridge refuses the upgrade; *sentences* say why."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class Price:
    """What an upgrade costs today; *overridden* when the bridge had a say."""

    days: int
    totaldays: int
    price: Decimal
    discount: Decimal
    recurring: Decimal
    overridden: bool

    @property
    def due(self) -> Decimal:
        """Return what is to be paid today."""
        return self.price - self.discount


@dataclass(frozen=True)
class Ordered:
    """An upgrade that was ordered; without an invoice it was done at once."""

    upgrade: Upgrade
    invoice: Invoice | None
    price: Price


class Upgrades(Billing):
    """The native upgrade, with the three questions it asks on its way."""

    def upgrade(self, service_id: int, to_pid: int, cycle: str = "Annually") -> Ordered:
        """Go the client's way through *Upgrade* up to the invoice.

        Raises UpgradeRefusedError, as the client area shows an error. A question left
        unanswered (null) has the panel go on by its own arithmetic.
        """
        service = self.service(service_id)
        offered = list(self.product(service.pid).upgrades)
        if service.status != "Active":
            raise UpgradeRefusedError("This service is not active.")
        if to_pid not in offered:
            raise UpgradeRefusedError("This product is not among the upgrades offered.")
        self._refuse_if_open(service)
        today = self.clock.today()
        if any(row.duedate < today for row in self.open_invoices_of(service_id)):
            raise UpgradeRefusedError("There is an overdue invoice for this service.")
        answer = self.ask(
            "ShoppingCartValidateUpgrade", {"id": service.id, "pid": to_pid}, "client",
            service_id=service.id, upgrade_targets=offered,
            billing_cycle=KEYS.get(cycle_named(cycle) or cycle, ""),
        )  # fmt: skip
        if isinstance(answer, list) and answer:
            raise UpgradeRefusedError(*[str(sentence) for sentence in answer])
        return self.order_upgrade(service, to_pid, cycle, "client")

    def order_upgrade(
        self, service: Service, to_pid: int, cycle: str, actor: str
    ) -> Ordered:
        """Order an upgrade without asking whether it may be, as the API does."""
        self._refuse_if_open(service)
        cycle = cycle_named(cycle) or cycle
        price = self.price_upgrade(service, to_pid, cycle, actor)
        with self.lock:
            row = Upgrade(
                self.next_id("upgrade"), service.id, str(service.pid),
                f"{to_pid},{KEYS[cycle]}", price.due, price.recurring,
            )  # fmt: skip
            self.upgrades[row.id] = row
        row.amount = self._checked_out(row, service, price, actor)
        if row.amount <= 0:
            with self.lock:
                self.client(service.clientid).credit += -row.amount
                self.complete_upgrade(row, actor)
            return Ordered(row, None, price)
        line = Line(self._upgrade_text(service, to_pid), row.amount, "Upgrade", row.id)
        invoice = self.create_invoice(
            service.clientid, [line], source="autogen", actor="system",
            duedate=self.clock.today(),
        )  # fmt: skip
        row.invoiceid = invoice.id
        return Ordered(row, invoice, price)

    def price_upgrade(
        self, service: Service, to_pid: int, cycle: str, actor: str = "client"
    ) -> Price:
        """Return what the panel asks for an upgrade, the bridge's word included."""
        cycle = cycle_named(cycle) or cycle
        own = self.native_price(service, to_pid, cycle)
        old, new = self.product(service.pid), self.product(to_pid)
        data: dict[str, object] = {
            "oldproductid": old.pid, "oldproductname": old.name,
            "newproductid": new.pid, "newproductname": new.name,
            "days": own.days, "totaldays": own.totaldays,
            "newproductbillingcycle": KEYS[cycle], "price": float(own.price),
            "discount": 0.0, "promoqualifies": False,
        }  # fmt: skip
        answer = self.ask(
            "OrderProductUpgradeOverride", data, actor, service_id=service.id,
            upgrade_targets=list(old.upgrades),
        )  # fmt: skip
        price = _amount(answer, "price")
        if price is None:
            return own
        discount = _amount(answer, "discount") or Decimal("0.00")
        return Price(own.days, own.totaldays, price, discount, own.recurring, True)

    def native_price(self, service: Service, to_pid: int, cycle: str) -> Price:
        """Return the panel's own pro-rata price: debit less credit for the days left.

        From a free plan, which has no days left, the whole new price is due.
        """
        client = self.client(service.clientid)
        list_price = self.product(to_pid).price(client.currency, cycle)
        if list_price == NOT_SOLD or cycle not in MONTHS:
            raise UpgradeRefusedError("The billing cycle is not available.")
        new, due = list_price * service.qty, service.nextduedate
        if due is None or service.billingcycle not in MONTHS:
            return Price(0, 0, new, Decimal("0.00"), new, False)
        days = max((due - self.clock.today()).days, 0)
        before = cycle_days(due, service.billingcycle)
        after = cycle_days(due, cycle)
        difference = new * days / after - service.recurringamount * days / before
        price = difference.quantize(CENT, ROUND_HALF_UP)
        return Price(days, before, price, Decimal("0.00"), new, False)

    def complete_upgrade(self, row: Upgrade, actor: str = "system") -> None:
        """Change the product of a paid upgrade and its package on the server."""
        service = self.service(row.relid)
        pid, key = row.newvalue.split(",")
        cycle = next(name for name, known in KEYS.items() if known == key)
        if service.nextduedate is None:
            service.anchor = self.clock.today()
            due = next_due(service.anchor, cycle, service.anchor)
            service.nextduedate = service.nextinvoicedate = due
        service.pid, service.billingcycle = int(pid), cycle
        service.recurringamount, row.status = row.recurring, "Completed"
        if self.product(service.pid).module:
            try:
                self.change_package(service.id, actor=actor)
            except ModuleError as error:
                self.log(f"Upgrade {row.id}: {error}", service.clientid)
        told = {
            "relid": row.relid, "type": row.type, "originalvalue": row.originalvalue,
            "newvalue": row.newvalue, "amount": f"{row.amount:.2f}",
            "status": row.status,
        }  # fmt: skip
        data: dict[str, object] = {"upgradeid": row.id}
        self.fire(
            "AfterProductUpgrade", data, actor, upgrade=told, service_id=service.id
        )

    def _refuse_if_open(self, service: Service) -> None:
        for row in list(self.upgrades.values()):
            waits = row.relid == service.id and row.status == "Pending"
            invoice = self.invoices.get(row.invoiceid or 0)
            if waits and invoice and invoice.status == "Unpaid":
                raise UpgradeRefusedError(STILL_UNPAID)

    def _checked_out(
        self, row: Upgrade, service: Service, price: Price, actor: str
    ) -> Decimal:
        data: dict[str, object] = {
            "clientId": service.clientid, "upgradeId": row.id, "serviceId": service.id,
            "amount": float(price.due), "discount": float(price.discount),
        }  # fmt: skip
        told: dict[str, object] = {
            "relid": row.relid, "type": row.type, "originalvalue": row.originalvalue,
            "newvalue": row.newvalue, "amount": f"{row.amount:.2f}",
            "status": row.status,
        }  # fmt: skip
        answer = self.ask(
            "PreUpgradeCheckout", data, actor, service_id=service.id, upgrade=told,
            upgrade_targets=list(self.product(service.pid).upgrades),
        )  # fmt: skip
        amount = _amount(answer, "amount")
        return price.due if amount is None else amount

    def _upgrade_text(self, service: Service, to_pid: int) -> str:
        old, new = self.product(service.pid).name, self.product(to_pid).name
        return f"Cambio de plan: {old} => {new} - {service.domain}"


def cycle_days(due: date, cycle: str) -> int:
    """Return the days of the period of *cycle* that ends at *due*."""
    return (due - (due - relativedelta(months=MONTHS[cycle]))).days


def _amount(answer: object, name: str) -> Decimal | None:
    """Return the money under *name*; anything of another kind is no opinion."""
    if not isinstance(answer, Mapping):
        return None
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
