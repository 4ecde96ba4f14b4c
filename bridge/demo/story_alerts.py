"""The story's alerts: each of the default map, at a decent hour, once."""

from __future__ import annotations

from decimal import Decimal

from bridge.demo.panel_example import (
    ANA,
    BRUNO,
    CARLA,
    DIEGO,
    ELENA,
    FRANK,
    GABRIELA,
    PLAN_100,
)
from bridge.demo.panel_rows import Hook, Invoice, Line
from bridge.demo.panel_services import module_params
from bridge.demo.story import Play, Step, Words

#: Services of the example company, by number.
FRANKS_VPS, BRUNOS_PLAN = 10, 2
BRUNOS_DOMAIN = 2
DECISIONS = [
    "OrderProductUpgradeOverride", "PreUpgradeCheckout", "ShoppingCartValidateUpgrade",
]  # fmt: skip


def ready(play: Play) -> None:
    """The receiver is up and tells the panel which hooks the map uses."""
    for path, status in (("/healthz", 200), ("/readyz", 200)):
        play.expect(f"GET {path}", f"GET {path}", status, play.hands.get(path).status)
    told = play.outbox.fetch_hookpoints()
    play.outbox.register()
    asked = len(told["hookpoints"])
    play.tell(
        f"el mapa usa {asked} ganchos: el panel enviará solo esos",
        f"the map uses {asked} hookpoints: the panel will send just those",
    )
    play.expect("decisiones", "decisions", DECISIONS, sorted(told["decisions"]))


def welcome(play: Play) -> None:
    """A client joins."""
    play.world.add_client(
        "Marta", "Ruiz", "marta@example.com", phonenumber="+54.91140000009"
    )
    play.arrives("Marta welcome")


def no_telephone(play: Play) -> None:
    """A client without a telephone is recorded with the reason."""
    nora = play.world.add_client("Nora", "Paz", "nora@example.com")
    play.arrives()
    reason = f"skipped: client {nora.id} has no telephone in his profile"
    _reason(play, reason)


def password(play: Play) -> None:
    """One password change that two hookpoints tell of is one alert."""
    play.outbox.leak = True
    play.world.change_password(play.world.clients[ANA].owner, client_hook_too=True)
    sent = play.arrives("Ana password_changed")
    play.outbox.leak = False
    password = str(play.world.hooks("UserChangePassword")[-1]["password"])
    leaked = play.hands.keeps(password) or any(password in one.text for one in sent)
    play.claim(
        "la contraseña, que el panel mandó de más, no quedó en ningún lado",
        "the password, which the panel sent along, was kept nowhere",
        not leaked,
    )


def details(play: Play) -> None:
    """A changed telephone: the new number and the old one are told."""
    changes = {"phonenumber": "+54.91140000012", "city": "Rosario"}
    play.world.edit_client(BRUNO, **changes)
    sent = play.arrives("Bruno details_changed", "+5491140000002 phone_changed_old")
    values = any("Rosario" in one.text for one in sent)
    play.claim("nombra los campos, no sus valores", "it names fields, not values",
               not values)  # fmt: skip
    play.tell("Bruno guarda otra vez sin cambiar nada", "Bruno saves again, unchanged")
    play.world.edit_client(BRUNO)
    play.arrives()


def order(play: Play) -> None:
    """An order: invoice, payment, service created."""
    marta = _named(play, "Marta")
    _, invoice = play.world.order(marta, PLAN_100, domain="marta.com.ar")
    sent = play.arrives("Marta invoice_created")
    play.says(sent, f" {invoice.id} ", "10,00 ARS")
    play.world.pay_invoice(invoice.id)
    play.arrives("Marta service_created", "Marta payment_received")


def two_at_once(play: Play) -> None:
    """Two invoices of the same second are two alerts, in the client's language."""
    first, _ = bill(play, DIEGO, 250), bill(play, DIEGO, 250)
    sent = play.arrives("Diego invoice_created", "Diego invoice_created")
    languages = sorted({one.language for one in sent})
    play.expect("en su idioma", "in his language", ["pt_BR"], languages)
    play.tell("una de las dos se anula", "one of the two is cancelled")
    play.world.cancel_invoice(first.id)
    play.arrives("Diego invoice_cancelled")


def draft(play: Play) -> None:
    """A draft is nobody's business until it is published."""
    line = Line("Extra backups", Decimal("12.00"))
    invoice = play.world.create_invoice(FRANK, [line], draft=True)
    play.arrives()
    play.tell("el borrador se publica", "the draft is published")
    play.world.publish_draft(invoice.id)
    sent = play.arrives("Frank invoice_created")
    languages = sorted({one.language for one in sent})
    play.expect("en su idioma", "in his language", ["en"], languages)


def quote(play: Play) -> None:
    """A quote is told of when it is delivered, not while it is being written."""
    play.world.set_quote_stage(1, "On Hold")
    play.arrives()
    play.tell("el presupuesto se envía", "the quote is delivered")
    play.world.deliver_quote(1)
    play.arrives("Elena quote_available")


def domain_deleted(play: Play) -> None:
    """A deleted domain is told of by its name."""
    play.world.delete_domain(BRUNOS_DOMAIN)
    play.says(play.arrives("Bruno domain_deleted"), "diazehijos.com.ar")


def wrong_client(play: Play) -> None:
    """A delivery that names another client than the panel: nobody is written to."""
    service = play.world.service(BRUNOS_PLAN)
    params = module_params(play.world, service) | {"userid": CARLA}
    data: dict[str, object] = {"params": params}
    hook = Hook("AfterModuleSuspend", play.clock.now(), data, {"actor": "admin"})
    play.outbox.put(hook)
    play.arrives()
    _reason(
        play,
        f"parked: the delivery names client {CARLA}, but the panel says it belongs to "
        f"client {BRUNO}: nobody was written to",
    )
    log = [one for one in play.world.activity if "[bridge]" in one.description]
    play.expect("notas para el personal en el panel", "notes for staff in the panel",
                1, len(log))  # fmt: skip


def night(play: Play) -> None:
    """Quiet hours: ordinary alerts wait, an urgent one goes."""
    for _ in range(5):
        bill(play, CARLA, 12)
    bill(play, ELENA, 9000)
    play.world.change_password(play.world.clients[GABRIELA].owner)
    play.arrives("Gabriela password_changed")
    play.tell(
        "lo urgente sale; las seis facturas esperan la mañana",
        "what is urgent goes; the six invoices wait for the morning",
    )


def morning(play: Play) -> None:
    """What was held goes out: five of one kind as one message."""
    sent = play.arrives("Carla several", "Elena invoice_created")
    five = [f" {one.id} " for one in play.world.invoices_of(CARLA)[-5:]]
    play.says([one for one in sent if one.name == "several"], *five)


def reminder(play: Play) -> None:
    """A reminder before the due date."""
    play.world.remind_invoice(_open_invoice(play, "Frank").id)
    play.arrives("Frank invoice_reminder")


def overdue(play: Play) -> None:
    """Overdue, suspended for it, paid, reactivated."""
    invoice = _open_invoice(play, "Frank")
    play.world.remind_invoice(invoice.id, "firstoverdue")
    play.arrives("Frank invoice_overdue")
    play.world.suspend(FRANKS_VPS, "Payment overdue")
    play.says(play.arrives("Frank service_suspended"), "Payment overdue")
    play.world.pay_invoice(invoice.id)
    play.world.unsuspend(FRANKS_VPS)
    play.arrives("Frank payment_received", "Frank service_reactivated")


def suspended_again(play: Play) -> None:
    """A second suspension is told of again, with its own reason."""
    play.world.suspend(FRANKS_VPS, "Disk replacement")
    play.says(play.arrives("Frank service_suspended"), "Disk replacement")


def bill(play: Play, client_id: int, amount: int) -> Invoice:
    """Make an invoice of one line by hand."""
    line = Line("Trabajo a medida", Decimal(amount))
    return play.world.create_invoice(client_id, [line])


def _reason(play: Play, wanted: str) -> None:
    """Expect what became of the newest delivery."""
    row = play.outbox.delivered[-1]
    seen = play.hands.became(row.id)
    play.expect("queda anotado", "it is recorded", [wanted], seen)


def _named(play: Play, name: str) -> int:
    clients = play.world.clients.values()
    return next(client.id for client in clients if client.firstname == name)


def _open_invoice(play: Play, name: str) -> Invoice:
    invoices = play.world.invoices_of(_named(play, name))
    return next(invoice for invoice in invoices if invoice.status == "Unpaid")


STEPS = (
    Step(0, "09:00", Words("El puente está en marcha", "The bridge is up"), ready),
    Step(0, "10:00", Words("Marta se registra", "Marta registers"), welcome),
    Step(0, "10:10", Words(
        "Nora se registra sin teléfono", "Nora registers without a telephone",
    ), no_telephone),
    Step(0, "11:00", Words(
        "Ana cambia su contraseña: el panel avisa con dos ganchos",
        "Ana changes her password: the panel tells it with two hooks",
    ), password),
    Step(0, "11:30", Words(
        "Bruno cambia su teléfono", "Bruno changes his telephone",
    ), details),
    Step(1, "10:00", Words(
        "Marta contrata un plan y lo paga", "Marta orders a plan and pays it",
    ), order),
    Step(1, "11:00", Words(
        "Dos facturas para Diego en el mismo segundo",
        "Two invoices for Diego in the same second",
    ), two_at_once),
    Step(1, "12:00", Words(
        "Una factura en borrador para Frank", "A draft invoice for Frank",
    ), draft),
    Step(2, "10:00", Words(
        "Un presupuesto para Elena", "A quote for Elena",
    ), quote),
    Step(2, "10:30", Words(
        "Se elimina un dominio de Bruno", "A domain of Bruno's is deleted",
    ), domain_deleted),
    Step(2, "11:00", Words(
        "Un envío dice que el servicio de Bruno es de Carla",
        "A delivery claims that Bruno's service is Carla's",
    ), wrong_client),
    Step(2, "23:10", Words(
        "De noche: seis facturas, y Gabriela cambia su contraseña",
        "At night: six invoices, and Gabriela changes her password",
    ), night),
    Step(3, "08:00", Words("A la mañana", "In the morning"), morning),
    Step(4, "10:00", Words(
        "Recordatorio de una factura", "Reminder of an invoice",
    ), reminder),
    Step(9, "10:00", Words(
        "Frank no paga, se suspende su servicio; paga y vuelve",
        "Frank does not pay, his service is suspended; he pays, and it is back",
    ), overdue),
    Step(15, "12:00", Words(
        "El mismo servicio se suspende otra vez, por otra causa",
        "The same service is suspended again, for another cause",
    ), suspended_again),
)  # fmt: skip
