"""The story with a real provider's adapter: templates, states, and who writes back."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from bridge.demo.panel_example import ANA, BRUNO, DIEGO
from bridge.demo.story import Play, Step, Words
from bridge.demo.story_alerts import bill

#: A number that is no client's.
STRANGER = "+5491140000999"
#: Longer than the provider's word on an unsure message is waited for, in minutes.
_SETTLED = 11


class Phone(Protocol):
    """The provider, and the people behind it, as the story uses them."""

    @property
    def templates(self) -> bool:
        """Whether it has templates."""
        ...

    @property
    def settles(self) -> bool:
        """Whether a tag comes back, so that a lost answer is settled."""
        ...

    @property
    def fails(self) -> bool:
        """Whether it tells by a later state that somebody cannot be reached."""
        ...

    @property
    def malformed(self) -> list[str]:
        """Requests that no client of this vendor should make."""
        ...

    @property
    def taken(self) -> int:
        """How many messages it took."""
        ...

    def push(self) -> tuple[int, int]:
        """Have all templates submitted; return how many were taken and refused."""
        ...

    def review(self) -> None:
        """Approve what was submitted."""
        ...

    def approved(self) -> int:
        """Return how many templates the bridge knows to be approved."""
        ...

    def learn(self) -> None:
        """Have the bridge read whose telephone is which."""
        ...

    def write(self, number: str, text: str) -> None:
        """Write to the bridge's number."""
        ...

    def lose(self) -> None:
        """Take the next message, and lose the answer."""
        ...

    def absent(self, number: str) -> None:
        """Let the next message to a number fail in a later state."""
        ...

    def states(self) -> Counter[str]:
        """Return how many messages are in which state."""
        ...


class Chapter:
    """The steps that are played with *phone*."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._failed = 0

    def templates(self, play: Play) -> None:
        """All texts are submitted and approved before the first message."""
        if self.phone.templates:
            good, bad = self.phone.push()
            play.expect("plantillas rechazadas", "templates refused", 0, bad)
            self.phone.review()
            play.hands.work()
            play.expect("plantillas aprobadas", "templates approved", good,
                        self.phone.approved())  # fmt: skip
        else:
            play.tell("este proveedor no tiene plantillas: todo es texto libre",
                      "this provider has no templates: all is free text")  # fmt: skip
        self.phone.learn()
        play.claim("todos los pedidos tienen la forma del proveedor",
                   "every request has the vendor's form",
                   not self.phone.malformed)  # fmt: skip

    def how_to_cancel(self, play: Play) -> None:
        """A plain "baja" asks to cancel a service: it ends no alerts."""
        self._writes(play, ANA, "Baja")
        play.says(play.arrives("Ana inbound_how_to_cancel"), "BAJA ALERTAS")
        play.world.pay_invoice(bill(play, ANA, 11).id)
        play.arrives("Ana invoice_created", "Ana payment_received")

    def opt_out(self, play: Play) -> None:
        """Who writes BAJA ALERTAS is left alone, but for what keeps him safe."""
        self._writes(play, ANA, "baja  ALERTAS.")
        play.arrives("Ana inbound_stopped")
        play.world.pay_invoice(bill(play, ANA, 12).id)
        play.arrives()
        seen = play.hands.became(play.outbox.delivered[-1].id)
        play.claim("queda anotado por qué", "it is recorded why",
                   any("wants no alerts" in one for one in seen))  # fmt: skip
        play.world.edit_client(ANA, city="Salta")
        play.arrives("Ana details_changed")

    def opt_in(self, play: Play) -> None:
        """START brings the alerts back."""
        self._writes(play, ANA, "START")
        play.arrives("Ana inbound_started")
        play.world.pay_invoice(bill(play, ANA, 13).id)
        play.arrives("Ana invoice_created", "Ana payment_received")

    def question(self, play: Play) -> None:
        """Anything else gets one polite answer a day; so does a stranger."""
        self._writes(play, ANA, "¿Cuándo vence mi dominio? 🙂")
        play.arrives("Ana inbound_reply")
        self._writes(play, ANA, "¿Hola?")
        play.arrives()
        self.phone.write(STRANGER, "Buenas, ¿venden dominios?")
        play.arrives(f"{STRANGER} inbound_reply")

    def undeliverable(self, play: Play) -> None:
        """A message is taken and fails later: the bridge says so, and no more."""
        self.phone.absent(_number(play, BRUNO))
        invoice = bill(play, BRUNO, 14)
        play.arrives("Bruno invoice_created")
        self._failed = 1
        play.expect("mensajes fallidos", "failed messages", self._failed,
                    self.phone.states()["failed"])  # fmt: skip
        play.later(_SETTLED)
        play.world.pay_invoice(invoice.id)
        play.arrives("Bruno payment_received")

    def lost_answer(self, play: Play) -> None:
        """The provider took a message and its answer is lost: it goes out once."""
        before = self.phone.taken
        self.phone.lose()
        invoice = bill(play, DIEGO, 15)
        play.arrives("Diego invoice_created")
        play.later(_SETTLED)
        play.arrives()
        play.expect("mensajes que el proveedor tomó", "messages the provider took", 1,
                    self.phone.taken - before)  # fmt: skip
        play.world.pay_invoice(invoice.id)
        play.arrives("Diego payment_received")

    def reckoning(self, play: Play) -> None:
        """What the provider counted, and what the bridge says of it."""
        play.arrives()
        states = self.phone.states()
        play.expect("mensajes fallidos", "failed messages", self._failed,
                    states.pop("failed", 0))  # fmt: skip
        play.expect("estado de todos los demás", "state of all others", ["delivered"],
                    sorted(states))  # fmt: skip
        play.expect("mensajes que el proveedor tomó", "messages the provider took",
                    self.phone.taken, sum(states.values()) + self._failed)  # fmt: skip
        play.expect("ningún pedido mal formado", "no malformed request", [],
                    self.phone.malformed)  # fmt: skip

    def _writes(self, play: Play, client_id: int, text: str) -> None:
        self.phone.write(_number(play, client_id), text)

    def begin(self) -> list[Step]:
        """Return what comes before anything else."""
        title = Words("Las plantillas, y de quién es cada teléfono",
                      "The templates, and whose telephone is which")  # fmt: skip
        return [Step(0, "09:00", title, self.templates)]

    def steps(self) -> list[Step]:
        """Return the chapter's other steps, the reckoning last."""
        found = [
            Step(8, "10:00", Words('Ana escribe "Baja"', 'Ana writes "Baja"'),
                 self.how_to_cancel),
            Step(8, "10:20", Words('Ana escribe "baja ALERTAS."',
                                   'Ana writes "baja ALERTAS."'), self.opt_out),
            Step(8, "10:40", Words('Ana escribe "START"', 'Ana writes "START"'),
                 self.opt_in),
            Step(8, "11:00", Words("Ana y un desconocido preguntan algo",
                                   "Ana and a stranger ask something"), self.question),
        ]  # fmt: skip
        if self.phone.fails:
            title = Words("Un mensaje no puede llegar", "A message cannot arrive")
            found.append(Step(8, "12:00", title, self.undeliverable))
        if self.phone.settles:
            title = Words("La respuesta del proveedor se pierde",
                          "The provider's answer is lost")  # fmt: skip
            found.append(Step(8, "13:00", title, self.lost_answer))
        title = Words("El balance, según el proveedor",
                      "The reckoning, as the provider counts")  # fmt: skip
        return [*found, Step(32, "09:10", title, self.reckoning)]


def _number(play: Play, client_id: int) -> str:
    return play.world.clients[client_id].phonenumber.replace(".", "")
