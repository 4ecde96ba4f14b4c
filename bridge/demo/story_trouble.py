"""The story's trouble: repeats, forgeries, an outage, a restart; and the reckoning."""

from __future__ import annotations

import threading
from collections import Counter

from bridge.demo.panel_example import ANA, BRUNO, CARLA, DIEGO, GABRIELA
from bridge.demo.panel_rows import Invoice
from bridge.demo.story import Play, Step, Words, wait_for
from bridge.demo.story_alerts import bill
from bridge.demo.story_ends import ANAS_RADIO, CARLAS_RADIO, ELENAS_MAILBOXES
from bridge.demo.story_plans import BRUNOS_PLAN

FORGED = "whsec_Rm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2VkLTEyMzQ="
HOURS = 4
_PAIR = ("invoice_created", "payment_received")
#: Calls that the panel answers before the restart: enough for some of 16 messages.
_ANSWERED = 14
#: How long it holds a call back at most, in seconds.
_HELD = 5.0


def twice(play: Play) -> None:
    """The same delivery again is a duplicate; another body under its id is refused."""
    row = play.outbox.delivered[-1]
    again = play.hands.post(row.id, row.body)
    told = again.json()
    status = told.get("status") if isinstance(told, dict) else None
    play.expect("el mismo envío", "the same delivery", [200, "duplicate"],
                [again.status, status])  # fmt: skip
    other = play.hands.post(row.id, row.body.replace(b"}", b" }", 1))
    play.expect("mismo id, otro cuerpo", "same id, other body", 409, other.status)
    play.arrives()


def forged(play: Play) -> None:
    """A wrong signature and an old time are refused alike."""
    body = play.outbox.delivered[-1].body
    wrong = play.hands.post("msg_forged_1", body, secret=FORGED)
    play.expect("firma ajena", "another's signature", 401, wrong.status)
    old = play.hands.post("msg_forged_2", body, late=600)
    play.expect("diez minutos vieja", "ten minutes old", 401, old.status)
    play.claim("las dos respuestas son iguales: no dicen cuál fue la causa",
               "both answers are alike: they do not say which it was",
               wrong.body == old.body)  # fmt: skip
    play.arrives()


def outage(play: Play) -> None:
    """The panel's API is away for hours; deliveries are kept, nothing is lost."""
    play.panel.faults.outage = True
    made = [bill(play, client, 30) for client in (ANA, BRUNO, GABRIELA)]
    for invoice in made[:2]:
        play.world.pay_invoice(invoice.id)
    before = len(play.outbox.delivered)
    play.arrives()
    kept = play.outbox.delivered[before:]
    answers = Counter(f"HTTP {row.status}" for row in kept)
    play.expect("envíos guardados", "deliveries kept", Counter({"HTTP 202": 5}),
                answers)  # fmt: skip
    for _ in range(HOURS * 4):
        play.later(15)
        play.hands.work()
    play.came(play.collect())
    away = play.panel.faults.turned_away
    play.tell(
        f"en cuatro horas el puente llamó {away} veces: espera sin insistir",
        f"in four hours the bridge called {away} times: it waits without nagging",
    )


def panel_back(play: Play) -> None:
    """The panel is back: what is still of use is told, each thing once.

    Who paid meanwhile is thanked, and not told of a new invoice.
    """
    play.panel.faults.outage = False
    sent = play.now_sent()
    for _ in range(18):
        if len(sent) >= 3:
            break
        play.later(5)
        sent += play.now_sent()
    play.came(sent, "Ana payment_received", "Bruno payment_received",
              "Gabriela invoice_created")  # fmt: skip
    play.tell(
        "lo que se pagó en esas horas ya no se anuncia como factura nueva",
        "what was paid in those hours is not announced as a new invoice any more",
    )


class Gate:
    """A panel that answers some calls, and the others once it is opened."""

    def __init__(self, calls: int) -> None:
        self._left = threading.Semaphore(calls)
        self._open = threading.Event()

    def __call__(self, seconds: float) -> None:
        """Hold a call back, as the panel's ``sleep``."""
        if not self._left.acquire(blocking=False):
            self._open.wait(_HELD)

    def open(self) -> None:
        """Let every call through."""
        self._open.set()


def restart(play: Play) -> None:
    """The bridge is restarted in the middle of its work, and nothing is doubled."""
    made: list[Invoice] = []
    for client in (ANA, BRUNO, CARLA, DIEGO):
        made += [bill(play, client, 45), bill(play, client, 55)]
    for invoice in made:
        play.world.pay_invoice(invoice.id)
    before = len(play.sent)
    gate, usual = Gate(_ANSWERED), play.panel.sleep
    play.panel.sleep, play.panel.latency = gate, 0.001
    try:
        play.outbox.flush()
        wait_for(lambda: bool(play.collect()), play.patience)
        early = len(play.sent) - before
        gate.open()
        play.hands.restart()
    finally:  # a step that breaks off leaves no panel that holds every call
        gate.open()
        play.panel.sleep, play.panel.latency = usual, 0.0
    play.tell(
        f"se reinicia con {early} de 16 mensajes enviados",
        f"it is restarted with {early} of 16 messages sent",
    )
    play.now_sent()
    seen = Counter(f"{play.who(one.to)} {one.name}" for one in play.sent[before:])
    names = ("Ana", "Bruno", "Carla", "Diego")
    wanted = Counter({f"{name} {text}": 2 for name in names for text in _PAIR})
    play.expect("mensajes", "messages", wanted, seen)
    play.claim("fue a medio trabajo", "it was in mid-work", 0 < early < 16)
    play.arrives()


def reckoning(play: Play) -> None:
    """The panel's own counters have the last word."""
    play.arrives()
    wanted = Counter((CARLAS_RADIO, ELENAS_MAILBOXES, ANAS_RADIO))
    seen = play.panel.terminations
    play.expect("servicios dados de baja, una vez cada uno",
                "services terminated, each once", wanted, seen)  # fmt: skip
    made = sum(play.panel.invoices_created.values())
    play.expect("facturas que hizo el puente", "invoices the bridge made", 1, made)
    changed = play.panel.package_changes
    play.expect("paquetes que cambió, por servicio", "packages it changed, by service",
                Counter([BRUNOS_PLAN]), changed)  # fmt: skip
    _nothing_left(play)
    ready = play.hands.get("/readyz").json()
    warnings = ready.get("warnings") if isinstance(ready, dict) else ready
    play.expect(
        "sin advertencias del puente", "no warnings of the bridge's", [], warnings
    )
    counts = (
        len(play.outbox.delivered), len(play.outbox.decisions),
        len(play.panel.calls), len(play.sent),
    )  # fmt: skip
    play.tell(
        "{} envíos, {} preguntas, {} llamadas al panel, {} mensajes".format(*counts),
        "{} deliveries, {} questions, {} calls, {} messages".format(*counts),
    )


def _nothing_left(play: Play) -> None:
    """Nothing undelivered, nothing doubled, nothing undocumented, no secret kept."""
    play.claim("ningún envío quedó sin entregar", "no delivery is left",
               not play.outbox.pending and not play.outbox.parked)  # fmt: skip
    same = Counter((one.to, one.text) for one in play.sent)
    doubled = [f"{to}: {text[:40]}" for (to, text), n in same.items() if n > 1]
    play.expect("sin mensajes repetidos", "no message twice", [], doubled)
    play.expect("sin llamadas que el panel no documente", "no undocumented calls",
                [], play.panel.refused)  # fmt: skip
    leaked = play.hands.keeps("PANEL-SECRET")
    leaked |= any("PANEL-SECRET" in one.text for one in play.sent)
    play.claim("ningún secreto del panel quedó guardado",
               "no secret of the panel's was kept", not leaked)  # fmt: skip


STEPS = (
    Step(0, "12:00", Words(
        "El panel repite su último envío", "The panel repeats its last delivery",
    ), twice),
    Step(0, "12:10", Words(
        "Alguien falsifica un envío", "Somebody forges a delivery",
    ), forged),
    Step(10, "09:00", Words(
        "El panel deja de responder por cuatro horas",
        "The panel does not answer for four hours",
    ), outage),
    Step(10, "13:10", Words("El panel vuelve", "The panel is back"), panel_back),
    Step(14, "10:00", Words(
        "El puente se reinicia a medio trabajo", "The bridge is restarted in mid-work",
    ), restart),
)  # fmt: skip
RECKONING = Words("El balance, según el panel", "The reckoning, as the panel counts")
