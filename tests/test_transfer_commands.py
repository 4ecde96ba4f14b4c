"""transfers and domains on the command line: evidence, approval, the link."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from conversing import request, write
from looking import rows, texts

from bridge.store import handover, tables
from tests.shells import of_json

ANA, GABRIELA = 1, 7


@pytest.fixture
def agreed(kit):
    """A change of owner on which both agreed, without an add-on: it is with staff."""
    text = request(kit)
    for who in ("Ana", "Gabriela"):
        write(kit, who, text)
        kit.work()
    kit.sent.clear()
    return kit


def test_the_link_types_the_text_that_both_send(shell, kit):
    given = ("--service", "1", "--to", "gabriela@example.com")
    address = shell("transfers", "link", *given).stdout.strip()
    parts = urlsplit(address)

    assert (parts.netloc, parts.path) == ("wa.me", "/5491155550100")
    assert parse_qs(parts.query)["text"] == [request(kit)]
    assert of_json(shell("transfers", "link", *given, "--json"))["url"] == address


def test_the_link_speaks_the_language_that_is_asked_for(shell, kit):
    given = ("--service", "1", "--to", "gabriela@example.com", "--lang", "pt_BR")

    found = of_json(shell("transfers", "link", *given, "--json"))

    assert found["text"] == request(kit, language="pt_BR")


WRONG = [
    ("1", "nobody@example.com", "knows no client with e-mail nobody@example.com."),
    ("999", "gabriela@example.com", "knows no service 999."),
    ("1", "ana@example.com", "the client who has the service already."),
]


@pytest.mark.parametrize(("service", "email", "why"), WRONG)
def test_there_is_no_link_to_nobody(shell, service, email, why):
    given = ("--service", service, "--to", email)

    assert why in shell("transfers", "link", *given, status=1).stderr


CANNOT_PASS = [
    ("Pending", "made active in the panel"),
    ("Suspended", "made active in the panel"),
    ("Terminated", "orders a service of his own"),
    ("Cancelled", "orders a service of his own"),
]


@pytest.mark.parametrize(("status", "then"), CANNOT_PASS)
def test_there_is_no_link_for_a_service_that_cannot_pass(shell, kit, status, then):
    kit.world.services[1].status = status
    given = ("--service", "1", "--to", "gabriela@example.com")

    refused = shell("transfers", "link", *given, status=1)

    assert refused.stdout == ""
    assert f"Service 1 is {status}" in refused.stderr
    assert then in refused.stderr


def test_the_evidence_says_of_each_condition_whether_it_is_so(shell, agreed):
    shown = shell("transfers", "show", "1").stdout

    assert "agreed_at: 2026-11-02 13:00 UTC\n" in shown
    assert "\nchecked 2026-11-02 13:00 UTC:\n" in shown
    assert "  no invoice of the service is open: yes (open: none)\n" in shown
    assert "  no cancellation of it is pending: yes (none is)\n" in shown
    assert "  both accounts are verified: yes (not: none)\n" in shown


def test_the_evidence_is_shown_whole(shell, agreed):
    (listed,) = of_json(shell("transfers", "list", "--json"))

    found = of_json(shell("transfers", "show", "service:1", "--json"))

    assert listed["id"] == found["id"]
    assert (found["state"], found["service_id"]) == ("staff", 1)
    assert found["from"]["number"] == "+5491140000001"
    assert found["to"]["number"] == "+5491140000007"
    assert found["from"]["message"] == "console:wamid-1"
    assert found["to"]["message"] == "console:wamid-2"
    assert found["from"]["text"] == found["to"]["text"] == request(agreed)
    assert found["to"]["at"].startswith("2026-11-02T13:00")
    assert len(found["checks"]) == 12
    assert all(check["holds"] for check in found["checks"])
    assert "+5491140000007" in shell("transfers", "show", "1").output


def test_an_approved_one_is_moved_and_both_are_told(shell, agreed):
    agreed.panel.install_addon(agreed.secret)

    shell("transfers", "approve", "1", "--yes")
    agreed.work()

    assert agreed.world.services[1].clientid == GABRIELA
    assert agreed.world.count("transfer") == 1
    assert sorted(texts(agreed)) == ["transfer_done_from", "transfer_done_to"]
    shell("transfers", "approve", "1", "--yes", status=1)
    found = of_json(shell("transfers", "show", "1", "--json"))
    assert [act["what"] for act in found["by_hand"]] == ["approve transfer"]


def test_what_staff_moved_by_hand_is_done_when_they_say_so(shell, agreed):
    agreed.world.move_service(1, GABRIELA)

    shell("transfers", "approve", "service:1", "--yes")
    agreed.work()

    assert of_json(shell("transfers", "show", "1", "--json"))["state"] == "done"
    assert sorted(texts(agreed)) == ["transfer_done_from", "transfer_done_to"]


def test_an_approval_does_not_pass_over_what_changed_meanwhile(shell, agreed):
    agreed.panel.install_addon(agreed.secret)
    agreed.world.suspend(1)
    agreed.sent.clear()

    shell("transfers", "approve", "1", "--yes")
    agreed.work()

    assert agreed.world.services[1].clientid == ANA
    assert sorted(set(texts(agreed)) - {"service_suspended"}) == [
        "transfer_refused_not_active"
    ]


def test_a_rejected_one_is_over_and_both_are_told(shell, agreed):
    agreed.panel.install_addon(agreed.secret)

    shell("transfers", "reject", "1", "--reason", "no proof", "--yes")
    agreed.work()

    assert agreed.world.services[1].clientid == ANA
    assert texts(agreed) == ["transfer_rejected", "transfer_rejected"]
    assert shell("transfers", "list", "--json").stdout.strip() == "[]"
    assert "no proof" in shell("transfers", "list", "--all").output
    shell("transfers", "approve", "1", "--yes", status=1)
    shell("transfers", "reject", "1", "--yes", status=1)


def test_a_request_of_one_side_is_rejected_and_only_he_is_told(shell, kit):
    write(kit, "Ana", request(kit))
    kit.work()
    kit.sent.clear()

    shell("transfers", "approve", "1", "--yes", status=1)
    shell("transfers", "reject", "1", "--yes")
    kit.work()

    assert [(m["message"], m["to"]) for m in kit.sent] == [
        ("transfer_rejected", "+5491140000001")
    ]


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_dry_run_changes_nothing(shell, agreed, verb):
    assert "would" in shell("transfers", verb, "1", "--dry-run").output
    assert rows(agreed.bridge.store, tables.transfers)[0].state == "staff"


def test_an_unknown_one_is_a_sentence(shell):
    assert "No change of owner" in shell("transfers", "show", "7", status=1).output


@pytest.mark.parametrize(
    ("state", "kept"),
    [("refused", 732), ("done", 1464)],
    ids=["two-years", "as-long-as-what-was-paid-may-count"],
)
def test_evidence_is_kept_and_goes_then(agreed, state, kept):
    store = agreed.bridge.store
    store.write(lambda db: db.execute(tables.transfers.update().values(state=state)))
    now = agreed.clock.now()

    def prune(days):
        later = now + timedelta(days=days)
        return store.write(lambda db: handover.prune(db, later, later))

    assert prune(kept - 1) == 0
    assert len(rows(store, tables.transfers)) == 1
    assert prune(kept + 1) == 1


def test_an_open_one_is_never_pruned(agreed):
    later = agreed.clock.now() + timedelta(days=4000)

    gone = agreed.bridge.store.write(lambda db: handover.prune(db, later, later))

    assert gone == 0


@pytest.mark.parametrize(
    "which",
    [
        *("radioana.com.ar", "RadioAna.com.ar", "1"),
        *("radioana.com.ar.", " RADIOANA.COM.AR. ", " 1 "),
    ],
)
def test_a_domain_is_left_unrenewed_by_name_or_number(shell, kit, which):
    shell("domains", "stop-renewal", which, "--yes")
    kit.work()

    assert kit.world.domains[1].donotrenew
    assert texts(kit) == ["domain_not_renewed"]
    shell("domains", "stop-renewal", which, "--yes", status=1)


def test_a_domain_of_nobody_is_a_sentence(shell):
    shell("domains", "stop-renewal", "nobody.example", "--yes", status=1)


@pytest.mark.parametrize("which", ["", " . "])
def test_no_domain_at_all_is_a_sentence(shell, which):
    told = shell("domains", "stop-renewal", which, "--yes", status=1)

    assert "Give the domain's name or its number." in told.output


def test_no_domain_changes_in_a_dry_run(shell, kit):
    result = shell("domains", "stop-renewal", "radioana.com.ar", "--dry-run")

    assert "radioana.com.ar" in result.output
    assert not kit.world.domains[1].donotrenew
