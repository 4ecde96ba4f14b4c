"""So many plan changes may be ordered, by whichever door; over that nothing is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from looking import job, rows, staff_lines

from bridge import upgrading
from bridge.demo.panel_example import PLAN_150
from bridge.errors import OverCap
from bridge.store import limits, outbox, tables

HOUR, DAY = "max_orders_per_hour", "max_orders_per_day"
CLIENT = "max_orders_per_client_per_day"


@pytest.fixture
def quoted(kit):
    """The manual's example: 100 paid for the year, the plan of 150."""
    return upgrading.price(kit.bridge.bench, 1, PLAN_150, None)


@pytest.fixture
def capped(kit, bridge_for, config_with):
    """Return a function that gives some caps of the map another figure."""

    def make(**caps):
        changes = ((f"    {name}: ", f"    {name}: {n} #") for name, n in caps.items())
        return replace(kit, bridge=bridge_for(config_dir=config_with(*changes)))

    return make


def order(kit, quoted, service, client=1, seed="seed"):
    """Order the quote as if it were another service's."""
    other = replace(quoted.service, id=service, client_id=client)
    return upgrading.order(
        kit.bridge.bench, replace(quoted, service=other), "ana", seed
    )


def orders(kit):
    return [row.service_id for row in rows(kit.bridge.store, tables.upgrades)]


CASES = {
    "hour": ({HOUR: 2}, timedelta(hours=1), "hour: 2; the cap is 2", "per_hour"),
    "day": ({DAY: 2}, timedelta(days=1), "24 hours: 2; the cap is 2", "per_day"),
    "client": (
        {CLIENT: 2},
        timedelta(days=1),
        "of client 1 ordered in the last 24 hours: 2; the cap is 2",
        "per_client_per_day",
    ),
}


@pytest.mark.parametrize(("cap", "given"), CASES.items(), ids=CASES)
def test_over_a_cap_nothing_is_ordered_and_can_be_when_there_is_room(
    capped, quoted, cap, given
):
    figures, after, words, name = given
    kit = capped(**figures)
    began = kit.clock.now()
    for service in (1, 2):
        order(kit, quoted, service)
    kept = [len(rows(kit.bridge.store, table)) for table in (tables.jobs, tables.audit)]

    with pytest.raises(OverCap) as refused:
        order(kit, quoted, 3)
    again = [
        len(rows(kit.bridge.store, table)) for table in (tables.jobs, tables.audit)
    ]
    told = refused.value
    kit.clock.set(told.at)
    done = order(kit, quoted, 3)

    assert (told.cap, told.most, told.count) == (cap, 2, 2)
    assert words in str(told)
    assert f"policies.upgrades.max_orders_{name})" in str(told)
    assert began + after < told.at <= began + after + timedelta(minutes=1)
    assert (told.at.second, told.at.microsecond) == (0, 0)
    assert again == kept
    assert done is not None


def test_another_clients_orders_do_not_count_for_his(capped, quoted):
    kit = capped(**{CLIENT: 1})

    made = [order(kit, quoted, service, client=service) for service in (1, 2, 3)]

    assert None not in made


def test_where_two_caps_are_used_up_the_longer_wait_is_told(capped, quoted):
    kit = capped(**{HOUR: 1, DAY: 2})
    order(kit, quoted, 1)
    kit.clock.advance(timedelta(hours=23, minutes=30))
    order(kit, quoted, 2)
    with pytest.raises(OverCap) as refused:
        order(kit, quoted, 3)

    assert refused.value.cap == "hour"
    kit.clock.set(refused.value.at)
    assert order(kit, quoted, 3) is not None


def test_the_same_seed_is_the_same_order_and_counts_once(capped, quoted):
    kit = capped(**{DAY: 2})
    first = order(kit, quoted, 1)

    again = [order(kit, quoted, 1) for _ in range(3)]
    other = order(kit, quoted, 2)
    at_the_cap = order(kit, quoted, 1)

    assert again == [first] * 3
    assert at_the_cap == first
    assert sorted(orders(kit)) == [1, 2]
    assert other is not None


def test_what_was_ended_counts_still(capped, quoted):
    kit = capped(**{DAY: 1})
    order(kit, quoted, 1)
    ended = sa.update(tables.upgrades).values(state="ended")
    kit.bridge.store.write(lambda db: db.execute(ended) and None)

    with pytest.raises(OverCap):
        order(kit, quoted, 1, seed="other")


@pytest.mark.parametrize("values", [{"state": "rehearsed"}, {"native": True}])
def test_what_was_rehearsed_or_ordered_in_the_panel_does_not_count(
    capped, quoted, values
):
    kit = capped(**{HOUR: 1, DAY: 1, CLIENT: 1})
    order(kit, quoted, 1)
    change = sa.update(tables.upgrades).values(**values)
    kit.bridge.store.write(lambda db: db.execute(change) and None)

    assert order(kit, quoted, 2) is not None


def test_a_dry_run_orders_as_much_as_it_likes(kit, quoted, bridge_for, config_with):
    config = config_with((f"{DAY}: 100", f"{DAY}: 1"))
    dry = bridge_for(config_dir=config, dry_run=True)
    others = upgrading.price(dry.bench, 7, PLAN_150, None)

    made = [upgrading.order(dry.bench, one, "ana", "s") for one in (quoted, others)]
    dry.worker.drain()
    live = replace(kit, bridge=bridge_for(config_dir=config))

    states = {row.state for row in rows(kit.bridge.store, tables.upgrades)}
    assert None not in made
    assert states == {"rehearsed"}
    assert order(live, quoted, 3) is not None


def test_the_caps_hold_across_restarts(capped, quoted, bridge_for):
    kit = capped(**{DAY: 1})
    order(kit, quoted, 1)
    config = kit.bridge.settings.config_dir
    kit.bridge.close()
    again = replace(kit, bridge=bridge_for(config_dir=config))

    with pytest.raises(OverCap):
        order(again, quoted, 2)


@pytest.mark.parametrize("cap", [HOUR, DAY, CLIENT])
def test_the_caps_hold_for_many_at_once(capped, quoted, bridge_for, cap):
    kit = capped(**{cap: 3})
    other = replace(kit, bridge=bridge_for(config_dir=kit.bridge.settings.config_dir))

    def ask(service):
        try:
            return order((kit, other)[service % 2], quoted, service)
        except OverCap:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(ask, range(1, 25)))

    assert len([id for id in made if id]) == 3
    assert len(orders(kit)) == 3


def test_the_same_seed_at_once_is_never_over_the_cap(capped, quoted, bridge_for):
    kit = capped(**{DAY: 1})
    other = replace(kit, bridge=bridge_for(config_dir=kit.bridge.settings.config_dir))

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda n: order((kit, other)[n % 2], quoted, 1), range(16)))

    assert len(made) == 1
    assert None not in made


@pytest.mark.store("postgresql")
def test_who_waits_for_his_turn_to_count_finds_the_same_order_made(
    capped, quoted, bridge_for
):
    kit = capped(**{DAY: 1})
    other = replace(kit, bridge=bridge_for(config_dir=kit.bridge.settings.config_dir))
    engine = sa.create_engine(kit.bridge.store.url)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"

    with ThreadPoolExecutor(2) as pool:
        with engine.begin() as db:
            limits.lock(db, kit.clock.now())
            asked = [pool.submit(order, one, quoted, 1) for one in (kit, other)]
            while db.exec_driver_sql(waiting).scalar_one() < 2:
                assert not any(one.done() for one in asked)
        made = {one.result(20) for one in asked}
    engine.dispose()

    assert len(made) == 1
    assert None not in made


def test_the_command_says_figure_cap_and_when_there_is_room(
    capped, quoted, shell, monkeypatch
):
    kit = capped(**{CLIENT: 1})
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(kit.bridge.settings.config_dir))
    order(kit, quoted, 11)  # another service of the same client
    words = ("upgrade", "order", "1", "--to", str(PLAN_150), "--yes")

    refused = shell(*words, status=1)
    invoices = kit.panel.count("CreateInvoice")
    kit.clock.advance(timedelta(days=1, minutes=1))
    ordered = shell(*words)

    assert refused.stdout == ""
    assert "Nothing was ordered. Plan changes of client 1 " in refused.stderr
    assert "24 hours: 1; the cap is 1 (policies.upgrades." in refused.stderr
    assert "There is room again on 2026-11-03 at 10:01." in refused.stderr
    assert invoices == 0
    assert "invoiced, invoice" in ordered.stdout


def test_a_dry_run_of_the_command_says_what_is_in_the_way(
    capped, quoted, shell, monkeypatch
):
    kit = capped(**{CLIENT: 1})
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(kit.bridge.settings.config_dir))
    words = ("upgrade", "order", "1", "--to", str(PLAN_150), "--dry-run")

    free = shell(*words)
    order(kit, quoted, 11)  # another service of the same client
    over = shell(*words, status=1)

    assert (free.stderr, over.stdout) == ("", free.stdout)
    assert "Nothing would be ordered now. Plan changes of client 1 " in over.stderr
    assert "There is room again on " in over.stderr


# --- Ordered by a rule of the map ---

POINT = "  AfterModuleUnsuspend:\n"
RULE = f"    - {{ name: order, do: invoice_upgrade, to: {PLAN_150} }}\n"


@pytest.fixture
def by_rule(kit, bridge_for, config_with):
    """Return a function that lets a reactivated service order an upgrade."""

    def make(cap, most, **settings):
        changes = ((POINT, POINT + RULE), (f"    {cap}: ", f"    {cap}: {most} #"))
        config = config_with(*changes)
        return replace(kit, bridge=bridge_for(config_dir=config, **settings))

    return make


def reactivate(kit, *services):
    for service in services:
        kit.world.suspend(service, "Mantenimiento")
        kit.world.unsuspend(service)
    kit.work()


def test_what_a_rule_orders_goes_on_when_the_hour_has_room(by_rule):
    kit = by_rule(HOUR, 1)
    reactivate(kit, 1, 2)
    early = orders(kit)
    kit.advance(minutes=59)
    still = orders(kit)
    kit.advance(minutes=2)

    assert len(early) == 1
    assert still == early
    assert sorted(orders(kit)) == [1, 2]
    assert sum(kit.panel.invoices_created.values()) == 2


def test_what_a_rule_orders_over_a_cap_of_the_day_waits_for_staff_told_once(
    by_rule, shell
):
    kit = by_rule(DAY, 1)
    reactivate(kit, 1, 2, 7)
    kit.advance(days=3)
    early, told = orders(kit), staff_lines(kit)
    shell("events", "retry", "--all", "--yes")
    kit.work()

    assert len(early) == 1  # of three due at one moment, any
    assert len(told) == 1
    assert "over the cap of 1 upgrade orders a day" in told[0]
    assert len(orders(kit)) == 2


def test_an_order_whose_outcome_was_lost_is_not_made_again(by_rule):
    kit = by_rule(DAY, 1)
    reactivate(kit, 1)
    name = job(kit, "/order").key
    again = sa.update(tables.jobs).where(tables.jobs.c.key == name)
    kit.bridge.store.write(lambda db: db.execute(again.values(state="parked")) and None)
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: outbox.again(db, now, keys=[name]))
    kit.work()

    assert job(kit, "/order").state == "done"
    assert orders(kit) == [1]
    assert sum(kit.panel.invoices_created.values()) == 1


def test_what_a_rule_rehearses_is_over_no_cap(by_rule):
    kit = by_rule(DAY, 1, dry_run=True)
    reactivate(kit, 1, 2)

    states = [row.state for row in rows(kit.bridge.store, tables.upgrades)]
    assert states == ["rehearsed"] * 2


class Meanwhile:
    """A panel that has something else happen while plans are read, once."""

    def __init__(self, panel, happens):
        self._panel = panel
        self._happens = [happens]

    def __getattr__(self, name):
        if name == "product" and self._happens:
            self._happens.pop()()
        return getattr(self._panel, name)


def test_an_order_that_came_between_is_seen_in_a_moment(by_rule, quoted):
    kit = by_rule(DAY, 9)
    bench = kit.bridge.bench
    bench.panel = Meanwhile(
        bench.panel, lambda: upgrading.order(bench, quoted, "eva", "by hand")
    )
    reactivate(kit, 1)
    kit.advance(seconds=10)

    assert orders(kit) == [1]
    assert job(kit, "/order").state == "parked"
    assert "upgrade_pending" in job(kit, "/order").reason
