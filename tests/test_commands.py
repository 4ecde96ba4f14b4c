"""The command line as an operator meets it, over a simulated panel and a store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta

import click
import pytest
import time_machine
from looking import cancellation

from bridge.commands.replaying import put_again
from bridge.commands.terminating import run_now
from bridge.demo.clock import Clock
from bridge.demo.panel_example import PLAN_100, PLAN_150
from bridge.demo.whatsapp.cloud import NUMBER_ID, TOKEN, WABA_ID, CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.errors import StoreUnavailable
from bridge.store import claims, inbox
from bridge.whmcs_client import WhmcsClient
from tests.conftest import CONFIG, MORNING
from tests.shells import failing, of_json


def test_a_quote_shows_its_working_and_the_difference(shell):
    found = of_json(shell("upgrade", "quote", "1", "--to", str(PLAN_150), "--json"))

    assert found["charge"] == "50.00"
    assert found["basis"] == "invoice"
    assert found["allowed"] is True
    assert [line["amount"] for line in found["lines"]] == ["150.00", "-100.00"]
    keys = {"service_id", "product_id", "cycle", "currency", "due_date", "reason"}
    assert keys <= set(found)


def test_a_refused_quote_ends_with_one_and_says_it_as_the_client_reads_it(shell, kit):
    result = shell("upgrade", "quote", "4", "--to", str(PLAN_100), status=1)

    assert "Refused (downgrade)" in result.output
    assert "plano" in result.output.casefold()


def test_an_order_makes_one_published_invoice_of_the_difference(shell, kit):
    found = of_json(
        shell("upgrade", "order", "1", "--to", str(PLAN_150), "--yes", "--json")
    )

    invoice = kit.world.invoices[found["invoice_id"]]
    assert found["state"] == "invoiced"
    assert found["invoice_url"].endswith(f"viewinvoice.php?id={invoice.id}")
    assert (str(invoice.items[0].amount), invoice.status) == ("50.00", "Unpaid")
    assert sum(kit.panel.invoices_created.values()) == 1


def test_a_second_order_for_the_same_service_is_refused(shell, kit):
    shell("upgrade", "order", "1", "--to", str(PLAN_150), "--yes")

    result = shell("upgrade", "quote", "1", "--to", str(PLAN_150), status=1)

    assert "upgrade_pending" in result.output
    assert sum(kit.panel.invoices_created.values()) == 1


def test_a_dry_run_of_an_order_bills_nothing(shell, kit):
    shell("upgrade", "order", "1", "--to", str(PLAN_150), "--dry-run")

    assert sum(kit.panel.invoices_created.values()) == 0


def test_no_at_the_question_orders_nothing(shell, kit):
    shell("upgrade", "order", "1", "--to", str(PLAN_150), status=1, text="n\n")

    assert sum(kit.panel.invoices_created.values()) == 0


def test_an_unknown_service_is_a_sentence(shell):
    assert failing("upgrade", "quote", "999", "--to", str(PLAN_150)) == 1


def test_a_cancellation_is_listed_with_its_day_and_why(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()

    (found,) = of_json(shell("cancellations", "list", "--json"))

    assert (found["service_id"], found["state"]) == (11, "scheduled")
    assert found["ends"] in found["because"]
    shown = of_json(shell("cancellations", "show", "service:11", "--json"))
    keys = {"id", "service_id", "client_id", "kind", "ends", "at", "state", "because"}
    assert keys <= set(shown)


def test_a_day_before_its_end_nothing_is_due_and_on_the_day_it_is(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    (found,) = of_json(shell("cancellations", "list", "--json"))

    before = of_json(shell("cancellations", "due", "--as-of", "2026-11-30", "--json"))
    after = of_json(shell("cancellations", "due", "--as-of", found["ends"], "--json"))

    assert before == []
    assert [row["id"] for row in after] == [found["id"]]


def test_a_withdrawn_cancellation_ends_nothing_and_the_client_is_told(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()

    shell("cancellations", "withdraw", "service:11", "--yes")
    kit.work()
    kit.advance(days=40)

    assert kit.panel.terminations[11] == 0
    assert "cancellation_withdrawn" in [m["message"] for m in kit.sent]


@pytest.mark.parametrize("answer", ["n\n", "y\n"], ids=["no", "yes"])
def test_a_command_lets_go_of_the_store_however_it_ends(shell, kit, answer):
    kit.world.request_cancellation(11)
    kit.work()
    before = set(threading.enumerate())

    status = 0 if answer == "y\n" else 1
    shell("cancellations", "withdraw", "service:11", status=status, text=answer)

    assert set(threading.enumerate()) <= before


def test_staff_can_run_a_cancellation_now_and_only_once(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()

    result = shell("cancellations", "run", "service:11", "--yes")
    again = shell("cancellations", "run", "service:11", "--yes", status=1)

    assert "done" in result.output
    assert "nothing to run" in again.output
    assert kit.panel.terminations[11] == 1


def test_what_was_withdrawn_while_the_question_stood_is_not_run(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    asked_about = cancellation(kit, 11)
    shell("cancellations", "withdraw", "service:11", "--yes")

    with pytest.raises(click.ClickException, match="It is withdrawn by now"):
        run_now(kit.bridge, asked_about)

    assert cancellation(kit, 11).state == "withdrawn"
    assert cancellation(kit, 11).approved_by is None
    assert kit.panel.terminations[11] == 0


def test_what_could_not_be_carried_out_by_hand_says_who_goes_on_with_it(
    kit, shell, panel
):
    kit.world.request_cancellation(11)
    kit.work()
    panel.faults.add("GetClientsProducts", "html_500", 1)
    said = shell("cancellations", "run", "service:11", "--yes", status=1).output

    assert "The running bridge looks at it again at" in said
    assert "cancellations withdraw 1" in said


def begun_elsewhere(kit, service_id):
    """Let another process have taken the step that ends a service, and be gone."""
    kit.world.request_cancellation(service_id)
    kit.work()
    key = f"cancellation:{service_id}:1/terminate"
    now, lease = kit.clock.now(), timedelta(minutes=15)
    kit.bridge.store.write(lambda db: claims.claim_one(db, key, now, lease))


def test_nobody_is_said_to_finish_a_step_when_no_bridge_runs(shell, kit):
    begun_elsewhere(kit, 11)

    result = shell("cancellations", "run", "service:11", "--yes", status=1)

    assert "No bridge runs" in result.output
    assert "run this again" in result.output
    assert kit.panel.terminations[11] == 0


def test_a_running_bridge_is_said_to_finish_what_another_process_began(shell, kit):
    begun_elsewhere(kit, 11)
    kit.bridge.schedule().heartbeat()

    result = shell("cancellations", "run", "service:11", "--yes")

    assert "the running bridge finishes it" in result.output
    assert kit.panel.terminations[11] == 0


def test_a_dry_run_of_a_termination_looks_in_the_panel(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    words = ("cancellations", "run", "service:11", "--dry-run")

    sound = shell(*words)
    kit.world.cancellations.clear()
    gone = shell(*words, status=1)
    kit.world.services[11].status = "Terminated"
    ended = shell(*words, status=1)

    assert "would end now: " in sound.output
    assert "the panel does not list the request" in gone.output
    assert "the service is Terminated already" in ended.output
    assert kit.panel.count("ModuleTerminate") == 0


def test_an_interrupt_in_a_termination_does_not_say_that_nothing_happened(shell, kit):
    kit.world.request_cancellation(11)
    kit.work()
    called, answered = threading.Event(), threading.Event()
    kit.panel.sleep = lambda _: (called.set(), answered.wait(20))
    kit.panel.faults.add("ModuleTerminate", "slow", seconds=5)
    env = os.environ | {"PYTHONPATH": str(CONFIG.parent)}
    told_to = ["cancellations", "run", "service:11", "--yes"]

    running = subprocess.Popen(
        [sys.executable, "-m", "bridge", *told_to],
        stderr=subprocess.PIPE,
        env=env,
        text=True,
    )
    assert called.wait(20)
    running.send_signal(signal.SIGINT)
    told = running.communicate(timeout=20)[1]
    answered.set()

    assert running.returncode == 130
    assert "the service may have ended" in told
    assert "lost" not in told


def test_held_terminations_wait_even_by_hand_and_run_when_released(shell, kit):
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    shell("cancellations", "hold", "--reason", "a stolen secret")
    kit.clock.advance(timedelta(hours=12))
    kit.work()
    by_hand = shell("cancellations", "run", "service:2", "--yes", status=1)
    listed = shell("cancellations", "list")
    examined = shell("doctor")
    assert kit.panel.count("ModuleTerminate") == 0
    for said in (by_hand, listed, examined):
        assert "a stolen secret" in said.output

    released = shell("cancellations", "release", "--yes")
    kit.work()

    assert "run again" in released.output
    assert kit.panel.terminations[2] == 1
    assert "were not held" in shell("cancellations", "release").output


def test_a_run_that_failed_gives_the_cancellation_its_own_day_again(shell, kit):
    kit.world.request_cancellation(2)
    kit.work()
    (before,) = of_json(shell("cancellations", "list", "--json"))
    kit.world.move_service(2, 5)
    shell("cancellations", "run", "service:2", "--yes", status=1)
    kit.world.move_service(2, 2)

    (after,) = of_json(shell("cancellations", "list", "--json"))
    names = ("kind", "ends", "at", "because")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert after["state"] == "staff"


def test_while_it_is_not_known_whether_it_ended_nobody_ends_it_again(shell, kit):
    kit.world.request_cancellation(2)
    kit.work()
    kit.panel.faults.add("ModuleTerminate", "acts_but_loses_the_answer")
    shell("cancellations", "run", "service:2", "--yes", status=1)
    kit.world.services[2].status = "Active"  # as while the server is still at work
    again = shell("cancellations", "run", "service:2", "--yes", status=1)

    assert "looked at again at" in again.output
    assert kit.panel.terminations[2] == 1


def test_with_a_clock_behind_the_store_nothing_ends_by_hand(shell, kit):
    kit.world.request_cancellation(2)
    kit.work()
    kit.clock.set(kit.clock.now() - timedelta(hours=1))

    with pytest.raises(StoreUnavailable, match="clock is behind the store"):
        shell("cancellations", "run", "service:2", "--yes")
    assert kit.panel.count("ModuleTerminate") == 0


def test_a_cancellation_without_a_period_can_be_run_by_staff(shell, kit):
    kit.world.request_cancellation(8)
    kit.work()
    (found,) = of_json(shell("cancellations", "list", "--json"))
    assert (found["state"], found["ends"]) == ("staff", None)

    shell("cancellations", "run", "service:8", "--yes")

    assert kit.world.services[8].status in ("Terminated", "Cancelled")


def test_reconcile_takes_up_a_request_whose_hook_never_came(shell, kit):
    with kit.world.muted():
        kit.world.request_cancellation(11)

    dry = of_json(shell("reconcile", "--dry-run", "--json"))
    shell("reconcile")
    kit.work()

    assert [one["what"] for one in dry["differences"]] == ["taken up"]
    (found,) = of_json(shell("cancellations", "list", "--json"))
    assert found["service_id"] == 11


def test_events_answer_why_nothing_was_sent(shell, kit):
    kit.world.edit_client(1, phonenumber="")
    kit.world.suspend(1, "Overdue on Payment")
    kit.work()

    rows = of_json(
        shell("events", "list", "--hookpoint", "AfterModuleSuspend", "--json")
    )
    found = of_json(shell("events", "show", rows[0]["id"], "--json"))

    assert found["reason"] == "client 1 has no telephone in his profile"
    keys = {"id", "hookpoint", "state", "reason", "jobs", "messages"}
    assert keys <= set(found)
    assert "service(1): ok" in found["jobs"][0]["tries"][0]["calls"]


def test_what_ended_a_service_is_told_in_words_with_the_day_of_each_try(shell, kit):
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.advance(timedelta(hours=12))
    kit.work()
    (event,) = of_json(
        shell("events", "list", "--hookpoint", "CancellationRequest", "--json")
    )

    shown = shell("events", "show", event["id"]).stdout
    row = shell("cancellations", "show", "service:2").stdout

    assert 'data: {"userid": 2, "relid": 2, ' in shown
    assert (
        "\nterminate_service (cancel-now): done: terminate_service: service 2: "
        in shown
    )
    assert "  try 1 at 2026-11-03 01:00:00 UTC: done\n" in shown
    assert "           at: 2026-11-02 23:00 UTC\n" in row
    assert "  try 1 at 2026-11-03 01:00 UTC: done\n" in row


def test_an_event_shows_the_text_that_was_sent(shell, kit):
    kit.world.suspend(1, "Overdue on Payment")
    kit.work()
    rows = of_json(shell("events", "list", "--json"))

    found = of_json(shell("events", "show", rows[0]["id"], "--json"))

    (message,) = found["messages"]
    assert "Overdue on Payment" in message["text"]
    assert set(message) >= {"to", "text", "state"}


def test_a_parked_step_runs_again_when_its_cause_is_mended(shell, kit):
    kit.panel.permissions = {"WhmcsDetails", "LogActivity"}
    kit.world.suspend(1, "Overdue on Payment")
    kit.work()
    (event,) = of_json(shell("events", "list", "--status", "parked", "--json"))
    kit.panel.permissions = None

    shell("events", "retry", event["id"])
    kit.work()

    assert [m["message"] for m in kit.sent] == ["service_suspended"]


def test_a_replayed_event_goes_through_the_map_again(shell, kit):
    kit.world.suspend(1, "Overdue on Payment")
    kit.work()
    (event,) = of_json(shell("events", "list", "--json"))

    shell("events", "replay", event["id"])
    kit.work()

    assert len(kit.sent) == 2


def many(kit, count):
    """Return so many events, as a listing of the store gives them."""
    kit.world.suspend(1, "Overdue on Payment")
    kit.flush()
    (row,) = kit.events()
    return [replace(inbox.event_of(row), id=f"old-{n}") for n in range(count)]


def test_a_replay_that_is_stopped_says_how_far_it_came(kit, capsys):
    events, reached = many(kit, 450), []

    def stop(done, total):
        reached.append((done, total))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_again(kit.bridge.store, events, stop)

    again = [row.id for row in kit.events() if "~" in row.id]
    told = capsys.readouterr().err
    assert reached == [(len(again), 450)]
    assert 0 < len(again) < 450
    assert f"Stopped: {len(again)} of 450 were put in again" in told
    assert f"the last of them old-{len(again) - 1}." in told


def test_a_replay_keeps_the_order_of_what_is_replayed(kit):
    events = many(kit, 300)
    put_again(kit.bridge.store, events)

    again = [row for row in kit.events() if "~" in row.id]
    came = sorted(again, key=lambda row: row.received_at)
    assert [row.id.partition("~")[0] for row in came] == [one.id for one in events]
    assert len({row.received_at for row in came}) == 300


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_what_is_not_replayed_is_told_with_the_reason(shell, kit, more):
    body = b'{"type": "ShoppingCartValidateUpgrade", "data": {"id": 2, "pid": 22}}'
    headers = kit.headers("asked", body)
    kit.client().post("/decisions/whmcs", data=body, headers=headers)
    result = shell("events", "replay", "asked", "nowhere", *more, status=1)

    assert "asked is a question of the panel: it was answered." in result.output
    assert 'There is no event "nowhere" to replay.' in result.output
    assert len(kit.events()) == 1


def test_a_replayed_cancellation_stays_one(shell, kit):
    kit.world.request_cancellation(11, "Immediate")
    kit.work()
    (event,) = of_json(shell("events", "list", "--json"))

    shell("events", "replay", event["id"])
    kit.work()
    kit.advance(hours=12)

    assert kit.panel.terminations[11] == 1


def test_doctor_finds_a_sound_bridge(shell):
    found = of_json(shell("doctor", "--json"))

    levels = {one["about"]: one["level"] for one in found}
    assert levels["settings"] == "ok"
    assert levels["panel"] == "ok"
    assert levels["cancellations"] == "ok"
    assert "error" not in levels.values()


def test_doctor_says_how_far_the_clock_is_from_the_panels(shell, kit):
    silent = shell("doctor").output
    kit.panel.dated = Clock(kit.clock.now() - timedelta(minutes=10))

    told = shell("doctor", status=1).output

    assert "! clock: the panel does not tell its time" in silent
    assert "✗ clock: +60" in told


def test_doctor_says_that_a_clock_behind_the_store_makes_acting_pause(shell, kit):
    kit.world.change_password(1)
    kit.flush()
    kit.clock.set(kit.clock.now() - timedelta(minutes=6))

    result = shell("doctor", status=1)

    assert "✗ clock: the clock is behind the store" in result.output


@pytest.mark.parametrize(("token", "status"), [(TOKEN, 0), ("another", 1)])
def test_doctor_asks_the_whatsapp_provider(token, status, shell, monkeypatch):
    stub = CloudStub()
    stub.webhook = "http://127.0.0.1:9/whatsapp/cloud"
    with StubServer(stub) as server:
        given = {
            "BRIDGE_PUBLIC_URL": "http://127.0.0.1:9",
            "WHATSAPP_PROVIDER": "cloud",
            "WHATSAPP_CLOUD_URL": server.url,
            "WHATSAPP_CLOUD_TOKEN": token,
            "WHATSAPP_CLOUD_NUMBER_ID": NUMBER_ID,
            "WHATSAPP_CLOUD_WABA_ID": WABA_ID,
            "WHATSAPP_CLOUD_APP_SECRET": "secret",
            "WHATSAPP_CLOUD_VERIFY_TOKEN": "verify",
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)

        found = of_json(shell("doctor", "--json", status=status))

    about = [one for one in found if one["about"] == "whatsapp"]
    assert any("webhooks come here" in one["what"] for one in about) == (status == 0)
    assert ("error" in {one["level"] for one in about}) == (status == 1)


@pytest.mark.parametrize(
    ("allow", "public", "level", "said"),
    [
        ("127.0.0.0/8,::1", "", "ok", "1 operator, open to 127.0.0.0/8, ::1"),
        ("192.0.2.0/24", "https://b.example", "ok", "open to 192.0.2.0/24"),
        ("192.0.2.0/24", "", "warning", "passwords could be read"),
    ],
)
def test_doctor_says_who_may_open_the_console(
    allow, public, level, said, shell, monkeypatch
):
    none = of_json(shell("doctor", "--json"))
    password = "correct horse battery\n"
    shell("operators", "add", "ana", "--password-stdin", text=password)
    monkeypatch.setenv("BRIDGE_CONSOLE_ALLOW", allow)
    monkeypatch.setenv("BRIDGE_PUBLIC_URL", public)

    found = of_json(shell("doctor", "--json"))

    [before] = [one for one in none if one["about"] == "console"]
    [after] = [one for one in found if one["about"] == "console"]
    assert before["what"].startswith("off: no operators")
    assert (after["level"], said in after["what"]) == (level, True)


def test_doctor_finds_the_panels_own_automation(shell, kit):
    kit.world.config["AutoCancellationRequests"] = "on"

    result = shell("doctor", status=1)

    assert "Cancellation Requests off" in result.output


def test_doctor_finds_another_form_of_dates(shell, kit):
    kit.world.config["DateFormat"] = "MM/DD/YYYY"

    result = shell("doctor", status=1)

    assert "the panel writes MM/DD/YYYY" in result.output


def test_doctor_names_the_address_that_the_panel_denies(shell, kit):
    kit.panel.allowed_ips = {"203.0.113.9"}

    result = shell("doctor", status=1)

    assert "127.0.0.1" in result.output
    assert "API IP Access Restriction" in result.output


READING = ("GetClients", "GetClientsDetails", "GetInvoice", "GetCancelledPackages")


@pytest.mark.parametrize("action", READING)
def test_doctor_names_a_reading_action_that_the_role_does_not_allow(action, shell, kit):
    kit.panel.permissions = {*WhmcsClient.actions} - {action}

    result = shell("doctor", status=1)

    assert f"the API role does not allow {action}\n" in result.output


def test_doctor_counts_no_reading_action_among_those_that_change_something(shell):
    (said,) = (
        one["what"]
        for one in of_json(shell("doctor", "--json"))
        if "not tried" in one["what"]
    )

    assert "Get" not in said


def test_a_panel_that_is_away_is_exit_status_four(shell, panel_server):
    panel_server.stop()

    shell("doctor", status=4)
    assert failing("upgrade", "quote", "1", "--to", "22") == 4


TOLD = [
    *("ClientAdd", "ClientEdit", "ClientChangePassword", "UserChangePassword"),
    *("InvoiceCreated", "InvoicePaid", "InvoiceCancelled", "InvoicePaymentReminder"),
    *("AfterModuleCreate", "AfterModuleSuspend", "AfterModuleUnsuspend"),
    *("AfterModuleTerminate", "CancellationRequest", "QuoteStatusChange"),
    *("DomainDelete", "AfterProductUpgrade"),
]


@pytest.mark.parametrize("hookpoint", TOLD)
def test_made_up_data_show_a_text_for_each_alert_of_the_default_map(hookpoint, shell):
    found = of_json(shell("try", hookpoint, "--sample", "--json"))

    assert found["messages"]


def test_made_up_data_show_the_price_of_a_plan_change(shell):
    found = of_json(shell("try", "OrderProductUpgradeOverride", "--sample", "--json"))

    assert found["answer"]["return"] == {"price": "50.00", "discount": "0.00"}


def test_try_shows_the_finished_text_and_sends_nothing(shell, kit):
    result = shell("try", "InvoiceCreated", "--set", "invoiceid=1", "--json")

    found = of_json(result)
    assert found["messages"][0]["name"] == "invoice_created"
    assert kit.sent == []
    assert kit.world.count("invoice", actor="api") == 0


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("--set", "params.serviceid=4"), "done"),
        (("--set", "params.serviceid=4", "--set", "params.userid=4"), "done"),
        (("--set", "params.serviceid=4", "--set", "params.userid=1"), "parked"),
    ],
    ids=["service", "with its client", "with another's"],
)
def test_who_names_a_service_need_not_know_its_client(words, state, shell):
    status = 1 if state == "parked" else 0
    result = shell("try", "AfterModuleCreate", *words, "--json", status=status)

    assert of_json(result)["jobs"][0]["state"] == state


def test_try_with_a_mistyped_hookpoint_names_the_right_one(shell):
    result = shell("try", "InvoiceCreate", status=2)

    assert 'Did you mean "InvoiceCreated"?' in result.output


def test_check_prints_problems_for_an_editor(shell, monkeypatch, tmp_path):
    bad = tmp_path / "hooks.yaml"
    text = (CONFIG / "hooks.yaml").read_text(encoding="utf-8")
    bad.write_text(text.replace("send_alert", "send_alrt", 1), encoding="utf-8")

    result = shell("check", str(bad), "--format", "github", status=1)

    assert "::error file=" in result.stdout
    assert 'did you mean "send_alert"' in result.stdout


def test_every_problem_of_an_environment_stops_the_start_in_one_list(
    shell, monkeypatch, capsys
):
    monkeypatch.setenv("BRIDGE_WORKERS", "many")
    monkeypatch.setenv("BRIDGE_TIMEZONE", "Mars/Olympus")
    monkeypatch.delenv("WHMCS_API_SECRET")

    status = failing("run")

    told = capsys.readouterr().err
    assert status == 3
    for name in ("BRIDGE_WORKERS", "BRIDGE_TIMEZONE", "WHMCS_API_SECRET"):
        assert name in told


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_the_roles_apart_are_refused_on_sqlite(shell, monkeypatch, capsys, command):
    monkeypatch.setenv("BRIDGE_DATABASE_URL", "sqlite:///other.db")

    assert failing(command) == 3
    assert "PostgreSQL" in capsys.readouterr().err


def test_init_overwrites_nothing(shell, tmp_path):
    shell("init")
    (tmp_path / ".env").write_text("MINE=1\n", encoding="utf-8")

    shell("init")

    assert (tmp_path / ".env").read_text(encoding="utf-8") == "MINE=1\n"


def test_init_keeps_its_secret_to_itself(shell, tmp_path):
    shell("init")

    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_sound_and_never_overwrites(shell, kit, tmp_path, database_url):
    if not database_url.startswith("sqlite"):
        assert failing("db", "backup", "copy.db") == 1
        return
    kit.world.suspend(1, "x")
    kit.work()

    shell("db", "backup", "copy.db")

    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert failing("db", "backup", "copy.db") == 1


def test_notify_names_what_is_wrong_with_a_number(shell):
    result = shell("notify", "test", "--to", "12", status=2)

    assert "Invalid value for --to" in result.output


def test_commands_that_only_read_files_start_quickly_and_lightly(shell):
    code = (
        "import sys; from bridge.cli import main\n"
        "try: main(['check'])\n"
        "except SystemExit: pass\n"
        "heavy = {'flask', 'sqlalchemy', 'requests'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    env = os.environ | {"PYTHONPATH": str(CONFIG.parent)}

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )

    assert "heavy: []" in done.stdout


def test_the_clock_of_these_tests_is_the_simulated_one():
    with time_machine.travel(MORNING, tick=False):
        assert time.time() == MORNING.timestamp()


def test_the_question_of_an_order_does_not_mix_with_its_json(shell, kit):
    words = ("upgrade", "order", "1", "--to", str(PLAN_150), "--json")

    result = shell(*words, text="y\n")

    assert of_json(result)["state"] == "invoiced"
    assert "to pay" in result.stderr


def test_a_quote_shows_money_with_its_currencys_decimals(shell):
    result = shell("upgrade", "quote", "1", "--to", str(PLAN_150))

    assert " 150.00  " in result.stdout
    assert "150.0000" not in result.stdout


def test_try_with_a_panel_that_is_away_is_exit_status_four(shell, panel_server):
    panel_server.stop()

    result = shell("try", "InvoiceCreated", "--set", "invoiceid=1", status=4)

    assert "The panel could not be asked: whmcs: unreachable" in result.stderr


def test_try_asks_a_panel_that_is_away_once(shell, panel_server):
    panel_server.stop()

    result = shell("try", "ClientAdd", "--set", "userid=1", "--json", status=4)

    assert [len(job["tries"]) for job in of_json(result)["jobs"]] == [1]


def test_try_with_denied_credentials_is_exit_status_four(shell, monkeypatch):
    monkeypatch.setenv("WHMCS_API_SECRET", "another")

    result = shell("try", "InvoiceCreated", "--set", "invoiceid=1", status=4)

    assert "denied credentials" in result.stderr


def test_try_of_a_decision_with_a_panel_that_is_away_is_exit_status_four(
    shell, panel_server
):
    panel_server.stop()
    words = ("--set", "context.service_id=1")

    result = shell("try", "OrderProductUpgradeOverride", *words, status=4)

    assert "unreachable" in result.stderr


def test_a_quote_to_the_same_plan_says_that_he_has_it(shell):
    result = shell("upgrade", "quote", "1", "--to", str(PLAN_100), status=1)

    assert "Refused (same_plan)" in result.output
    assert "el plan que el servicio ya tiene" in result.output
