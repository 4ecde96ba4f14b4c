"""What goes wrong on purpose, over a real socket where it has to."""

import http.client
import json
import threading
from urllib.parse import urlencode

import pytest
import requests
from werkzeug.test import Client

from bridge.demo.panel import IDENTIFIER, PATH, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.panel_wire import HttpWire

BRUNOS_PLAN = 2


@pytest.fixture
def server(panel):
    panel.sleep = lambda seconds: None
    with PanelServer(panel) as running:
        yield running


def post(server, action, **params):
    form = {"action": action, "identifier": IDENTIFIER, "secret": SECRET}
    form |= {"responsetype": "json", **params}
    return requests.post(server.url + PATH, data=form, timeout=5, allow_redirects=False)


def test_a_call_over_a_socket_is_answered(server):
    answer = post(server, "GetInvoice", invoiceid=1)

    assert answer.json()["invoiceid"] == 1
    assert answer.headers["Content-Type"] == "application/json"


def test_a_connection_is_kept(server):
    form = {"action": "WhmcsDetails", "identifier": IDENTIFIER, "secret": SECRET}
    body = urlencode({**form, "responsetype": "json"})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    line = http.client.HTTPConnection(server.url.removeprefix("http://"))
    line.connect()
    own_end = line.sock.getsockname()

    for _ in range(3):
        line.request("POST", PATH, body, headers)
        assert line.getresponse().read()

    assert line.sock.getsockname() == own_end
    line.close()


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("html_500", 500, "<!DOCTYPE html>"),
        ("empty", 200, ""),
        ("null", 200, "null"),
        ("wrong_type", 200, "["),
        ("http", 503, "<!DOCTYPE html>"),
        ("redirect", 302, ""),
    ],
)
def test_a_spoilt_answer_and_nothing_done(server, panel, world, kind, status, body):
    panel.faults.add("ModuleTerminate", kind)

    answer = post(server, "ModuleTerminate", serviceid=BRUNOS_PLAN)

    assert (answer.status_code, answer.text[: len(body)]) == (status, body)
    assert world.services[BRUNOS_PLAN].status == "Active"
    assert panel.count("ModuleTerminate") == 1


def test_a_warning_stands_before_the_json(server, panel):
    panel.faults.add("WhmcsDetails", "warning_text")

    text = post(server, "WhmcsDetails").text

    assert text.startswith("<br />\n<b>Warning</b>")
    assert json.loads(text[text.index("{") :])["result"] == "success"


def test_a_cut_answer_breaks_off(server, panel):
    panel.faults.add("WhmcsDetails", "cut")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(server, "WhmcsDetails")


def test_it_acts_and_loses_the_answer(server, panel, world):
    panel.faults.add("ModuleTerminate", "acts_but_loses_the_answer")

    with pytest.raises(requests.ConnectionError):
        post(server, "ModuleTerminate", serviceid=BRUNOS_PLAN)

    assert world.services[BRUNOS_PLAN].status == "Terminated"
    assert panel.terminations == {BRUNOS_PLAN: 1}


def test_an_outage_turns_every_call_away_until_it_ends(server, panel):
    with panel.faults.outage_now(), pytest.raises(requests.ConnectionError):
        post(server, "WhmcsDetails")

    assert post(server, "WhmcsDetails").ok
    assert panel.faults.turned_away >= 1
    assert panel.count("WhmcsDetails") == 1


def test_a_dribbled_answer_arrives_whole(server, panel):
    panel.faults.add("WhmcsDetails", "dribble", seconds=0)

    assert post(server, "WhmcsDetails").json()["result"] == "success"


def test_a_bomb_is_small_on_the_wire_and_big_unpacked(server, panel):
    panel.faults.add("WhmcsDetails", "bomb", size=1 << 20)

    answer = post(server, "WhmcsDetails")

    assert int(answer.headers["Content-Length"]) < 1 << 12
    assert len(answer.content) == 1 << 20


def test_a_slow_answer_is_held_back_by_so_many_seconds(panel):
    waited = []
    panel.sleep = waited.append
    panel.latency = 0.1
    panel.faults.add("WhmcsDetails", "slow", seconds=30)

    with PanelServer(panel) as running:
        post(running, "WhmcsDetails")
        post(running, "WhmcsDetails")

    assert waited == [30.1, 0.1]


def test_too_many_calls_are_told_how_long_to_wait(server, panel):
    panel.faults.add("*", "http", status=429, retry_after=7)

    answer = post(server, "WhmcsDetails")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_business_error_has_status_200(server, panel):
    panel.faults.add("GetInvoice", "error", message='The "server" is down')

    answer = post(server, "GetInvoice", invoiceid=1)

    assert answer.json() == {"result": "error", "message": 'The "server" is down'}


def test_an_answer_about_another_service(call, panel):
    panel.faults.add("GetClientsProducts", "wrong_service")

    answer = call("GetClientsProducts", serviceid=5)

    assert answer["products"]["product"][0]["id"] == "1"


def test_no_fault_makes_a_write_hit_another_service(call, panel, world):
    panel.faults.add("ModuleTerminate", "wrong_service")

    call("ModuleTerminate", serviceid=5)

    assert world.services[5].status == "Terminated"
    assert world.services[1].status == "Active"


def test_a_fault_hits_as_many_calls_of_its_action_as_it_says(call, panel):
    fault = panel.faults.add("GetInvoice", "error", 2)

    results = [call("GetInvoice", invoiceid=1)["result"] for _ in range(3)]

    assert results == ["error", "error", "success"]
    assert call("WhmcsDetails")["result"] == "success"
    assert fault.met == 2


def test_a_fault_without_a_number_lasts_until_it_is_cleared(call, panel):
    panel.faults.add("GetInvoice", "error", None)
    before = [call("GetInvoice", invoiceid=1)["result"] for _ in range(3)]

    panel.faults.clear()

    assert before == ["error"] * 3
    assert call("GetInvoice", invoiceid=1)["result"] == "success"


def test_an_unknown_fault_is_refused(panel):
    with pytest.raises(ValueError, match="no fault 'explode'"):
        panel.faults.add("GetInvoice", "explode")


def test_mounted_as_wsgi_a_broken_connection_is_an_exception(panel: Panel, call):
    panel.faults.add("WhmcsDetails", "acts_but_loses_the_answer")

    with pytest.raises(ConnectionResetError):
        call("WhmcsDetails")


def test_another_address_is_not_found(panel):
    assert Client(panel).post("/admin/").status_code == 404


def test_many_connections_at_once_are_all_counted(server, panel):
    threads = [
        threading.Thread(target=post, args=(server, "WhmcsDetails")) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert panel.count("WhmcsDetails") == 40


def test_the_addons_own_line_is_kept_too(server):
    wire = HttpWire(server.url)
    ends = []

    for _ in range(2):
        wire.send("POST", "/elsewhere", b"{}", {"Content-Length": "2"}, 5)
        ends.append(wire.local_address())

    wire.close()
    assert ends[0] == ends[1] is not None


def test_a_kept_line_that_died_is_made_anew(panel):
    with PanelServer(panel) as first:
        port = int(first.url.rpartition(":")[2])
        wire = HttpWire(first.url)
        wire.send("GET", "/", b"", {}, 5)

    with PanelServer(panel, port=port):
        answer = wire.send("GET", "/", b"", {}, 5)

    wire.close()
    assert answer.status == 404
