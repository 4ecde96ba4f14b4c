"""What happens in the world, and which hooks tell of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from bridge.demo.clock import Clock
from bridge.demo.panel_example import (
    ANA,
    BRUNO,
    FREE,
    GABRIELA,
    HUGO,
    PLAN_100,
    SUPPORT,
)
from bridge.demo.panel_rows import Line
from bridge.demo.panel_services import ModuleError
from bridge.demo.panel_tables import next_due
from bridge.demo.world import World

ANAS_PLAN, BRUNOS_PLAN, FRANKS_SUPPORT = 1, 2, 6


def names(world):
    return [hook.type for hook in world.fired]


def test_the_example_is_the_same_every_time(clock):
    first, second = World.example(clock), World.example(clock)

    assert first.services == second.services
    assert first.invoices == second.invoices
    assert not first.fired


def test_the_example_has_the_annual_plan_of_100_paid_half_a_year_ago(world):
    service = world.services[ANAS_PLAN]

    assert (service.pid, service.recurringamount) == (PLAN_100, Decimal("100.00"))
    assert service.nextduedate == date(2027, 5, 20)
    assert world.invoices_of(ANA)[0].status == "Paid"


def test_a_new_client_is_told_with_all_documented_variables(world):
    client = world.add_client("Inés", "Paz", "ines@example.com", phonenumber="+54.1")

    (data,) = world.hooks("ClientAdd")

    assert data["client_id"] == client.id
    assert data["user_id"] == client.owner
    assert str(data["password"]).startswith("PANEL-SECRET-")
    assert {"taxexempt", "customFields", "groupid", "userid"} <= data.keys()


def test_a_changed_password_tells_the_user_and_not_the_client(world):
    gabriela = world.clients[GABRIELA].owner

    world.change_password(gabriela)

    (data,) = world.hooks("UserChangePassword")
    assert data["userid"] == gabriela
    assert names(world) == ["UserChangePassword"]


def test_the_clients_hook_comes_only_for_clients_the_user_owns(world):
    gabriela = world.clients[GABRIELA].owner

    world.change_password(gabriela, client_hook_too=True)

    told = [data["userid"] for data in world.hooks("ClientChangePassword")]
    assert told == [GABRIELA]
    assert world.users[gabriela].clients[BRUNO] is False


def test_an_edit_says_which_fields_changed_and_the_old_number(world):
    changed = world.edit_client(ANA, phonenumber="+54.91140000099", city="Salta")

    assert changed == ["city", "phonenumber"]
    context = world.fired[-1].context
    assert context["actor"] == "client"
    assert context["old_phonenumber"] == "+54.91140000001"


def test_an_edit_that_changes_nothing_still_fires(world):
    world.edit_client(ANA, actor="admin")

    assert world.fired[-1].type == "ClientEdit"
    assert world.fired[-1].context == {"actor": "admin", "changed": []}


def test_a_draft_is_told_only_when_it_is_published(world):
    draft = world.create_invoice(ANA, [Line("x", Decimal("5.00"))], draft=True)
    before = names(world)

    world.publish_draft(draft.id)

    assert "InvoiceCreated" not in before
    assert world.hooks("InvoiceCreated")[0]["invoiceid"] == draft.id
    assert draft.status == "Unpaid"


@pytest.mark.parametrize(
    ("form", "period"),
    [
        ("DD/MM/YYYY", "(13/11/2026 - 12/12/2026)"),
        ("MM/DD/YYYY", "(11/13/2026 - 12/12/2026)"),
        ("YYYY-MM-DD", "(2026-11-13 - 2026-12-12)"),
        ("DD.MM.YYYY", "(13.11.2026 - 12.12.2026)"),
    ],
)
def test_a_period_is_written_in_the_panels_date_format(world, form, period):
    world.config["DateFormat"] = form

    invoice = world.generate_renewal(
        BRUNOS_PLAN, first_day=date(2026, 11, 13), last_day=date(2026, 12, 12)
    )

    assert invoice.items[0].description.endswith(period)


def test_a_renewal_begins_where_the_last_one_ended_and_tells_its_lines(world):
    due = world.services[BRUNOS_PLAN].nextduedate

    invoice = world.generate_renewal(BRUNOS_PLAN)

    assert invoice.duedate == due == date(2026, 12, 8)
    lines = world.fired[-1].context["invoice_lines"]
    assert lines == [
        {"relid": 2, "type": "Hosting", "amount": "10.00", "duedate": "2026-12-08"}
    ]


def test_a_discount_is_a_line_of_its_own(world):
    invoice = world.generate_renewal(ANAS_PLAN, discount=Decimal("50.00"))

    assert [item.type for item in invoice.items] == ["Hosting", "PromoHosting"]
    assert invoice.total == Decimal("50.00")


def test_only_a_payment_moves_the_due_date(world):
    service = world.services[BRUNOS_PLAN]
    invoice = world.generate_renewal(BRUNOS_PLAN)
    before = service.nextduedate

    world.pay_invoice(invoice.id)

    assert (before, service.nextduedate) == (date(2026, 12, 8), date(2027, 1, 8))
    assert names(world)[-1] == "InvoicePaid"


def test_a_shorter_first_period_sets_the_billing_day(world):
    service, invoice = world.order(
        ANA, PLAN_100, first_until=date(2026, 11, 30), amount=Decimal("3.60")
    )

    world.pay_invoice(invoice.id)

    assert "(20/11/2026 - 30/11/2026)" in invoice.items[0].description
    assert service.nextduedate == date(2026, 12, 1)
    assert service.status == "Active"
    assert "AfterModuleCreate" in names(world)


@pytest.mark.parametrize(
    ("due", "cycle", "anchor", "following"),
    [
        ("2026-01-31", "Monthly", "2025-12-31", "2026-02-28"),
        ("2026-02-28", "Monthly", "2025-12-31", "2026-03-31"),
        ("2026-11-30", "Monthly", "2026-10-30", "2026-12-30"),
        ("2024-02-29", "Annually", "2024-02-29", "2025-02-28"),
        ("2027-02-28", "Annually", "2024-02-29", "2028-02-29"),
        ("2026-11-30", "Quarterly", "2026-08-31", "2027-02-28"),
    ],
)
def test_a_billing_day_keeps_to_its_anchor(due, cycle, anchor, following):
    reached = next_due(date.fromisoformat(due), cycle, date.fromisoformat(anchor))

    assert reached.isoformat() == following


def test_paying_reactivates_what_was_suspended_for_money(world):
    invoice = world.generate_renewal(BRUNOS_PLAN)
    world.suspend(BRUNOS_PLAN, "Falta de pago", actor="system")

    world.pay_invoice(invoice.id)

    assert world.services[BRUNOS_PLAN].status == "Active"
    assert "AfterModuleUnsuspend" in names(world)


def test_paying_leaves_a_service_suspended_for_abuse(world):
    invoice = world.generate_renewal(BRUNOS_PLAN)
    world.suspend(BRUNOS_PLAN, "Envío de spam")

    world.pay_invoice(invoice.id)

    assert world.services[BRUNOS_PLAN].status == "Suspended"


def test_without_a_module_staff_change_the_status_and_no_module_hook_fires(world):
    world.suspend(FRANKS_SUPPORT, "x")

    assert names(world) == ["AdminServiceEdit"]
    assert not world.commands


def test_a_module_that_fails_changes_nothing_and_says_so(world):
    world.break_module(BRUNOS_PLAN, "Terminate", "timeout")

    with pytest.raises(ModuleError, match="timeout"):
        world.terminate(BRUNOS_PLAN)

    assert world.services[BRUNOS_PLAN].status == "Active"
    assert names(world) == ["AfterModuleTerminateFailed"]
    assert world.count("termination") == 0


def test_a_service_is_terminated_once(world):
    world.terminate(BRUNOS_PLAN)

    with pytest.raises(ModuleError, match="does not exist"):
        world.terminate(BRUNOS_PLAN)
    assert world.count("termination", BRUNOS_PLAN) == 1


def test_one_request_to_cancel_for_a_service_until_it_is_withdrawn(world):
    world.request_cancellation(BRUNOS_PLAN, "Immediate", "cierro")
    with pytest.raises(ValueError, match="Existing"):
        world.request_cancellation(BRUNOS_PLAN)

    world.withdraw_cancellation(BRUNOS_PLAN)

    assert world.cancellation_of(BRUNOS_PLAN) is None
    assert world.hooks("CancellationRequest") == [
        {"userid": BRUNO, "relid": 2, "reason": "cierro", "type": "Immediate"}
    ]


def test_a_deleted_domain_is_gone_and_its_name_only_in_the_context(world):
    world.delete_domain(1)
    world.delete_domain(2, with_name=False)

    first, second = world.fired
    assert first.data == {"userid": ANA, "domainid": 1}
    assert first.context["domain"] == "radioana.com.ar"
    assert "domain" not in second.context
    assert not world.domains


def test_a_quote_is_told_at_each_stage(world):
    world.deliver_quote(1)
    world.set_quote_stage(1, "Lost")

    stages = [data["status"] for data in world.hooks("QuoteStatusChange")]
    assert stages == ["Delivered", "Lost"]


def test_the_cron_renews_ahead_but_nothing_that_is_to_be_cancelled(world):
    world.clock.advance(timedelta(days=10))
    world.request_cancellation(BRUNOS_PLAN)

    world.daily_cron()

    renewed = {
        item.relid for row in world.invoices.values() for item in row.items
        if row.status == "Unpaid"
    }  # fmt: skip
    assert renewed == {3, 7}


def test_the_cron_suspends_for_money(world):
    world.generate_renewal(BRUNOS_PLAN)
    world.clock.set(datetime(2026, 12, 13, 15, 0, tzinfo=UTC))

    world.daily_cron()

    assert world.services[BRUNOS_PLAN].suspensionreason == "Falta de pago"


@pytest.mark.parametrize(("setting", "status"), [("", "Active"), ("on", "Cancelled")])
def test_the_panel_cancels_by_itself_only_when_it_is_told_to(world, setting, status):
    world.config["AutoCancellationRequests"] = setting
    world.request_cancellation(BRUNOS_PLAN, "Immediate")

    world.daily_cron()

    assert world.services[BRUNOS_PLAN].status == status


def test_free_and_one_time_products_never_renew(world):
    service = world.add_service(HUGO, FREE, "Free Account")

    with pytest.raises(ValueError, match="does not renew"):
        world.generate_renewal(service.id)
    assert service.nextduedate is None


def test_a_moved_service_is_found_with_its_new_owner_only(world):
    world.move_service(ANAS_PLAN, GABRIELA)

    assert ANAS_PLAN in [s.id for s in world.services_of(GABRIELA)]
    assert ANAS_PLAN not in [s.id for s in world.services_of(ANA)]


def test_a_filled_world_has_as_many_as_asked_for_and_each_is_paid():
    world = World.filled(10, 25, Clock(datetime(2026, 11, 20, 15, tzinfo=UTC)))

    assert (len(world.clients), len(world.services)) == (10, 25)
    assert {invoice.status for invoice in world.invoices.values()} == {"Paid"}
    assert len({client.phonenumber for client in world.clients.values()}) == 10
    assert world.products[SUPPORT].module == ""
