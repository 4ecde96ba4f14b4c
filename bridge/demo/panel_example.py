"""The example company, and companies of any size for load."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from dateutil.relativedelta import relativedelta

from bridge.demo.panel_rows import MONTHS, NOT_SOLD, Currency, Option, Product, Service

if TYPE_CHECKING:
    from bridge.demo.world import World

CURRENCIES = (
    Currency(1, "ARS", "$", 3),
    Currency(2, "USD", "$", 1),
    Currency(3, "BRL", "R$", 3),
    Currency(4, "CLP", "$", 4),
)
FACTOR = {"ARS": 1, "USD": 1, "BRL": 5, "CLP": 1000}

ANA, BRUNO, CARLA, DIEGO, ELENA, FRANK, GABRIELA, HUGO = range(1, 9)
PLAN_100, PLAN_150, PLAN_220 = 21, 22, 25
RADIO, RADIO_PRO, DESIGN, SUPPORT, FREE = 31, 32, 41, 42, 51
MAILBOXES, MAILBOXES_PRO, VPS, VPS_PRO = 61, 62, 71, 72

CLIENTS = (
    ("Ana", "Pérez", "ana@example.com", "AR", "+54.91140000001", "ARS", "spanish"),
    ("Bruno", "Díaz", "bruno@example.com", "AR", "+54.91140000002", "ARS", "spanish"),
    ("Carla", "Gómez", "carla@example.com", "MX", "+52.5540000003", "USD", "spanish"),
    ("Diego", "Souza", "diego@example.com", "BR", "+55.11940000004", "BRL",
     "portuguese-br"),
    ("Elena", "Rojas", "elena@example.com", "CL", "+56.940000005", "CLP", "spanish"),
    ("Frank", "O'Neil", "frank@example.com", "US", "+1.3054000006", "USD", "english"),
    ("Gabriela", "Luz", "gabriela@example.com", "AR", "+54.91140000007", "ARS",
     "spanish"),
    ("Hugo", "Sosa", "hugo@example.com", "AR", "", "ARS", ""),
)  # fmt: skip


def fill_example(world: World) -> None:
    """Fill an empty world with the example company.

    Ana's services are the annual plan of 100 paid half a year ago and a radio;
    Gabriela is a guest in Bruno's account; Hugo has left no telephone.
    """
    add_catalogue(world)
    for first, last, email, country, phone, currency, language in CLIENTS:
        world.add_client(
            first, last, email, country=country, phonenumber=phone,
            currency=currency, language=language,
        )  # fmt: skip
    world.clients[BRUNO].companyname = "Díaz & Hijos"
    world.invite(world.clients[GABRIELA].owner, BRUNO)
    today = world.clock.today()
    half_a_year, months_ago = relativedelta(months=6), relativedelta(months=3)
    running(world, ANA, PLAN_100, "Annually", today - half_a_year, "radioana.com.ar")
    running(world, BRUNO, PLAN_100, "Monthly", today - relativedelta(days=12))
    running(world, CARLA, RADIO, "Monthly", today - relativedelta(days=20))
    running(world, DIEGO, PLAN_150, "Annually", today - months_ago)
    running(world, ELENA, MAILBOXES, "Monthly", today - relativedelta(days=5), qty=3)
    running(world, FRANK, SUPPORT, "Monthly", today - months_ago)
    the_31st = date(today.year - 1, 12, 31)
    running(world, GABRIELA, PLAN_100, "Monthly", the_31st)
    world.add_service(HUGO, DESIGN, "One Time", regdate=today - months_ago)
    world.add_service(HUGO, FREE, "Free Account", regdate=today - months_ago)
    running(
        world, FRANK, VPS, "Monthly", today - months_ago,
        recurring=Decimal("50.00"), choices={1: 2},
    )  # fmt: skip
    running(world, ANA, RADIO, "Monthly", today - months_ago, "radio.example.com")
    world.add_domain(ANA, "radioana.com.ar")
    world.add_domain(BRUNO, "diazehijos.com.ar")
    world.create_quote(ELENA, "Migración & soporte", [("Migración", Decimal(90000))])


def add_catalogue(world: World) -> None:
    """Add the currencies and the products."""
    for currency in CURRENCIES:
        world.currencies[currency.code] = currency
    ram = Option(
        1, "RAM", {1: ("2 GB", Decimal("0.00")), 2: ("4 GB", Decimal("10.00"))}
    )
    plans = (PLAN_100, PLAN_150, PLAN_220)
    for product in (
        Product(PLAN_100, "Plan 100", prices(10, 100), upgrades=plans[1:]),
        Product(PLAN_150, "Plan 150", prices(15, 150), upgrades=(PLAN_100, PLAN_220)),
        Product(PLAN_220, "Plan 220", prices(25, 220), upgrades=plans[:2]),
        Product(RADIO, "Radio & Streaming", prices(12), 2, "Radio", "centovacast",
                upgrades=(RADIO_PRO,)),
        Product(RADIO_PRO, "Radio & Streaming Pro", prices(20), 2, "Radio",
                "centovacast", upgrades=(RADIO,)),
        Product(DESIGN, "Diseño web", prices(300), 3, "Servicios", "", "onetime",
                upgrades=(SUPPORT,)),
        Product(SUPPORT, "Soporte prioritario", prices(8, 80), 3, "Servicios", ""),
        Product(FREE, "Plan gratis", {}, paytype="free", upgrades=plans),
        Product(MAILBOXES, "Casilla de correo", prices(10), allowqty=1,
                upgrades=(MAILBOXES_PRO,)),
        Product(MAILBOXES_PRO, "Casilla Pro", prices(25), allowqty=1),
        Product(VPS, "VPS", prices(40), 4, "VPS", upgrades=(VPS_PRO,), options=(ram,)),
        Product(VPS_PRO, "VPS Pro", prices(60), 4, "VPS", options=(ram,)),
    ):  # fmt: skip
        world.products[product.pid] = product


def prices(
    monthly: int | None, annually: int | None = None
) -> dict[str, dict[str, Decimal]]:
    """Return a price table in every currency; what is None is not sold."""
    given = {"Monthly": monthly, "Annually": annually}

    def price(code: str, cycle: str) -> Decimal:
        amount = given.get(cycle)
        if amount is None:
            return NOT_SOLD
        return Decimal(amount * FACTOR[code]).quantize(Decimal("0.01"))

    return {code: {cycle: price(code, cycle) for cycle in MONTHS} for code in FACTOR}


def running(
    world: World,
    client_id: int,
    pid: int,
    cycle: str,
    began: date,
    domain: str = "",
    *,
    qty: int = 1,
    recurring: Decimal | None = None,
    choices: dict[int, int] | None = None,
) -> Service:
    """Add a service whose period of today is paid, begun at *began*."""
    months, today = MONTHS[cycle], world.clock.today()
    start = began
    for turn in range(1, 1200):
        following = began + relativedelta(months=months * turn)
        if following > today:
            break
        start = following
    service = world.add_service(
        client_id, pid, cycle, regdate=began, nextduedate=start, recurring=recurring,
        qty=qty, domain=domain, choices=choices,
    )  # fmt: skip
    service.anchor = began
    invoice = world.generate_renewal(service.id, on=start)
    world.pay_invoice(invoice.id)
    paid = world.clock.at(start)
    invoice.datepaid = invoice.created_at = invoice.updated_at = paid
    return service


def fill_many(world: World, clients: int, services: int) -> None:
    """Fill a world with many clients of all countries, services dealt out in turn."""
    add_catalogue(world)
    kinds = ((PLAN_100, "Annually"), (PLAN_150, "Monthly"), (RADIO, "Monthly"))
    for number in range(1, clients + 1):
        first, _, _, country, _, currency, language = CLIENTS[number % 7]
        world.add_client(
            first, f"N{number}", f"client{number}@example.com", country=country,
            phonenumber=phone(country, number), currency=currency, language=language,
        )  # fmt: skip
    today = world.clock.today()
    for number in range(services):
        pid, cycle = kinds[number % len(kinds)]
        began = today - relativedelta(days=number % 28)
        running(world, number % clients + 1, pid, cycle, began)


def phone(country: str, number: int) -> str:
    """Return a mobile number of that country as the panel stores it, one for each."""
    prefix = {
        "AR": "+54.9114", "MX": "+52.554", "BR": "+55.1194", "CL": "+56.94",
        "US": "+1.3054",
    }[country]  # fmt: skip
    digits = {"AR": 7, "MX": 7, "BR": 7, "CL": 7, "US": 6}[country]
    return f"{prefix}{number:0{digits}d}"
