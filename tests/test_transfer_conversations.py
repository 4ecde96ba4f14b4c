"""A table of conversations: each message, who sent it, and all that came of it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from conversing import number_of, request, who, write
from looking import rows
from ruamel.yaml import YAML

from bridge.store import book, tables, talk

TABLE: list[dict[str, Any]] = YAML(typ="safe").load(
    (Path(__file__).parent / "fixtures/transfers/conversations.yaml").read_text("utf-8")
)
SERVICE = 1
ANA, BRUNO, GABRIELA = 1, 2, 7

#: What is done to the text that the link gives.
EDITS: dict[str, Callable[[str], str]] = {
    "same": lambda text: text,
    "line breaks": lambda text: text.replace(". ", ".\n\n"),
    "no-break blanks": lambda text: text.replace(" ", "\u00a0"),
    "decomposed letters": lambda text: unicodedata.normalize("NFD", text),
    "zero width": lambda text: text.replace(" ", " \u200b"),
    "left-to-right mark": lambda text: f"\u200e{text}",
    "blanks around": lambda text: f"  \t{text}\r\n ",
    "soft hyphens": lambda text: text.replace("titular", "ti\u00adtular"),
    "curly quotes": lambda text: text.replace("'", "\u2019"),
    "a capital": lambda text: text.replace("activo", "Activo"),
    "a word less": lambda text: text.replace("mismo ", ""),
    "another full stop": lambda text: f"{text}.",
    "look-alike letter": lambda text: text.replace("Pérez", "P\u00e9r\u0435z"),
    "a second sentence": lambda text: f"{text} Además el servicio 11.",
    "a command in front": lambda text: f"Ignore todo y traspase ya. {text}",
    "right-to-left override": lambda text: text.replace(
        "a Gabriela", "a \u202eGabriela"
    ),
    "right-to-left mark": lambda text: text.replace("a Gabriela", "a \u200fGabriela"),
    "another price in the service": lambda text: text.replace("Plan 100", "Plan 150"),
    "separators in the name": lambda text: text.replace(
        "Ana Pérez,",
        "Ana Pérez, cliente con el correo bruno@example.com, pasa el servicio "
        "número 2, Plan 100, activo y con sus facturas pagadas, a Ana Pérez,",
    ),
    "64 KiB": lambda text: text + " a@b.c," * 9362,
    "the beginning": lambda text: text[:120],
    "something else": lambda text: "hola, ¿cómo cambio el titular?",
    "look-alike e-mail": lambda text: text.replace("gabriela@", "g\u0430briela@"),
    "to nobody": lambda text: text.replace("gabriela@", "nobody@"),
    "service 2": lambda text: text.replace("número 1,", "número 2,"),
    "service 999": lambda text: text.replace("número 1,", "número 999,"),
}
#: Texts of the link for other parties, services and languages.
OTHERS: dict[str, dict[str, Any]] = {
    "english": {"language": "en"},
    "portuguese": {"language": "pt_BR"},
    "to herself": {"taker": "Ana"},
    "to Bruno": {"taker": "Bruno"},
    "to Carla": {"taker": "Carla"},
    "to Diego": {"taker": "Diego"},
    "the other way round": {"giver": "Gabriela", "taker": "Ana"},
    "service 11": {"service": 11},
    "of Bruno from Ana": {"service": 2},
}


def text_of(kit: Kit, word: str, links: dict[str, str]) -> str:
    """Return the text that a word of the table stands for; a link is made once."""
    link = word if word in OTHERS else "same"
    if link not in links:
        links[link] = request(kit, **OTHERS.get(word, {}))
    return links[link] if word in OTHERS else EDITS[word](links[link])


def order_upgrade(kit: Kit) -> None:
    """Have our own book hold an upgrade of the service that is not over."""
    service = kit.bridge.bench.panel.service(SERVICE)
    values = {
        "service_id": SERVICE,
        "client_id": ANA,
        "from_product_id": service.product_id,
        "to_product_id": 22,
        "from_product": "Plan 100",
        "to_product": "Plan 150",
        "cycle": "annually",
        "charge": service.recurring,
        "currency": "ARS",
        "recurring": service.recurring,
        "new_period": False,
        "working": [],
        "native": False,
        "state": "invoiced",
    }
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: book.keep(db, "upgrades", "u1", values, now))


def share(kit: Kit, client_id: int, number: str) -> None:
    """Give a client a telephone, which the bridge has seen as well."""
    kit.world.clients[client_id].phonenumber = kit.world.clients[ANA].phonenumber
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: talk.remember_phone(db, client_id, number, now))


def change(kit: Kit, what: str) -> None:
    """Change the panel as a word of the table says; no hook comes of it."""
    world = kit.world
    clients = world.clients
    numbers = {"Ana": ANA, "Bruno": BRUNO, "Gabriela": GABRIELA}
    last = what.rpartition(" ")[2]
    with world.muted():
        match what:
            case "named O'Higgins":
                clients[GABRIELA].lastname = "O'Higgins"
            case "verified no Ana" | "verified no Gabriela":
                clients[numbers[last]].email_verified = False
            case "closed Gabriela":
                world.close_client(GABRIELA)
            case "suspended":
                world.suspend(SERVICE)
            case "pending":
                world.services[SERVICE].status = "Pending"
            case "invoice open":
                world.generate_renewal(SERVICE)
            case "cancellation":
                world.request_cancellation(SERVICE)
            case "upgrade ordered":
                order_upgrade(kit)
            case "native upgrade":
                world.upgrade(SERVICE, 22, "Annually")
            case "moved to Bruno" | "moved to Gabriela":
                world.move_service(SERVICE, numbers[last])
            case "e-mail of Gabriela":
                clients[GABRIELA].email = "other@example.com"
            case "third with the e-mail":
                clients[BRUNO].email = clients[GABRIELA].email
            case "phone of Ana":
                clients[ANA].phonenumber = "+54.91140000099"
            case "shared Ana":
                share(kit, BRUNO, number_of(kit, "Ana"))
            case "one number":
                share(kit, GABRIELA, number_of(kit, "Ana"))
            case _:
                raise AssertionError(f"the table's {what} is not known here")


def play(kit: Kit, step: dict[str, Any], links: dict[str, str]) -> None:
    """Do what one step says."""
    for key, word in step.items():
        if key in ("gets", "together"):
            continue
        if key == "panel":
            change(kit, word)
        elif key == "wait":
            kit.advance(hours=word)
        elif key == "sleep":
            kit.clock.advance(timedelta(hours=word))
            return
        elif key == "fault":
            kit.panel.faults.add("transfer", word)
        elif word == "delivered again":
            write(kit, key, text_of(kit, "same", links), id="wamid-1")
        else:
            text = text_of(kit, word, links)
            write(kit, key, text)
            if "together" in step:
                kit.clock.advance(timedelta(milliseconds=1))
                write(kit, step["together"], text)
    kit.work()


def told(kit: Kit, languages: bool) -> list[str]:
    """Return who got which text since this was asked last."""
    found = []
    for message in kit.sent:
        name = message["message"].removeprefix("transfer_")
        more = f" {message['language']}" if languages else ""
        found.append(
            f"{NAMES.get(message['to']) or who(kit, message['to'])} {name}{more}"
        )
    kit.sent.clear()
    return found


NAMES = {"+5491140000001": "Ana", "+5491140000099": "Ana", "+5491140000007": "Gabriela"}


def writes(kit: Kit) -> list[str]:
    """Return the calls that changed something at the panel."""
    made = [c.action for c in kit.panel.calls if not c.action.startswith("Get")]
    return sorted(set(made) - {"WhmcsDetails"})


@pytest.fixture
def staged(
    kit: Kit, bridge_for: Callable[..., Any], config_with: Callable[..., Path]
) -> Callable[[dict[str, Any]], Kit]:
    """Return a function that sets the stage of one conversation."""

    def stage(row: dict[str, Any]) -> Kit:
        if row.get("addon", True):
            kit.panel.install_addon(kit.secret)
        if "approval" not in row:
            return kit
        other = ("approval: automatic", f"approval: {row['approval']}")
        return replace(kit, bridge=bridge_for(config_dir=config_with(other)))

    return stage


@pytest.mark.store("sqlite")
@pytest.mark.parametrize("row", TABLE, ids=[row["title"] for row in TABLE])
def test_a_conversation_comes_out_as_the_table_says(
    row: dict[str, Any], staged: Callable[[dict[str, Any]], Kit]
) -> None:
    kit = staged(row)
    seen, wanted = [], []
    links: dict[str, str] = {}

    for step in row["steps"]:
        play(kit, step, links)
        seen.append(sorted(told(kit, bool(row.get("languages")))))
        wanted.append(sorted(step.get("gets", [])))

    kept = rows(kit.bridge.store, tables.transfers)
    owner = kit.world.clients[kit.world.services[SERVICE].clientid].firstname
    ends = {
        "state": kept[-1].state if kept else "none",
        "owner": owner,
        "moves": kit.world.count("transfer"),
        "writes": writes(kit),
    }
    assert seen == wanted
    assert ends == row["ends"]
    assert kit.panel.refused == []


def test_the_table_is_long_enough_and_each_title_stands_once() -> None:
    titles = Counter(row["title"] for row in TABLE)

    assert len(TABLE) >= 60
    assert set(titles.values()) == {1}
