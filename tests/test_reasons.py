"""One sentence answers why something, or nothing, became of an event."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from bridge.commands.reasons import summary
from tests.conftest import MORNING
from tests.shells import of_json


def reason(shell, hookpoint):
    """Return the sentence on the newest event of a hookpoint."""
    return of_json(shell("events", "list", "--hookpoint", hookpoint, "--json"))[0]


def post(kit, id, hookpoint, data, **context):
    """Post a delivery that the panel would not make, and run what comes of it."""

    body = {"type": hookpoint, "timestamp": kit.clock.now().isoformat(), "data": data}
    raw = json.dumps(body | {"context": context}).encode()
    kit.client().post("/hooks/whmcs", data=raw, headers=kit.headers(id, raw))
    kit.work()


def test_a_scheduled_cancellation_says_when_it_ends_and_why(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()

    found = reason(shell, "CancellationRequest")

    (row,) = of_json(shell("cancellations", "list", "--json"))
    assert found["state"] == "waiting"
    assert f"service 11 ends {row['ends']}: " in found["reason"]
    assert "terminate_service waits until" in found["reason"]


def test_a_repeated_request_says_that_it_is_one(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    data = {"userid": 1, "relid": 11, "type": "End of Billing Period", "reason": ""}

    post(kit, "again", "CancellationRequest", data)

    assert "a repetition: service 11" in reason(shell, "CancellationRequest")["reason"]


def test_a_withdrawn_cancellation_says_so(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    shell("cancellations", "withdraw", "service:11", "--reason", "stays", "--yes")
    kit.work()

    assert reason(shell, "CancellationRequest")["reason"].startswith("stays")


def test_a_user_of_two_clients_is_told_of_both(shell, kit):
    with kit.world.muted():
        second = kit.world.add_client("Ana", "Dos", "ana2@example.com", owner=1)
        second.phonenumber = ""

    post(kit, "two", "UserChangePassword", {"userid": 1})

    found = reason(shell, "UserChangePassword")
    assert f"password_changed to each of clients 1, {second.id}" in found["reason"]
    assert f"not sent: client {second.id} has no telephone" in found["reason"]


def test_an_upgrade_with_a_bad_amount_says_what_is_wrong_with_it(shell, kit):
    row = {"relid": 1, "originalvalue": "21", "newvalue": "22,annually"}
    row |= {"type": "package", "amount": "much", "status": "Completed"}

    post(kit, "bad", "AfterProductUpgrade", {"upgradeid": 5}, upgrade=row)
    kit.advance(seconds=10)

    told = reason(shell, "AfterProductUpgrade")["reason"]
    assert told == "the panel's upgrade row has no amount that was paid"


def job(state, why=None, action="send_alert", acts=False, key="e/rule", outcome=None):
    return SimpleNamespace(
        key=key,
        state=state,
        reason=why,
        action=action,
        acts=acts,
        outcome=outcome,
        parameters={},
        run_at=MORNING,
        created_at=MORNING,
    )


UNMET = job("skipped", "the condition does not hold: event.type == 'Immediate'")
SENT = job("done", outcome={"message": "m", "to": "client 1", "state": "sent"})
CASES = {
    "unmet speaks only alone": ([UNMET], ("skipped", UNMET.reason)),
    "a true reason goes before": (
        [UNMET, job("skipped", "a repetition")],
        ("skipped", "a repetition"),
    ),
    "withdrawn goes before unmet": (
        [UNMET, job("withdrawn", "by staff")],
        ("withdrawn", "by staff"),
    ),
    "the line to staff is no outcome": (
        [job("done", None, "log_activity", key="e/rule/staff:1"), job("skipped", "no")],
        ("skipped", "no"),
    ),
    "an act goes before a message": (
        [SENT, job("done", None, "apply_upgrade", acts=True)],
        ("done", "apply_upgrade"),
    ),
    "a retry says why": (
        [job("waiting"), job("waiting", "panel: unreachable")],
        ("waiting", "panel: unreachable"),
    ),
}


@pytest.mark.parametrize(("jobs", "expected"), CASES.values(), ids=CASES)
def test_the_sentence_is_that_of_the_job_that_matters(jobs, expected):
    row = SimpleNamespace(state="matched", reason=None)

    assert summary(row, jobs) == expected
