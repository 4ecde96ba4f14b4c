"""The WHMCS client against the simulated panel, over real sockets.

The simulated panel shares no code with the client: it judges every call by the
vendor's documentation, and `refused` holds a sentence for each that was wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.billing.model import Cycle
from bridge.demo.clock import Clock
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_example import (
    ANA,
    BRUNO,
    CARLA,
    DESIGN,
    ELENA,
    FREE,
    GABRIELA,
    HUGO,
    PLAN_100,
    RADIO_PRO,
    SUPPORT,
    VPS,
)
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World
from bridge.errors import NoModule, Reason, RemoteError
from bridge.panel import PanelReads, PanelWrites
from bridge.transport import Transport
from bridge.whmcs_client import WhmcsClient

NOON = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")


@pytest.fixture
def panel() -> Panel:
    """Return a panel whose API role allows what the client says it calls."""
    simulated = Panel(World.example(Clock(NOON)))
    simulated.permissions = set(WhmcsClient.actions)
    return simulated


@pytest.fixture
def client(panel: Panel) -> Iterator[WhmcsClient]:
    with PanelServer(panel) as server, Transport(pool=2, total=5.0) as transport:
        yield WhmcsClient(
            transport,
            server.url,
            IDENTIFIER,
            SECRET,
            zone=ZONE,
            ticket_email="bridge@example.com",
        )
    assert panel.refused == []


def of(client: WhmcsClient, client_id: int) -> int:
    """Return the id of the first service of a client."""
    return client.services(client_id)[0].id


def failure(call: object, *args: object, **more: object) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        call(*args, **more)
    return caught.value


def test_every_method_of_a_panel_is_there():
    asked = inspect.getmembers(PanelReads) + inspect.getmembers(PanelWrites)
    names = {name for name, _ in asked if not name.startswith("_")}

    assert len(names) == 33
    assert all(callable(getattr(WhmcsClient, name)) for name in names)


def test_clients_and_logins(client, panel):
    bruno = client.client(BRUNO)
    gabriela = client.user(panel.world.clients[GABRIELA].owner)

    assert bruno.company == "Díaz & Hijos"
    assert bruno.phone == "+5491140000002"
    assert (bruno.currency, bruno.email_verified) == ("ARS", True)
    assert client.client(HUGO).phone == ""
    assert client.client_by_email("carla@example.com").id == CARLA
    assert (gabriela.owns, gabriela.guest_of) == ((GABRIELA,), (BRUNO,))
    assert failure(client.client, 99).reason is Reason.NOT_FOUND
    assert failure(client.client_by_email, "x@example.com").reason is Reason.NOT_FOUND
    assert failure(client.user, 99).reason is Reason.NOT_FOUND


def test_services(client):
    services = client.services(ANA)
    first = client.service(services[0].id)

    assert len(services) == 2
    assert first == services[0]
    assert (first.client_id, first.product_id) == (ANA, PLAN_100)
    assert first.cycle is Cycle.ANNUALLY
    assert first.next_due == date(2027, 5, 20)
    assert {s.cycle for s in client.services(HUGO)} == {Cycle.ONE_TIME, Cycle.FREE}
    assert client.services(ELENA)[0].quantity == 3
    assert client.services(99) == []
    assert failure(client.service, 99).reason is Reason.NOT_FOUND


def test_products(client):
    products = {product.id: product for product in client.products()}

    assert products[PLAN_100] == client.product(PLAN_100)
    assert products[PLAN_100].price("ARS", Cycle.ANNUALLY) == Decimal(100)
    assert products[PLAN_100].price("ARS", Cycle.QUARTERLY) is None
    assert products[DESIGN].price("USD", Cycle.ONE_TIME) == Decimal(300)
    assert products[DESIGN].price("USD", Cycle.MONTHLY) is None
    assert products[FREE].pay_type == "free"
    assert products[VPS].paid_options == {1}
    assert products[PLAN_100].paid_options == frozenset()
    assert failure(client.product, 999).reason is Reason.NOT_FOUND


def test_invoices(client):
    listed = client.invoices(ANA)
    whole = client.invoice(listed[0].id)

    assert [i.id for i in listed] == sorted((i.id for i in listed), reverse=True)
    assert listed[0].currency == "ARS"
    assert (whole.total, whole.client_id) == (listed[0].total, ANA)
    assert whole.lines[0].kind == "Hosting"
    assert whole.paid_at is None or whole.paid_at.tzinfo is ZONE
    assert client.invoices(ANA, "Draft") == []
    assert failure(client.invoice, 9999).reason is Reason.NOT_FOUND


def test_domains_and_quotes(client):
    domain = client.domains(ANA)[0]
    quote = client.quotes(ELENA)[0]

    assert client.domain(domain.id) == domain
    assert (domain.name, domain.renews) == ("radioana.com.ar", True)
    assert client.quote(quote.id) == quote
    assert (quote.client_id, quote.total) == (ELENA, Decimal(90000))
    assert quote.subject == "Migración & soporte"
    assert failure(client.domain, 99).reason is Reason.NOT_FOUND
    assert failure(client.quote, 99).reason is Reason.NOT_FOUND


@pytest.mark.parametrize("empty", ["list", "blank", "missing", "null", "plain"])
def test_nothing_is_nothing_however_the_panel_writes_it(client, panel, empty):
    panel.empty = empty

    assert client.cancellation_requests() == []
    assert client.domains(HUGO) == []
    assert client.invoices(HUGO, "Draft") == []


@pytest.mark.parametrize("flattened", [False, True])
def test_cancellation_requests(client, panel, flattened):
    panel.flattened = flattened
    first, second = of(client, ANA), of(client, BRUNO)

    client.request_cancellation(first, immediate=True, reason="no la uso & chau")
    client.request_cancellation(second, immediate=False, reason="")
    again = failure(client.request_cancellation, first, immediate=False, reason="")

    told = {request.service_id: request for request in client.cancellation_requests()}
    assert told[first].immediate
    assert not told[second].immediate
    assert told[first].reason == "no la uso & chau"
    assert told[first].requested_on == date(2026, 11, 20)
    assert (again.reason, again.sent) == (Reason.REFUSED, False)


def test_what_the_panel_would_charge(client):
    carla = of(client, CARLA)

    price = client.native_upgrade_price(carla, RADIO_PRO, Cycle.MONTHLY, "mercadopago")

    assert price > 0
    assert client.service(carla).product_id != RADIO_PRO


def test_an_upgrade_price_written_for_people_is_not_guessed(client):
    error = failure(
        client.native_upgrade_price, of(client, ANA), 22, Cycle.ANNUALLY, "mercadopago"
    )

    assert error.reason is Reason.UNREADABLE


def test_settings_and_version(client):
    assert client.setting("DateFormat") == "DD/MM/YYYY"
    assert client.version()[0].isdigit()
    assert failure(client.setting, "Nothing").reason is Reason.NOT_FOUND


def test_a_service_is_ended_once(client, panel):
    service = of(client, ANA)

    client.terminate(service)

    assert panel.terminations[service] == 1
    assert client.service(service).ended


def test_a_service_without_a_module(client, panel):
    support = next(s for s in client.services(6) if s.product_id == SUPPORT)

    assert isinstance(failure(client.terminate, support.id), NoModule)
    assert isinstance(failure(client.change_package, support.id), NoModule)
    client.set_service_status(support.id, "Cancelled")

    assert client.service(support.id).status == "Cancelled"


def test_a_service_is_changed(client, panel):
    service = of(client, BRUNO)

    client.change_service(
        service,
        product_id=22,
        cycle=Cycle.ANNUALLY,
        recurring=Decimal("150.50"),
        next_due=date(2027, 11, 20),
    )
    client.change_package(service)

    told = client.service(service)
    assert (told.product_id, told.cycle) == (22, Cycle.ANNUALLY)
    assert (told.recurring, told.next_due) == (Decimal("150.50"), date(2027, 11, 20))
    assert panel.package_changes[service] == 1


def test_an_invoice_is_made_published_and_cancelled(client, panel):
    made = client.create_draft_invoice(
        ANA,
        description="Diferencia Plan 100 -> Plan 150",
        amount=Decimal("50.00"),
        day=date(2026, 11, 20),
        due=date(2026, 11, 27),
        notes="bridge key 1",
    )
    draft = client.invoice(made)
    client.publish_invoice(made)
    published = client.invoice(made)
    client.cancel_invoice(made)

    assert (draft.status, draft.total, draft.notes) == (
        "Draft",
        Decimal("50.00"),
        "bridge key 1",
    )
    assert draft.due == date(2026, 11, 27)
    assert published.status == "Unpaid"
    assert client.invoice(made).status == "Cancelled"
    assert panel.invoices_created[made] == 1
    assert failure(client.publish_invoice, made).sent is False


def test_a_domain_is_not_renewed(client):
    domain = client.domains(ANA)[0]

    client.stop_renewal(domain.id)

    assert client.domain(domain.id).renews is False


def test_tickets_notes_and_log(client, panel):
    number = client.open_ticket(
        department=1, subject="Ñ & co", message="x", client_id=ANA
    )
    other = client.open_ticket(department=1, subject="y", message="y", client_id=None)
    client.note(ANA, "note")
    client.log("line", client_id=ANA)

    assert number != other
    assert panel.count("AddClientNote", userid=ANA, notes="note") == 1
    assert panel.count("LogActivity", description="line") == 1


# Access


def test_wrong_credentials(client, panel):
    panel.secret = "another"

    error = failure(client.version)

    assert (error.reason, error.sent) == (Reason.DENIED_CREDENTIALS, False)
    assert SECRET not in str(error)


def test_an_address_that_is_not_on_the_list_and_the_key_around_it(client, panel):
    panel.allowed_ips = set()
    panel.accesskey = "k3y"

    error = failure(client.version)

    assert error.reason is Reason.DENIED_ADDRESS
    assert "127.0.0.1: add it under Configuration > System Settings" in error.detail


def test_an_action_the_role_does_not_allow(client, panel):
    panel.permissions = {"WhmcsDetails"}

    error = failure(client.terminate, 1)

    assert (error.reason, error.sent) == (Reason.MISSING_PERMISSION, False)
    assert "ModuleTerminate" in error.detail


# Faults

KINDS = [
    ("html_500", {}, Reason.UNREADABLE, True),
    ("empty", {}, Reason.UNREADABLE, True),
    ("null", {}, Reason.UNREADABLE, True),
    ("wrong_type", {}, Reason.UNREADABLE, True),
    ("cut", {}, Reason.UNREADABLE, True),
    ("warning_text", {}, Reason.UNREADABLE, True),
    ("redirect", {}, Reason.UNREADABLE, True),
    ("bomb", {}, Reason.UNREADABLE, True),
    ("slow", {"seconds": 1.0}, Reason.UNREACHABLE, True),
    ("dribble", {"seconds": 5.0}, Reason.UNREACHABLE, True),
    ("acts_but_loses_the_answer", {}, Reason.UNREACHABLE, True),
    ("error", {}, Reason.REFUSED, True),
    ("http", {"status": 429, "retry_after": 7}, Reason.RATE_LIMITED, False),
    ("http", {"status": 503, "retry_after": 7}, Reason.RATE_LIMITED, True),
    ("http", {"status": 502}, Reason.UNREADABLE, True),
]


@pytest.mark.parametrize(("kind", "how", "reason", "sent"), KINDS)
def test_a_fault_after_an_acting_call_is_never_followed_by_a_second(
    client, panel, kind, how, reason, sent
):
    service = of(client, ANA)
    panel.faults.add("ModuleTerminate", kind, **how)

    # Short where time is what fails; a bomb takes a while to be made.
    deadline = 0.5 if kind in ("slow", "dribble") else 20.0
    error = failure(client.with_deadline(deadline).terminate, service)

    assert (error.reason, error.sent) == (reason, sent)
    assert panel.count("ModuleTerminate") == 1


def test_an_answer_about_another_service(client, panel):
    service = of(client, ANA)
    panel.faults.add("GetClientsProducts", "wrong_service")

    error = failure(client.service, service)

    assert error.reason is Reason.UNREADABLE
    assert f"when asked about {service}" in error.detail


def test_a_panel_that_hangs_up_on_everybody(client, panel):
    with panel.faults.outage_now():
        error = failure(client.version)

    assert (error.reason, error.sent) == (Reason.UNREACHABLE, True)
    assert client.version()
