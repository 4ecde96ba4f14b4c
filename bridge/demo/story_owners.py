"""The story's change of owner, and a domain that is left unrenewed."""

from __future__ import annotations

from bridge.demo.story import Play, Step, Words

ANA, GABRIELA = 1, 7
ANAS_PLAN, ANAS_DOMAIN = 1, 1
STRANGER = "+5491155551234"


def proposed(play: Play) -> None:
    """Ana sends the text that the link types: nothing changes yet."""
    text = play.hands.typed(ANAS_PLAN, "gabriela@example.com")
    play.hands.write(_number(play, ANA), text)
    play.says(play.arrives("Ana transfer_proposed"), "Plan 150")
    _owner(play, "Ana")


def meddled(play: Play) -> None:
    """Somebody else's telephone, and an altered text, count for nothing."""
    text = play.hands.typed(ANAS_PLAN, "gabriela@example.com")
    play.hands.write(STRANGER, text)
    play.arrives(f"{STRANGER} transfer_stranger")
    play.hands.write(_number(play, GABRIELA), f"{text} Y su radio también.")
    play.says(play.arrives("Gabriela transfer_differs"), "Y su radio")
    _owner(play, "Ana")


def agreed(play: Play) -> None:
    """Gabriela sends the same text; the panel's answer to the move gets lost."""
    play.panel.faults.add("transfer", "acts_but_loses_the_answer")
    text = play.hands.typed(ANAS_PLAN, "gabriela@example.com")
    play.hands.write(_number(play, GABRIELA), text)
    play.arrives("Gabriela transfer_agreed")
    play.tell(
        "el panel hizo el cambio y su respuesta se perdió: minutos después el puente "
        "mira de quién es el servicio",
        "the panel made the change and its answer was lost: minutes later the bridge "
        "looks whose the service is",
    )
    play.later(10)
    play.arrives("Ana transfer_done_from", "Gabriela transfer_done_to")
    _owner(play, "Gabriela")
    moves = play.world.count("transfer", ANAS_PLAN)
    play.expect("cambios de titular", "changes of owner", 1, moves)
    listed = any(
        "radioana.com.ar" in ticket.message for ticket in play.world.tickets.values()
    )
    play.claim("el personal sabe qué queda pendiente: el dominio",
               "staff know what is left open: the domain", listed)  # fmt: skip


def unrenewed(play: Play) -> None:
    """A domain is left unrenewed: it stays until it expires."""
    play.hands.stop_renewal(ANAS_DOMAIN)
    domain = play.world.domains[ANAS_DOMAIN]
    sent = play.arrives("Ana domain_not_renewed")
    play.says(sent, f"{domain.expirydate:%d/%m/%Y}")
    play.claim("el panel dice «no renovar»", "the panel says “do not renew”",
               domain.donotrenew)  # fmt: skip


def _number(play: Play, client_id: int) -> str:
    return play.world.clients[client_id].phonenumber.replace(".", "")


def _owner(play: Play, wanted: str) -> None:
    owner = play.world.service(ANAS_PLAN).clientid
    seen = play.world.clients[owner].firstname
    play.expect("el titular", "the owner", wanted, seen)


STEPS = (
    Step(16, "10:20", Words(
        "Ana quiere pasarle su plan a Gabriela, y envía el texto del enlace",
        "Ana wants to pass her plan to Gabriela, and sends the text of the link",
    ), proposed),
    Step(16, "11:20", Words(
        "Un número ajeno lo confirma, y Gabriela lo envía cambiado",
        "A stranger's number confirms it, and Gabriela sends it altered",
    ), meddled),
    Step(16, "12:20", Words(
        "Gabriela envía el mismo texto", "Gabriela sends the same text",
    ), agreed),
    Step(16, "15:20", Words(
        "Ana no quiere renovar su dominio", "Ana does not want to renew her domain",
    ), unrenewed),
)  # fmt: skip
