"""From two WhatsApp messages to the rows of a real database, through the add-on's PHP.

The API is the simulated panel; `transfer.php` runs in PHP over MariaDB, and what
happens there to the service's row is what the simulated panel shows from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import MORNING, Kit, Mounted
from conversing import request, write
from looking import rows, texts

from bridge import wiring
from bridge.errors import Reason, RemoteError
from bridge.store import tables
from bridge.transport import Answer, Call

from .doors import PATH, Door
from .stage import FILES

ANA, GABRIELA = 1, 7
#: What the bridge is asked for after the move is looked up, not asked again.
OWNED = "SELECT id, userid FROM {} ORDER BY id"


@pytest.fixture(scope="module")
def door(panel_stage: Any) -> Iterator[Door]:
    for statement in (FILES / "transfers.sql").read_text().split(";\n"):
        if statement.strip():
            panel_stage.sql(statement)
    door = Door(panel_stage, clock=int(MORNING.timestamp()))
    yield door
    door.close()


class Both:
    """Calls of the API go to the simulated panel, those of transfer.php to PHP."""

    def __init__(self, kit: Kit, door: Door, stage: Any) -> None:
        self._mounted = Mounted(kit.panel)
        self._world, self._door, self._stage = kit.world, door, stage
        self.asked = 0
        self.lost = False

    def send(self, call: Call, **how: Any) -> Answer:
        """Send a call to where it belongs."""
        if not call.url.endswith(PATH):
            return self._mounted.send(call, **how)
        self.asked += 1
        got = self._door.ask(call.method, PATH, call.body, dict(call.headers))
        (row,) = self._stage.sql("SELECT userid FROM tblhosting WHERE id = 1")
        if row["userid"] != self._world.services[1].clientid:
            self._world.move_service(1, row["userid"])
        if self.lost:
            raise RemoteError("whmcs", Reason.UNREACHABLE, "cut off", sent=True)
        return Answer(got.status, got.headers, got.body)


@pytest.fixture
def both(kit: Kit, panel_stage: Any, door: Door) -> Iterator[Both]:
    """The simulated company's two clients in MariaDB, and the way to PHP."""
    panel_stage.clock = None
    panel_stage.reset("https://bridge.example.com", kit.secret)
    for table in ("tblinvoices", "tblcancelrequests", "tblsslorders"):
        panel_stage.sql(f"DELETE FROM {table}")
    for id, email in ((ANA, "ana@example.com"), (GABRIELA, "gabriela@example.com")):
        panel_stage.sql(
            "INSERT INTO tblclients (id, firstname, email, currency, status,"
            " email_verified) VALUES (?, '', ?, 1, 'Active', 1)",
            id,
            email,
        )
    for id, domain in ((1, "radioana.com.ar"), (11, "radio.example.com")):
        panel_stage.sql(
            "INSERT INTO tblhosting (id, userid, packageid, domain, domainstatus,"
            " username, password, subscriptionid)"
            " VALUES (?, 1, 21, ?, 'Active', '', '', 'S-9')",
            id,
            domain,
        )
    for id, service in ((31, 1), (32, 1), (39, 11)):
        panel_stage.sql(
            "INSERT INTO tblhostingaddons (id, userid, hostingid) VALUES (?, 1, ?)",
            id,
            service,
        )
    panel_stage.sql("INSERT INTO tbldomains (id, userid, domain) VALUES (5, 1, 'r')")
    way = Both(kit, door, panel_stage)
    kit.bridge.bench.panel = wiring.make_panel(kit.bridge.settings, way, kit.clock.now)
    yield way
    assert door.complaints == ""


def owners(stage: Any) -> dict[str, dict[int, int]]:
    """Return whose each row is."""
    return {
        name: {row["id"]: row["userid"] for row in stage.sql(OWNED.format(name))}
        for name in ("tblhosting", "tblhostingaddons", "tbldomains")
    }


BEFORE = {
    "tblhosting": {1: ANA, 11: ANA},
    "tblhostingaddons": {31: ANA, 32: ANA, 39: ANA},
    "tbldomains": {5: ANA},
}
AFTER = {
    "tblhosting": {1: GABRIELA, 11: ANA},
    "tblhostingaddons": {31: GABRIELA, 32: GABRIELA, 39: ANA},
    "tbldomains": {5: ANA},
}


def both_write(kit: Kit) -> None:
    text = request(kit)
    for who in ("Ana", "Gabriela"):
        write(kit, who, text)
        kit.work()


def test_two_messages_move_the_rows_of_the_service_and_no_others(
    kit: Kit, both: Both, panel_stage: Any
) -> None:
    before = owners(panel_stage)

    both_write(kit)

    (row,) = rows(kit.bridge.store, tables.transfers)
    kept = panel_stage.sql("SELECT * FROM mod_hookbridge_transfers")
    assert (before, owners(panel_stage)) == (BEFORE, AFTER)
    assert [one["webhook_id"] for one in kept] == [row.key]
    assert row.moved["addons"] == [31, 32]
    assert row.moved["subscriptions"] == ["service:1"]
    assert row.state == "done"
    assert texts(kit)[-2:] == ["transfer_done_from", "transfer_done_to"]
    (ticket,) = kit.world.tickets.values()
    assert "Cancel the old owner's subscription at the gateway" in ticket.message


def test_a_lost_answer_is_settled_by_the_owner_and_asked_only_once(
    kit: Kit, both: Both, panel_stage: Any
) -> None:
    both.lost = True

    both_write(kit)
    kit.advance(minutes=20)

    assert owners(panel_stage) == AFTER
    assert both.asked == 1
    assert rows(kit.bridge.store, tables.transfers)[0].state == "done"
    assert texts(kit)[-2:] == ["transfer_done_from", "transfer_done_to"]


IN_THE_WAY = {
    "an upgrade": (
        "INSERT INTO tblupgrades (id, type, relid, originalvalue, newvalue, amount,"
        " status) VALUES (70, 'package', 1, '21', '22,annually', 50, 'Pending')",
        "upgrade_pending",
    ),
    "an open invoice of an add-on": (
        "INSERT INTO tblinvoiceitems (id, invoiceid, type, relid, description, amount)"
        " VALUES (50, 50, 'Addon', 32, '', 1)",
        "invoice_open",
    ),
    "a third client with the e-mail": (
        "INSERT INTO tblclients (id, firstname, email, email_verified)"
        " VALUES (4, '', 'gabriela@example.com', 1)",
        "shared_email",
    ),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
def test_what_only_the_panel_sees_is_told_to_both_in_its_own_words(
    kit: Kit, both: Both, panel_stage: Any, what: str
) -> None:
    statement, code = IN_THE_WAY[what]
    panel_stage.sql(
        "INSERT INTO tblinvoices (id, userid, status) VALUES (50, 1, 'Unpaid')"
    )
    panel_stage.sql(statement)

    both_write(kit)

    assert owners(panel_stage) == BEFORE
    assert texts(kit)[-2:] == [f"transfer_refused_{code}"] * 2
    assert rows(kit.bridge.store, tables.transfers)[0].state == "refused"


def test_with_another_secret_at_the_panel_staff_are_told_and_nothing_moves(
    kit: Kit, both: Both, panel_stage: Any
) -> None:
    panel_stage.setting("secret", "whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXI=")

    both_write(kit)

    (row,) = rows(kit.bridge.store, tables.transfers)
    assert owners(panel_stage) == BEFORE
    assert row.state == "staff"
    assert "does not take our signature" in row.reason
