"""The story's plan changes: only the difference, and never a smaller plan."""

from __future__ import annotations

import textwrap

from dateutil.relativedelta import relativedelta

from bridge.demo.panel_example import PLAN_100, PLAN_150, PLAN_220, VPS_PRO
from bridge.demo.panel_upgrades import UpgradeRefusedError
from bridge.demo.story import Play, Step, Words

ANAS_PLAN, BRUNOS_PLAN, ELENAS_MAILBOXES, HUGOS_FREE, FRANKS_VPS = 1, 2, 5, 9, 10
MAILBOXES_PRO = 62


def native(play: Play) -> None:
    """The manual's example: 100 paid for the year, at mid-year the plan of 150: 50."""
    world = play.world
    service = world.service(ANAS_PLAN)
    due = service.nextduedate
    own = world.native_price(service, PLAN_150, "Annually").price
    play.tell(
        f"el panel, que cuenta días, cobraría {own}",
        f"the panel, which counts days, would charge {own}",
    )
    ordered = world.upgrade(ANAS_PLAN, PLAN_150, "Annually")
    play.expect("a pagar (150 - 100)", "to pay (150 - 100)", "50.00", ordered.price.due)
    play.says(play.arrives("Ana invoice_created"), "50,00 ARS")
    if ordered.invoice:
        world.pay_invoice(ordered.invoice.id)
    sent = play.arrives("Ana payment_received", "Ana plan_changed")
    play.says(sent, "Plan 100", "Plan 150")
    seen = [service.pid, service.recurringamount, service.nextduedate]
    wanted = [PLAN_150, "150.00", due]
    play.expect("plan, precio y vencimiento", "plan, price and due date", wanted, seen)


def by_hand(play: Play) -> None:
    """Rows of the price table, asked by the panel: each can be checked by hand."""
    for service_id, product_id, cycle, wanted, es, en in TABLE:
        service = play.world.service(service_id)
        price = play.world.price_upgrade(service, product_id, cycle)
        seen = str(price.price) if price.overridden else NONE
        play.expect(es, en, wanted, seen)


NONE = "null"
TABLE = (
    (ANAS_PLAN, PLAN_220, "Annually", "70.00",
     "Ana, otra vez: 220 - (100 + 50)", "Ana, once more: 220 - (100 + 50)"),
    (ANAS_PLAN, PLAN_220, "Monthly", NONE,
     "Ana, a mensual de 25: cuesta menos que lo pagado, sin opinión",
     "Ana, to 25 a month: less than was paid, no opinion"),
    (BRUNOS_PLAN, PLAN_220, "Monthly", "15.00",
     "Bruno, mensual: 25 - 10", "Bruno, monthly: 25 - 10"),
    (ELENAS_MAILBOXES, MAILBOXES_PRO, "Monthly", "45000",
     "Elena, 3 casillas, CLP sin decimales: 75000 - 30000",
     "Elena, 3 mailboxes, CLP without decimals: 75000 - 30000"),
    (HUGOS_FREE, PLAN_150, "Annually", "150.00",
     "Hugo, desde el plan gratis", "Hugo, from the free plan"),
    (FRANKS_VPS, VPS_PRO, "Monthly", NONE,
     "Frank, con opciones pagas: no se adivina, sin opinión",
     "Frank, with paid options: nothing is guessed, no opinion"),
)  # fmt: skip


def downgrade(play: Play) -> None:
    """A smaller plan is refused, in the client's language, with its reason."""
    before = dict(play.world.upgrades)
    sentence = ""
    try:
        play.world.upgrade(ANAS_PLAN, PLAN_100, "Annually")
    except UpgradeRefusedError as error:
        sentence = str(error)
    for line in textwrap.wrap(f"«{sentence}»", 70):
        play.show(f"    {line}")
    asked = play.outbox.decisions[-1]
    play.claim("así lo rechazó el puente", "so the bridge refused it",
               asked.value == [sentence])  # fmt: skip
    play.claim("porque es un plan menor", "since it is a smaller plan",
               "downgrade" in asked.reason)  # fmt: skip
    play.claim("nada cambió", "nothing changed", play.world.upgrades == before)


def executive(play: Play) -> None:
    """What the panel cannot do: quote, one invoice, and the answer gets lost."""
    play.panel.faults.add("CreateInvoice", "acts_but_loses_the_answer")
    play.hands.order_upgrade(BRUNOS_PLAN, PLAN_150, "annually")
    play.arrives()
    play.tell(
        "el panel hizo la factura y su respuesta se perdió: el puente la busca antes "
        "de hacer otra",
        "the panel made the invoice and its answer was lost: the bridge looks for it "
        "before it makes another",
    )
    play.later(10)
    sent = play.arrives("Bruno invoice_created")
    play.says(sent, "140,00 ARS")
    made = sum(play.panel.invoices_created.values())
    play.expect("facturas hechas", "invoices made", 1, made)


def paid(play: Play) -> None:
    """Once paid, plan, cycle, price and due date change, then the server's package."""
    world = play.world
    world.break_module(BRUNOS_PLAN, "ChangePackage", "The server is busy")
    [invoice_id] = play.panel.invoices_created
    world.pay_invoice(invoice_id)
    play.arrives("Bruno payment_received")
    play.tell(
        "el servidor falló al cambiar el paquete: se reintenta",
        "the server failed to change the package: it is tried again",
    )
    play.later(10)
    play.says(play.arrives("Bruno upgrade_done"), "Plan 150", "Plan 100")
    service = world.service(BRUNOS_PLAN)
    due = play.clock.today() + relativedelta(years=1)
    wanted = [PLAN_150, "Annually", "150.00", due]
    seen = [
        service.pid, service.billingcycle, service.recurringamount, service.nextduedate
    ]  # fmt: skip
    play.expect("plan, ciclo, precio y vencimiento", "plan, cycle, price and due date",
                wanted, seen)  # fmt: skip


STEPS = (
    Step(5, "11:00", Words(
        "Ana pagó 100 por el año y a mitad de año pasa al plan de 150",
        "Ana paid 100 for the year and takes the plan of 150 at mid-year",
    ), native),
    Step(6, "10:00", Words(
        "Otros precios que el panel pregunta", "Other prices that the panel asks for",
    ), by_hand),
    Step(6, "10:30", Words(
        "Ana quiere volver al plan de 100", "Ana wants to go back to the plan of 100",
    ), downgrade),
    Step(6, "11:00", Words(
        "El ejecutivo pasa a Bruno de mensual de 10 a anual de 150",
        "The executive moves Bruno from 10 a month to 150 a year",
    ), executive),
    Step(7, "10:00", Words("Bruno paga la diferencia", "Bruno pays the difference"),
         paid),
)  # fmt: skip
