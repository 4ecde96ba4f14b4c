"""The story's cancellations: on the right day, and each of them once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial

from bridge.demo.story import Play, Step, Words
from bridge.demo.world import World

CARLAS_RADIO, ELENAS_MAILBOXES, ANAS_RADIO, MARTAS_PLAN = 3, 5, 11, 12
ASKED = 12


def immediate(play: Play) -> None:
    """Ends in the course of the day: not before 20:00, and until then it works."""
    play.world.request_cancellation(CARLAS_RADIO, "Immediate")
    sent = play.arrives("Carla cancellation_scheduled_now")
    play.says(sent, f"{play.clock.today():%d/%m/%Y}")


def before_eight(play: Play) -> None:
    """A minute before its time nothing has ended."""
    play.arrives()
    _status(play, CARLAS_RADIO, "Active")


def at_eight(play: Play) -> None:
    """The panel ends it and its answer gets lost: the bridge looks before it acts."""
    play.panel.faults.add("ModuleTerminate", "acts_but_loses_the_answer")
    play.arrives()
    play.tell(
        "la respuesta del panel se perdió: minutos después el puente mira antes de "
        "repetir",
        "the panel's answer was lost: minutes later the bridge looks before it repeats",
    )
    play.later(10)
    play.arrives("Carla cancellation_done")
    _status(play, CARLAS_RADIO, "Terminated")
    _ended(play, CARLAS_RADIO, 1)


def with_period(play: Play) -> None:
    """Ends with the last invoiced period, which is worked out from its invoice."""
    play.world.request_cancellation(ELENAS_MAILBOXES)
    last = last_day(play.world, ELENAS_MAILBOXES)
    sent = play.arrives("Elena cancellation_scheduled")
    play.says(sent, f"{last:%d/%m/%Y}")


def asked_by_marta(play: Play) -> None:
    """Another one, which is thought better of."""
    play.world.request_cancellation(MARTAS_PLAN)
    play.arrives("Marta cancellation_scheduled")


def withdrawn(play: Play) -> None:
    """The panel deletes the request and tells nobody: the comparison finds it."""
    play.world.withdraw_cancellation(MARTAS_PLAN)
    play.arrives()
    play.expect("la comparación halla", "the comparison finds",
                [f"missing {MARTAS_PLAN}"], play.hands.reconcile())  # fmt: skip
    play.tell(
        "una sola lista puede equivocarse: el puente vuelve a mirar a los 15 minutos",
        "one list may be wrong: the bridge looks again 15 minutes later",
    )
    play.later(15)
    seen = play.hands.reconcile()
    play.expect("la comparación halla", "the comparison finds",
                [f"withdrawn {MARTAS_PLAN}"], seen)  # fmt: skip
    play.arrives("Marta cancellation_withdrawn")


def never_came(play: Play) -> None:
    """A hook that never came is found by the comparison."""
    with play.world.muted():
        play.world.request_cancellation(ANAS_RADIO)
    play.arrives()
    seen = play.hands.reconcile()
    play.expect("la comparación halla", "the comparison finds",
                [f"taken up {ANAS_RADIO}"], seen)  # fmt: skip
    last = last_day(play.world, ANAS_RADIO)
    sent = play.arrives("Ana cancellation_scheduled")
    play.says(sent, f"{last:%d/%m/%Y}")
    again = play.hands.reconcile()
    play.claim("comparado otra vez, nada difiere", "compared again, nothing differs",
               not again)  # fmt: skip


def reminded(play: Play, names: list[str]) -> None:
    """The clients whose service ends in seven days or tomorrow are reminded."""
    play.arrives(*(f"{name} cancellation_reminder" for name in names))


def still_there(play: Play, service_id: int) -> None:
    """On the last day the service works fully until its hour."""
    play.arrives()
    _status(play, service_id, "Active")


def ended(play: Play, service_id: int) -> None:
    """At 23:00 it ends; the confirmation waits for the morning."""
    play.arrives()
    _status(play, service_id, "Terminated")
    _ended(play, service_id, 1)
    when = play.world.service(service_id).terminationdate
    play.expect("día", "day", last_day(play.world, service_id), when)


def confirmed(play: Play, name: str) -> None:
    """In the morning the client is told."""
    play.arrives(f"{name} cancellation_done")


def last_day(world: World, service_id: int) -> date:
    """Return the last day of the period that the service has paid for."""
    due = world.service(service_id).nextduedate
    if due is None:
        raise ValueError(f"service {service_id} has no period")
    return due - timedelta(days=1)


def _status(play: Play, service_id: int, wanted: str) -> None:
    seen = play.world.service(service_id).status
    play.expect("el servicio", "the service", wanted, seen)


def _ended(play: Play, service_id: int, wanted: int) -> None:
    seen = play.panel.terminations[service_id]
    play.expect("bajas hechas", "terminations made", wanted, seen)


def steps(world: World, start: date) -> list[Step]:
    """Return the cancellations' steps; the last days come from the example."""
    found = list(STEPS)
    reminders: dict[int, list[str]] = defaultdict(list)
    for name, service_id in (("Elena", ELENAS_MAILBOXES), ("Ana", ANAS_RADIO)):
        end = (last_day(world, service_id) - start).days
        reminders[end - 7].append(name)
        reminders[end - 1].append(name)
        found += _last_days(name, service_id, end)
    for day, names in reminders.items():
        title = Words("Recordatorio del final", "Reminder of the end")
        found.append(Step(day, "10:00", title, partial(reminded, names=names)))
    return found


def _last_days(name: str, service_id: int, end: int) -> list[Step]:
    def step(day: int, at: str, es: str, en: str, run: Callable[[Play], None]) -> Step:
        return Step(day, at, Words(es, en), run)

    return [
        step(end, "22:59", f"El último día de {name}", f"{name}'s last day",
             partial(still_there, service_id=service_id)),
        step(end, "23:00", "Termina el período", "The period ends",
             partial(ended, service_id=service_id)),
        step(end + 1, "08:00", f"La confirmación para {name}",
             f"The confirmation for {name}", partial(confirmed, name=name)),
    ]  # fmt: skip


STEPS = (
    Step(ASKED, "11:00", Words(
        "Carla pide una cancelación inmediata", "Carla asks for an immediate end",
    ), immediate),
    Step(ASKED, "12:00", Words(
        "Elena pide cancelar al final de su período",
        "Elena asks to end with her period",
    ), with_period),
    Step(ASKED, "12:30", Words(
        "Marta también pide cancelar", "Marta asks to cancel, too",
    ), asked_by_marta),
    Step(ASKED, "19:59", Words("Un minuto antes", "A minute before"), before_eight),
    Step(ASKED, "20:00", Words("La hora de las inmediatas", "The hour has come"),
         at_eight),
    Step(ASKED + 1, "10:00", Words(
        "Marta se arrepiente: el pedido desaparece del panel, sin gancho",
        "Marta thinks better of it: her request is gone, without a hook",
    ), withdrawn),
    Step(ASKED + 1, "11:00", Words(
        "Ana pide cancelar su radio, y el gancho nunca llega",
        "Ana asks to cancel her radio, and the hook never comes",
    ), never_came),
)  # fmt: skip
