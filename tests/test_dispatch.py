"""One event becomes its jobs, once, by the map of the moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from looking import rows

from bridge import dispatch, wiring
from bridge.demo.panel_rows import Line
from bridge.events import Body, Subject, catalogue
from bridge.store import book, inbox, tables
from bridge.store.inbox import Accepted


def keys(kit: Kit) -> list[str]:
    return sorted(row.key for row in rows(kit.bridge.store, tables.jobs))


def match(kit: Kit) -> int:
    hookmap = kit.bridge.map.current
    now = kit.clock.now()
    return len(kit.bridge.store.write(lambda db: dispatch.match(db, hookmap, now)))


def test_each_rule_of_the_hookpoint_is_one_job_under_a_key_of_its_own(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.flush()
    match(kit)

    assert keys(kit) == ["msg_t_0000001/cancel-now", "msg_t_0000001/cancel-with-period"]


def test_matching_again_adds_nothing(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.flush()

    assert (match(kit), match(kit)) == (1, 0)
    assert len(keys(kit)) == 2


def test_what_is_matched_together_keeps_the_order_in_which_it_came(kit: Kit) -> None:
    came = []
    for client in (3, 1, 2):
        kit.world.create_invoice(client, [Line("Algo", Decimal(10))])
        kit.flush()
        came.append(kit.clock.now())
        kit.clock.advance(timedelta(milliseconds=1))
    match(kit)

    assert sorted(row.due_at for row in rows(kit.bridge.store, tables.jobs)) == came


def test_an_event_without_a_rule_is_kept_and_says_so(kit: Kit) -> None:
    kit.world.close_client(1)
    kit.work()

    (event,) = kit.events()
    assert (event.state, event.reason) == (
        "no rule",
        "no rule for ClientClose in the map",
    )
    assert keys(kit) == []


def test_what_nothing_comes_of_is_over_when_it_is_kept(kit: Kit) -> None:
    kit.world.close_client(1)
    kit.flush()

    (event,) = kit.events()
    assert (event.state, event.reason, event.map_version) == (
        "no rule",
        "no rule for ClientClose in the map",
        kit.bridge.map.current.version,
    )
    assert not kit.bridge.bench.anything_due()


def test_the_door_says_of_an_event_what_matching_would(kit: Kit) -> None:
    now, hookmap = kit.clock.now(), kit.bridge.map.current
    fields: dict[str, Any] = {"domainid": 7, "userid": 1, "invoiceid": 3}
    bodies = [
        Body(name, now, data, about)
        for name in [*catalogue(), "DomainStopRenewal", "SomethingNew"]
        for data, about in ((fields, {"domain": "a.example"}), (fields, {}), ({}, {}))
    ]
    made = [
        Accepted(f"{number}{body.hookpoint}", "whmcs", "", body, now, Subject())
        for number, body in enumerate(bodies)
    ]
    for one in made:
        kit.bridge.store.write(lambda db, one=one: inbox.put(db, one, now))
    while match(kit):
        pass

    found = {row.id: (row.state, row.reason) for row in kit.events()}
    said = {one.id: dispatch.foregone(one.event(now), hookmap) for one in made}
    over = {id: told for id, told in said.items() if told is not None}
    assert len(over) > len(catalogue())
    assert over == {id: found[id] for id in over}


INCOMPLETE = [
    ({"domainid": 1}, "userid must"),
    ({"userid": 1, "domainid": "one"}, "domainid must"),
    ({}, "domainid and userid must"),
]


@pytest.mark.parametrize(("data", "named"), INCOMPLETE)
def test_a_wish_not_to_renew_that_names_not_all_says_what_is_missing(
    kit: Kit, data: dict[str, object], named: str
) -> None:
    said = {"type": "DomainStopRenewal", "timestamp": kit.clock.now().isoformat()}
    body = json.dumps(said | {"data": data}).encode()
    kit.client().post("/hooks/whmcs", data=body, headers=kit.headers("m", body))
    kit.work()

    (event,) = kit.events()
    assert event.reason is not None
    assert event.reason.startswith(f"{named} be there, as a whole number")
    assert not kit.world.domains[1].donotrenew


def test_the_event_records_the_map_that_decided(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Path]
) -> None:
    other = bridge_for(config_dir=config_with(("group_after: 3", "group_after: 4")))
    kit.world.create_invoice(1, [Line("x", Decimal(1))])
    kit.work()
    kit.world.create_invoice(1, [Line("x", Decimal(1))])
    kit.flush()
    other.worker.drain()

    newer, older = kit.events()
    assert older.map_version == kit.bridge.map.current.version
    assert newer.map_version == other.map.current.version
    assert newer.map_version != older.map_version


def test_what_follows_a_step_runs_only_when_it_worked_and_in_order(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Path]
) -> None:
    point = "  AfterModuleSuspend:\n"
    rule = (
        '    - {name: chain, do: log_activity, text: "one", then: '
        '[{do: log_activity, text: "two"}, {do: log_activity, text: "three"}]}\n'
    )
    other = bridge_for(config_dir=config_with((point, point + rule)))
    kit.world.suspend(2, "Mantenimiento")
    kit.flush()
    other.worker.drain()

    lines = [line.description for line in kit.world.activity]
    assert lines[-3:] == ["one", "two", "three"]


def test_a_domain_that_is_named_once_is_remembered(kit: Kit) -> None:
    kit.world.delete_domain(1)
    kit.work()

    with kit.bridge.store.read() as db:
        assert book.domain(db, 1) == ("radioana.com.ar", 1)


def test_payments_of_foreign_invoices_touch_no_upgrade(kit: Kit) -> None:
    invoice = kit.world.create_invoice(1, [Line("x", Decimal(1))])
    kit.world.pay_invoice(invoice.id)
    kit.work()

    assert [key for key in keys(kit) if key.startswith("upgrade:")] == []
