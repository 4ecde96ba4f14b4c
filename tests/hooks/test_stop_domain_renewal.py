"""A domain is left unrenewed: set once, read back, told with the day it stays until."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Kit
from looking import job, staff_lines, texts

from bridge.store import outbox
from bridge.store.outbox import NewJob

DOMAIN = 1  # Ana's radioana.com.ar


def stop(kit: Kit, domain: int = DOMAIN, client: int = 1, key: str = "d/stop") -> Any:
    """Run the action as the command does."""
    now = kit.clock.now()
    new = NewJob(
        key=key,
        event_id=None,
        action="stop_domain_renewal",
        rule="domain",
        run_at=now,
        parameters={"domain_id": domain, "client_id": client},
        acts=True,
    )
    kit.bridge.store.write(lambda db: outbox.put(db, [new], now))
    kit.work()
    return job(kit, key)


def test_a_domain_is_not_renewed_and_its_owner_told_until_when_it_stays(
    kit: Kit,
) -> None:
    done = stop(kit)

    expires = kit.world.domains[DOMAIN].expirydate
    assert done.state == "done"
    assert kit.world.domains[DOMAIN].donotrenew
    assert kit.panel.count("UpdateClientDomain", domainid=DOMAIN) == 1
    assert texts(kit) == ["domain_not_renewed"]
    assert f"{expires:%d/%m/%Y}" in kit.sent[0]["text"]
    assert "radioana.com.ar" in kit.sent[0]["text"]


@pytest.mark.parametrize("language", ["spanish", "english", "portuguese-br"])
def test_one_without_an_expiry_date_is_told_without_a_day(
    kit: Kit, language: str
) -> None:
    kit.world.domains[DOMAIN].expirydate = None
    kit.world.client(1).language = language

    done = stop(kit)

    (told,) = kit.sent
    assert done.state == "done"
    assert told["message"] == "domain_not_renewed_undated"
    assert "radioana.com.ar" in told["text"]
    assert " - " not in told["text"]


def test_one_that_is_not_renewed_already_is_left_alone(kit: Kit) -> None:
    kit.world.domains[DOMAIN].donotrenew = True

    done = stop(kit)

    assert (done.state, texts(kit)) == ("skipped", [])
    assert kit.panel.count("UpdateClientDomain") == 0


def test_a_lost_answer_is_settled_by_what_the_panel_shows(kit: Kit) -> None:
    kit.panel.faults.add("UpdateClientDomain", "acts_but_loses_the_answer")

    done = stop(kit)

    assert done.state == "done"
    assert kit.panel.count("UpdateClientDomain") == 1
    assert texts(kit) == ["domain_not_renewed"]


@pytest.mark.parametrize("kind", ["html_500", "empty", "http"])
def test_what_did_not_happen_is_tried_again(kit: Kit, kind: str) -> None:
    kit.panel.faults.add("UpdateClientDomain", kind)

    stop(kit)
    kit.advance(minutes=20)

    assert job(kit, "d/stop").state == "done"
    assert kit.world.domains[DOMAIN].donotrenew
    assert texts(kit) == ["domain_not_renewed"]


def test_a_domain_that_changed_its_owner_is_left_to_staff(kit: Kit) -> None:
    done = stop(kit, client=2)

    assert done.state == "parked"
    assert not kit.world.domains[DOMAIN].donotrenew
    assert "belongs to client 1 now, not 2" in staff_lines(kit)[0]


def test_a_cancelled_hosting_leaves_its_domain_alone(kit: Kit) -> None:
    kit.world.request_cancellation(1, "Immediate")
    kit.work()
    kit.advance(hours=12)

    assert kit.world.services[1].status in ("Terminated", "Cancelled")
    assert not kit.world.domains[DOMAIN].donotrenew
    assert kit.world.domains[DOMAIN].status == "Active"
    assert kit.panel.count("UpdateClientDomain") == 0
