"""Ordered plan changes: one invoice, and on its payment one change, told once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Kit
from dateutil.relativedelta import relativedelta
from looking import cancellation, job, rows, staff_lines, texts, upgrade

from bridge import wiring
from bridge.demo.faults import KINDS
from bridge.demo.panel_example import FREE, MAILBOXES_PRO, PLAN_100, PLAN_150, PLAN_220
from bridge.demo.panel_rows import Invoice
from bridge.demo.world import World
from bridge.reconcile import reconcile
from bridge.store import outbox, tables

ANA, BRUNO = 1, 2
ANNUAL = 1  # Ana's service: the annual plan of 100, paid half a year ago
MONTHLY = 2  # Bruno's: the plan of 10 a month
ELENAS, GRATIS = 5, 9

Ordering = Callable[..., Kit]


@pytest.fixture
def ordering(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Path]
) -> Ordering:
    """Return a function that orders a plan change, as the map of an operator may."""

    def order(service: int, to: int, cycle: str = "", **settings: object) -> Kit:
        point = "  AfterModuleUnsuspend:\n"
        rule = f"    - {{ name: order, do: invoice_upgrade, to: {to}, "
        rule += f'cycle: "{cycle}" }}\n'
        bridge = bridge_for(config_dir=config_with((point, point + rule)), **settings)
        found = replace(kit, bridge=bridge)
        found.world.suspend(service, "Mantenimiento")
        found.world.unsuspend(service)
        found.work()
        found.sent.clear()
        return found

    return order


def invoice_of(kit: Kit) -> Invoice:
    """Return the one invoice that the bridge made."""
    (found,) = [i for i in kit.world.invoices.values() if "[bridge" in i.notes]
    return found


def test_ordered_invoiced_paid_applied_and_told_once(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    due = kit.world.service(ANNUAL).nextduedate
    before = (invoice.status, invoice.total, kit.world.service(ANNUAL).pid)
    kit.world.pay_invoice(invoice.id)
    kit.work()

    service = kit.world.service(ANNUAL)
    assert before == ("Unpaid", Decimal("50.00"), PLAN_100)
    assert (service.pid, service.nextduedate) == (PLAN_150, due)
    assert service.recurringamount == Decimal("150.00")
    assert kit.world.count("product_change", ANNUAL, actor="api") == 1
    assert kit.panel.package_changes == {ANNUAL: 1}
    assert sum(kit.panel.invoices_created.values()) == 1
    assert upgrade(kit, ANNUAL).state == "done"
    assert texts(kit).count("upgrade_done") == 1
    assert kit.panel.refused == []


CASES = [
    ("row-3", MONTHLY, PLAN_220, "", "15.00", "25.00", "2026-11-21"),
    ("row-4", MONTHLY, PLAN_150, "Annually", "140.00", "150.00", "2027-11-02"),
    ("row-9", GRATIS, PLAN_150, "Annually", "150.00", "150.00", "2027-11-02"),
    ("row-12", ELENAS, MAILBOXES_PRO, "", "45000.00", "75000.00", "2026-11-28"),
]


@pytest.mark.parametrize(
    ("service", "to", "cycle", "bills", "renews", "due"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_what_is_billed_and_what_holds_afterwards(
    ordering: Ordering,
    service: int,
    to: int,
    cycle: str,
    bills: str,
    renews: str,
    due: str,
) -> None:
    kit = ordering(service, to, cycle)
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)
    kit.work()

    after = kit.world.service(service)
    assert invoice.total == Decimal(bills)
    assert (after.pid, after.recurringamount) == (to, Decimal(renews))
    assert after.nextduedate == date.fromisoformat(due)


def test_a_new_period_begins_on_the_day_it_is_enabled_not_ordered(
    ordering: Ordering,
) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    kit.clock.advance(timedelta(days=3))
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert kit.world.service(MONTHLY).nextduedate == date(2027, 11, 5)


def test_the_same_price_is_changed_at_once_without_an_invoice(
    ordering: Ordering, world: World
) -> None:
    world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal("100.00")
    kit = ordering(ANNUAL, PLAN_150)

    assert kit.panel.count("CreateInvoice") == 0
    assert kit.world.service(ANNUAL).pid == PLAN_150
    assert kit.panel.package_changes == {ANNUAL: 1}
    assert upgrade(kit, ANNUAL).state == "done"


SPOILT = sorted(KINDS - {"wrong_service", "slow", "dribble", "bomb"})


@pytest.mark.parametrize("kind", SPOILT)
def test_an_invoice_whose_answer_was_lost_is_found_by_its_note(
    ordering: Ordering, panel: object, kit: Kit, kind: str
) -> None:
    kit.panel.faults.add("CreateInvoice", kind, times=1)
    kit = ordering(ANNUAL, PLAN_150)
    soon = kit.panel.count("CreateInvoice")
    for _ in range(3):
        kit.advance(minutes=6)

    assert soon == 1
    assert sum(kit.panel.invoices_created.values()) == 1
    assert invoice_of(kit).status == "Unpaid"
    assert upgrade(kit, ANNUAL).invoice_id == invoice_of(kit).id


def test_a_delivery_that_comes_again_to_an_older_copy_of_the_store_finds_its_invoice(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    before = invoice_of(kit)

    def put_back(db: sa.Connection) -> None:
        for table in (tables.upgrades, tables.attempts, tables.jobs, tables.events):
            db.execute(sa.delete(table))

    kit.bridge.store.write(put_back)
    (ordered,) = [r for r in kit.outbox.delivered if r.type == "AfterModuleUnsuspend"]
    kit.outbox.send_again(ordered)
    kit.work()

    assert invoice_of(kit) is before
    assert sum(kit.panel.invoices_created.values()) == 1
    assert upgrade(kit, ANNUAL).invoice_id == before.id
    assert upgrade(kit, ANNUAL).state == "invoiced"


def test_a_change_whose_answer_was_lost_at_midnight_began_the_day_before(
    ordering: Ordering, kit: Kit
) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    today = kit.clock.today()
    kit.clock.set(kit.clock.at(today, 23) + timedelta(minutes=58))
    kit.panel.faults.add("UpdateClientProduct", "acts_but_loses_the_answer", times=1)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    for _ in range(2):
        kit.advance(minutes=6)
    kit.world.request_cancellation(MONTHLY, "End of Billing Period")
    kit.work()

    due = kit.world.service(MONTHLY).nextduedate
    assert kit.clock.today() == today + timedelta(days=1)
    assert due == today + relativedelta(years=1)
    assert upgrade(kit, MONTHLY).paid_on == today
    assert cancellation(kit, MONTHLY).ends == due - timedelta(days=1)


ACTS = ["UpdateInvoice", "UpdateClientProduct", "ModuleChangePackage"]


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize("kind", SPOILT)
def test_a_bad_answer_at_any_step_ends_with_one_change(
    ordering: Ordering, kit: Kit, action: str, kind: str
) -> None:
    fault = kit.panel.faults.add(action, kind, times=1)
    kit = ordering(ANNUAL, PLAN_150)
    for _ in range(3):
        kit.advance(minutes=6)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    for _ in range(4):
        kit.advance(minutes=6)

    assert fault.met == 1
    assert sum(kit.panel.invoices_created.values()) == 1
    assert kit.world.count("product_change", ANNUAL, actor="api") == 1
    assert kit.world.service(ANNUAL).recurringamount == Decimal("150.00")
    assert upgrade(kit, ANNUAL).state == "done"
    assert texts(kit).count("upgrade_done") == 1


def test_two_invoices_of_one_order_wait_for_staff(ordering: Ordering, kit: Kit) -> None:
    kit.panel.faults.add("CreateInvoice", "acts_but_loses_the_answer", times=1)
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.create_invoice(1, [], notes=invoice_of(kit).notes)
    kit.advance(minutes=6)

    assert upgrade(kit, ANNUAL).state == "staff"
    assert "several invoices" in staff_lines(kit)[0]


def test_a_hook_that_says_paid_applies_nothing_and_the_payment_does(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    kit.world.fire("InvoicePaid", {"invoiceid": invoice.id}, "client")
    kit.work()
    after_the_lie = kit.world.service(ANNUAL).pid
    kit.world.pay_invoice(invoice.id)
    kit.work()

    assert after_the_lie == PLAN_100
    assert kit.world.service(ANNUAL).pid == PLAN_150
    assert upgrade(kit, ANNUAL).state == "done"


def test_two_deliveries_of_one_payment_at_once_change_the_plan_once(
    ordering: Ordering, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    other = bridge_for(config_dir=kit.bridge.settings.config_dir)
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)
    kit.world.fire("InvoicePaid", {"invoiceid": invoice.id}, "client")
    kit.flush()
    workers = [kit.bridge.worker, other.worker]
    threads = [threading.Thread(target=worker.drain) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    kit.advance(minutes=1)

    assert kit.panel.count("UpdateClientProduct") == 1
    assert kit.panel.package_changes == {ANNUAL: 1}
    assert upgrade(kit, ANNUAL).state == "done"
    assert texts(kit).count("upgrade_done") == 1


class WhileItLooks:
    """A panel during whose answer about the service something else happens."""

    def __init__(self, panel: Any, happens: Callable[[], object]) -> None:
        self._panel = panel
        self._happens: list[Callable[[], object]] = [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)

    def service(self, number: int) -> Any:
        """Answer what was so before it happened."""
        found = self._panel.service(number)
        for happens in [self._happens.pop()] if self._happens else []:
            happens()
        return found


def test_a_second_delivery_that_overtakes_the_first_changes_nothing_twice(
    ordering: Ordering, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    other = bridge_for(config_dir=kit.bridge.settings.config_dir)
    invoice = invoice_of(kit)
    with kit.world.muted():
        kit.world.pay_invoice(invoice.id)
    for _ in range(2):
        kit.world.fire("InvoicePaid", {"invoiceid": invoice.id}, "client")
    kit.flush()
    bench = kit.bridge.bench
    bench.panel = WhileItLooks(bench.panel, other.worker.drain)  # type: ignore[assignment]
    kit.bridge.worker.drain()
    kit.advance(minutes=1)

    assert kit.panel.count("UpdateClientProduct") == 1
    assert kit.panel.package_changes == {ANNUAL: 1}
    assert upgrade(kit, ANNUAL).state == "done"


def test_a_late_second_delivery_does_not_open_a_finished_upgrade_again(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)
    kit.work()
    kit.world.fire("InvoicePaid", {"invoiceid": invoice.id}, "client")
    kit.work()

    assert upgrade(kit, ANNUAL).state == "done"
    assert kit.panel.count("UpdateClientProduct") == 1


def other_plan(world: World) -> None:
    world.service(ANNUAL).pid = PLAN_220


def other_owner(world: World) -> None:
    world.move_service(ANNUAL, 2)


def other_due_date(world: World) -> None:
    world.service(ANNUAL).nextduedate = date(2028, 5, 2)


def suspended(world: World) -> None:
    world.suspend(ANNUAL, "Mantenimiento")


def other_price(world: World) -> None:
    world.product(PLAN_150).prices["ARS"]["Annually"] = Decimal("180.00")


def renewal_at_the_old_price(world: World) -> None:
    world.generate_renewal(ANNUAL)


def other_cycle(world: World) -> None:
    world.service(ANNUAL).billingcycle = "Monthly"


CHANGES = [
    *(other_plan, other_owner, other_due_date, other_cycle, suspended, other_price),
    renewal_at_the_old_price,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_service_that_changed_before_payment_waits_for_staff(
    ordering: Ordering, change: Callable[[World], None]
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    change(kit.world)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.advance(days=1)

    assert kit.panel.count("UpdateClientProduct") == 0
    assert upgrade(kit, ANNUAL).state == "staff"
    assert "nothing was applied, the invoice is paid" in staff_lines(kit)[0]


def test_a_cycle_that_staff_changed_to_the_ordered_one_waits_for_staff(
    ordering: Ordering,
) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    kit.world.service(MONTHLY).billingcycle = "Annually"
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert kit.panel.count("UpdateClientProduct") == 0
    assert "it is paid annually now" in staff_lines(kit)[0]


def test_once_staff_cancelled_the_renewal_at_the_old_price_a_retry_goes_on(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    renewal = kit.world.generate_renewal(ANNUAL)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.world.cancel_invoice(renewal.id)
    kit.bridge.store.write(lambda db: outbox.again(db, kit.clock.now()))
    kit.work()

    assert upgrade(kit, ANNUAL).state == "done"
    assert kit.world.service(ANNUAL).pid == PLAN_150


def test_a_draft_that_is_not_as_quoted_is_not_published(
    ordering: Ordering, kit: Kit
) -> None:
    kit.panel.faults.add("UpdateInvoice", "html_500", times=1)
    kit = ordering(ANNUAL, PLAN_150)
    invoice_of(kit).items[0].amount = Decimal("5.00")
    kit.advance(minutes=6)

    assert invoice_of(kit).status == "Draft"
    assert upgrade(kit, ANNUAL).state == "staff"


def test_a_cancelled_invoice_ends_the_order(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.cancel_invoice(invoice_of(kit).id)
    kit.work()

    assert upgrade(kit, ANNUAL).state == "ended"
    assert kit.world.service(ANNUAL).pid == PLAN_100


def test_a_hook_that_says_cancelled_ends_nothing(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.fire("InvoiceCancelled", {"invoiceid": invoice_of(kit).id}, "admin")
    kit.work()

    assert upgrade(kit, ANNUAL).state == "invoiced"


@pytest.mark.parametrize("over", ["cancel", "refund"])
@pytest.mark.parametrize("hook", [True, False], ids=["told", "found-by-comparison"])
def test_an_order_that_waits_for_staff_ends_when_its_invoice_is_over(
    ordering: Ordering, over: str, hook: bool
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    suspended(kit.world)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    before = upgrade(kit, ANNUAL).state
    with nullcontext() if hook else kit.world.muted():
        getattr(kit.world, f"{over}_invoice")(invoice_of(kit).id)
    found = [] if hook else reconcile(kit.bridge.bench).differences
    kit.work()

    assert before == "staff"
    assert upgrade(kit, ANNUAL).state == "ended"
    assert [one.what for one in found] == ([] if hook else ["upgrade ended"])
    assert reconcile(kit.bridge.bench).differences == []


def test_an_order_whose_paid_invoice_stands_waits_for_staff_on(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    suspended(kit.world)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    found = reconcile(kit.bridge.bench)

    assert found.differences == []
    assert upgrade(kit, ANNUAL).state == "staff"


def test_a_draft_is_not_over(ordering: Ordering, kit: Kit) -> None:
    kit.panel.faults.add("UpdateInvoice", "html_500", times=1)
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.fire("InvoiceCancelled", {"invoiceid": invoice_of(kit).id}, "admin")
    kit.work()
    found = reconcile(kit.bridge.bench)

    assert invoice_of(kit).status == "Draft"
    assert found.differences == []
    assert upgrade(kit, ANNUAL).state == "ordered"


def test_the_plan_that_was_changed_before_the_refund_is_told(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.break_module(ANNUAL, "ChangePackage", times=10)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    for _ in range(20):
        kit.advance(hours=6)
    before = upgrade(kit, ANNUAL).state
    kit.world.refund_invoice(invoice_of(kit).id)
    kit.work()

    assert (before, upgrade(kit, ANNUAL).state) == ("staff", "ended")
    assert "the plan was changed before" in upgrade(kit, ANNUAL).reason


def test_money_for_an_order_that_had_ended_goes_to_staff(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    kit.world.cancel_invoice(invoice.id)
    kit.work()
    invoice.status = "Unpaid"
    kit.world.pay_invoice(invoice.id)
    kit.work()
    kit.world.fire("InvoicePaid", {"invoiceid": invoice.id}, "client")
    kit.work()

    [told] = staff_lines(kit)
    assert "was paid after the order had ended: nothing was applied" in told
    assert kit.panel.count("UpdateClientProduct") == 0
    assert upgrade(kit, ANNUAL).state == "ended"


def test_money_for_an_order_that_waits_for_staff_goes_to_them(
    ordering: Ordering, kit: Kit
) -> None:
    kit.panel.faults.add("UpdateInvoice", "html_500", times=1)
    kit = ordering(ANNUAL, PLAN_150)
    invoice_of(kit).items[0].amount = Decimal("5.00")
    kit.advance(minutes=6)
    invoice_of(kit).status = "Unpaid"  # staff published it
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert "waits for staff, and invoice" in staff_lines(kit)[-1]
    assert kit.panel.count("UpdateClientProduct") == 0


def lowered(invoice: Invoice) -> None:
    invoice.items[0].amount = Decimal("1.00")


def discounted(invoice: Invoice) -> None:
    invoice.items.append(replace(invoice.items[0], id=99, amount=Decimal("-49.00")))


@pytest.mark.parametrize("edit", [lowered, discounted])
def test_an_invoice_that_was_edited_before_payment_applies_nothing(
    ordering: Ordering, edit: Callable[[Invoice], None]
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    edit(invoice_of(kit))
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert kit.world.service(ANNUAL).pid == PLAN_100
    assert upgrade(kit, ANNUAL).state == "staff"
    assert "bills 1.00, not 50.00 as quoted" in staff_lines(kit)[0]


def credited(invoice: Invoice) -> None:
    invoice.credit = Decimal("30.00")


def late(invoice: Invoice) -> None:
    fee = replace(invoice.items[0], id=99, type="LateFee", amount=Decimal("5.00"))
    invoice.items.append(fee)


@pytest.mark.parametrize("edit", [credited, late])
def test_credit_and_late_fees_are_no_other_price(
    ordering: Ordering, edit: Callable[[Invoice], None]
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    edit(invoice_of(kit))
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert kit.world.service(ANNUAL).pid == PLAN_150
    assert upgrade(kit, ANNUAL).state == "done"


def test_a_server_that_does_not_take_the_plan_is_told_again_then_staff_see_it(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.break_module(ANNUAL, "ChangePackage", times=10)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    for _ in range(20):
        kit.advance(hours=6)
    parked = (upgrade(kit, ANNUAL).state, len(staff_lines(kit)))
    told = texts(kit).count("upgrade_done")
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: outbox.again(db, now))
    kit.work()
    kit.advance(hours=12)

    assert parked == ("staff", 1)
    assert told == 0
    assert kit.panel.package_changes == {ANNUAL: 1}
    assert upgrade(kit, ANNUAL).state == "done"
    assert texts(kit).count("upgrade_done") == 1


def test_a_product_without_a_server_needs_no_package(
    ordering: Ordering, world: World
) -> None:
    world.products[PLAN_150].module = ""
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    assert upgrade(kit, ANNUAL).state == "done"
    assert "no server" in upgrade(kit, ANNUAL).reason


def test_a_second_order_while_one_is_pending_waits_for_staff(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.suspend(ANNUAL, "Mantenimiento")
    kit.world.unsuspend(ANNUAL)
    kit.work()

    assert sum(kit.panel.invoices_created.values()) == 1
    assert "upgrade_pending" in staff_lines(kit)[0]


def test_an_upgrade_paid_a_month_ago_counts_as_paid(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.advance(days=30)
    kit.world.decide = kit.outbox.ask
    price = kit.world.upgrade(ANNUAL, PLAN_220).price

    assert price.due == Decimal("70.00")  # 220 - (100 + 50)


@pytest.mark.parametrize("gone", [False, True], ids=["refunded", "deleted"])
def test_an_upgrade_that_was_given_back_counts_no_more(
    ordering: Ordering, gone: bool
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)
    kit.work()
    kit.world.refund_invoice(invoice.id)
    if gone:  # nobody can say that it was given back
        del kit.world.invoices[invoice.id]
        kit.world.belongs_no_more("invoice", invoice.id, invoice.userid)
    kit.work()
    kit.world.decide = kit.outbox.ask
    price = kit.world.upgrade(ANNUAL, PLAN_220).price

    assert price.due == Decimal("70.00" if gone else "120.00")
    assert upgrade(kit, ANNUAL).state == "done"


def test_a_dry_run_makes_no_invoice(ordering: Ordering) -> None:
    kit = ordering(ANNUAL, PLAN_150, dry_run=True)

    assert kit.panel.count("CreateInvoice") == 0
    assert upgrade(kit, ANNUAL).state == "rehearsed"
    assert job(kit, "/invoice").state == "rehearsed"


def test_a_payment_without_a_hook_is_found_by_the_comparison(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    with kit.world.muted():
        kit.world.pay_invoice(invoice.id)
    found = reconcile(kit.bridge.bench)
    kit.work()
    again = reconcile(kit.bridge.bench)

    assert [one.what for one in found.differences] == ["upgrade paid"]
    assert again.differences == []
    assert upgrade(kit, ANNUAL).state == "done"


@pytest.mark.parametrize("gone", [False, True], ids=["cancelled", "deleted"])
def test_an_invoice_that_is_over_without_a_hook_ends_the_order(
    ordering: Ordering, gone: bool
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    invoice = invoice_of(kit)
    kit.world.cancel_invoice(invoice.id, hook=False)
    if gone:
        del kit.world.invoices[invoice.id]
        kit.world.belongs_no_more("invoice", invoice.id, invoice.userid)
    found = reconcile(kit.bridge.bench)
    kit.work()

    assert [one.what for one in found.differences] == ["upgrade ended"]
    assert upgrade(kit, ANNUAL).state == "ended"


def test_the_plans_own_product_is_what_the_free_one_left(ordering: Ordering) -> None:
    kit = ordering(GRATIS, PLAN_100, "Annually")

    assert upgrade(kit, GRATIS).from_product_id == FREE
    assert len(rows(kit.bridge.store, tables.upgrades)) == 1


def test_an_order_whose_invoice_went_into_another_one_is_told_to_staff(
    ordering: Ordering,
) -> None:
    kit = ordering(ANNUAL, PLAN_150)
    kit.work()
    invoice = kit.world.invoices.pop(invoice_of(kit).id)
    reconcile(kit.bridge.bench)
    kit.work()
    reconcile(kit.bridge.bench)
    kit.work()

    [line] = staff_lines(kit)
    assert upgrade(kit, ANNUAL).state == "ended"
    assert f"invoice {invoice.id} is not in the panel any more" in line
    assert "if another invoice bills it now" in line


def test_a_service_whose_upgrade_began_a_new_period_ends_with_that(
    ordering: Ordering,
) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)  # on 2026-11-02
    kit.work()
    kit.clock.advance(timedelta(days=60))
    kit.world.request_cancellation(MONTHLY)
    kit.work()

    row = cancellation(kit, MONTHLY)
    assert (row.state, row.ends) == ("scheduled", date(2027, 11, 1))
    assert f"plan change (invoice {invoice.id})" in row.because
    kit.clock.set(kit.clock.at(date(2027, 11, 1), 23))
    kit.work()
    assert kit.panel.terminations == {MONTHLY: 1}


def test_a_free_service_that_was_upgraded_ends_with_the_year_it_paid(
    ordering: Ordering,
) -> None:
    kit = ordering(GRATIS, PLAN_150, "Annually")
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.world.request_cancellation(GRATIS)
    kit.work()

    assert cancellation(kit, GRATIS).ends == date(2027, 11, 1)


def test_a_renewal_after_the_upgrade_decides_when_it_ends(ordering: Ordering) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.clock.advance(timedelta(days=350))
    kit.world.generate_renewal(MONTHLY)
    kit.world.request_cancellation(MONTHLY)
    kit.work()

    assert cancellation(kit, MONTHLY).ends == date(2028, 11, 1)


def test_an_upgrade_that_was_given_back_began_no_period(ordering: Ordering) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    invoice_of(kit).status = "Refunded"
    kit.world.request_cancellation(MONTHLY)
    kit.work()

    assert cancellation(kit, MONTHLY).ends == date(2026, 11, 20)


def test_a_rule_orders_nothing_beside_an_upgrade_in_the_panel(
    ordering: Ordering, kit: Kit
) -> None:
    kit.world.upgrade(ANNUAL, PLAN_150)
    kit = ordering(ANNUAL, PLAN_150)

    assert sum(kit.panel.invoices_created.values()) == 0
    assert "upgrade_pending" in staff_lines(kit)[0]


def test_an_end_moves_on_with_a_plan_change_that_began_a_new_period(
    ordering: Ordering,
) -> None:
    kit = ordering(MONTHLY, PLAN_150, "Annually")
    kit.world.request_cancellation(MONTHLY)  # ends on 2026-11-20
    kit.work()
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 20), 23))
    kit.work()

    assert kit.panel.terminations == {}
    assert cancellation(kit, MONTHLY).ends == date(2027, 11, 1)
    kit.advance(hours=12)
    assert "cancellation_moved" in texts(kit)
