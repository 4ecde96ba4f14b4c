"""The WHMCS client: recorded answers, odd answers, errors, and what is sent."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest

from bridge.billing.model import Cycle
from bridge.errors import NoModule, Reason, RemoteError
from bridge.transport import Answer, Call
from bridge.whmcs_client import WhmcsClient

FIXTURES = Path(__file__).parent / "fixtures" / "panels" / "whmcs"
CASES = sorted(FIXTURES.glob("*/*.json"))
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
OURS = ("identifier", "secret", "accesskey", "responsetype")


class FakeTransport:
    """Gives the prepared answers in turn, the last one again and again."""

    def __init__(self, *answers: Answer | RemoteError) -> None:
        self.answers = answers
        self.calls: list[Call] = []
        self.options: list[dict[str, Any]] = []

    def send(self, call: Call, **options: Any) -> Answer:
        self.calls.append(call)
        self.options.append(options)
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if isinstance(answer, RemoteError):
            raise answer
        return answer

    @property
    def forms(self) -> list[dict[str, str]]:
        """What was sent, apart from credentials."""
        return [
            {k: v for k, v in parse_qsl(call.body.decode(), True) if k not in OURS}
            for call in self.calls
        ]


def saying(told: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(told).encode())


def client_of(transport: FakeTransport, **more: Any) -> WhmcsClient:
    more = {"zone": ZONE, "now": lambda: NOW, **more}
    return WhmcsClient(
        transport, "https://panel.example/billing/", "ident-1", "s3cret", **more
    )


def ask(client: WhmcsClient, method: str, *args: Any) -> Any:
    cycles = {"native_upgrade_price": lambda a, b, c, d: (a, b, Cycle(c), d)}
    return getattr(client, method)(*cycles.get(method, lambda *all_: all_)(*args))


def plain(value: Any) -> Any:
    """Turn what came back into what a JSON file can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, Cycle)) else value


def trimmed(value: Any, like: Any) -> Any:
    """Keep of each value the fields that the file speaks of."""
    if isinstance(like, list) and isinstance(value, list) and len(like) == len(value):
        return [trimmed(v, w) for v, w in zip(value, like, strict=True)]
    if isinstance(like, dict) and isinstance(value, dict) and "id" in value:
        return {key: value.get(key, "missing") for key in like}
    return value


def failure(call: Any, *args: Any, **more: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        call(*args, **more)
    error = caught.value
    assert "s3cret" not in f"{error!r}{error}"
    assert "ident-1" not in f"{error!r}{error}"
    return error


# Recorded answers


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recorded_answer_is_read_as_its_file_says(path):
    case = json.loads(path.read_text("utf-8"))
    transport = FakeTransport(*map(saying, case["answers"]))
    client = client_of(transport)

    try:
        told = ask(client, *case["call"])
    except RemoteError as error:
        told = error

    assert {form["action"] for form in transport.forms} == {path.parent.name}
    assert len(transport.calls) == len(case["answers"])
    assert case["sent"] in ([], transport.forms)
    assert "MARKED" not in f"{told!r}{told}{vars(client)!r}"
    if "error" in case:
        assert isinstance(told, RemoteError)
        assert told.reason.value == case["error"]["reason"]
        assert case["error"]["says"] in told.detail
    else:
        assert trimmed(plain(told), case["value"]) == case["value"]


def test_each_reading_action_has_a_recorded_answer():
    recorded = {path.parent.name for path in CASES}

    reading = {name for name in WhmcsClient.actions if name.startswith("Get")}
    assert reading | {"WhmcsDetails", "UpgradeProduct"} == recorded


def test_a_deep_copy_of_everything_returned_holds_no_password():
    row = json.loads((FIXTURES / "GetClientsProducts" / "whole.json").read_text())
    assert "MARKED-PASSWORD" in json.dumps(row["answers"])

    service = client_of(FakeTransport(saying(row["answers"][0]))).service(7)

    assert "MARKED" not in repr(dataclasses.asdict(service))


# What is sent


def test_a_call_goes_to_the_api_with_credentials_and_asks_for_json():
    transport = FakeTransport(saying({"result": "success", "whmcs": {"version": "9"}}))

    client_of(transport, access_key="k&y", timeout=7.0).version()

    call = transport.calls[0]
    assert call.url == "https://panel.example/billing/includes/api.php"
    assert call.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert dict(parse_qsl(call.body.decode())) == {
        "identifier": "ident-1",
        "secret": "s3cret",
        "accesskey": "k&y",
        "responsetype": "json",
        "action": "WhmcsDetails",
    }
    assert transport.options[0] == {
        "deadline": 7.0,
        "idempotent": True,
        "service": "whmcs",
    }


def test_another_deadline_leaves_the_first_client_as_it_is():
    transport = FakeTransport(saying({"result": "success", "whmcs": {"version": "9"}}))
    client = client_of(transport)

    client.with_deadline(2.0).version()
    client.version()

    assert [options["deadline"] for options in transport.options] == [2.0, 30.0]


DONE = {"result": "success"}
WRITES = [
    (
        lambda c: c.terminate(7),
        DONE,
        {"action": "ModuleTerminate", "serviceid": "7"},
    ),
    (
        lambda c: c.change_package(7),
        DONE,
        {"action": "ModuleChangePackage", "serviceid": "7"},
    ),
    (
        lambda c: c.set_service_status(7, "Cancelled"),
        {**DONE, "serviceid": "7"},
        {"action": "UpdateClientProduct", "serviceid": "7", "status": "Cancelled"},
    ),
    (
        lambda c: c.change_service(
            7,
            product_id=22,
            cycle=Cycle.SEMIANNUALLY,
            recurring=Decimal("1E+3"),
            next_due=date(2027, 1, 31),
        ),
        {**DONE, "serviceid": 7},
        {
            "action": "UpdateClientProduct",
            "serviceid": "7",
            "pid": "22",
            "billingcycle": "Semi-Annually",
            "recurringamount": "1000",
            "nextduedate": "2027-01-31",
        },
    ),
    (
        lambda c: c.change_service(
            7, product_id=22, cycle=Cycle.MONTHLY, recurring=Decimal("10.50")
        ),
        DONE,
        {
            "action": "UpdateClientProduct",
            "serviceid": "7",
            "pid": "22",
            "billingcycle": "Monthly",
            "recurringamount": "10.50",
        },
    ),
    (
        lambda c: c.set_custom_fields(7, {3: "sí"}),
        DONE,
        {
            "action": "UpdateClientProduct",
            "serviceid": "7",
            "customfields": base64.b64encode('a:1:{i:3;s:3:"sí";}'.encode()).decode(),
        },
    ),
    (
        lambda c: c.create_draft_invoice(
            1,
            description="Diferencia Ñ",
            amount=Decimal("50.00"),
            day=date(2026, 12, 1),
            due=date(2026, 12, 8),
            notes="key 1",
        ),
        {**DONE, "invoiceid": "101", "status": "Draft"},
        {
            "action": "CreateInvoice",
            "userid": "1",
            "draft": "1",
            "sendinvoice": "0",
            "autoapplycredit": "0",
            "date": "2026-12-01",
            "duedate": "2026-12-08",
            "notes": "key 1",
            "itemdescription1": "Diferencia Ñ",
            "itemamount1": "50.00",
            "itemtaxed1": "0",
        },
    ),
    (
        lambda c: c.publish_invoice(101),
        {**DONE, "invoiceid": 101},
        {"action": "UpdateInvoice", "invoiceid": "101", "publishandsendemail": "1"},
    ),
    (
        lambda c: c.cancel_invoice(101),
        {**DONE, "invoiceid": "101"},
        {"action": "UpdateInvoice", "invoiceid": "101", "status": "Cancelled"},
    ),
    (
        lambda c: c.request_cancellation(7, immediate=True, reason="x"),
        {**DONE, "serviceid": "7", "userid": "1"},
        {
            "action": "AddCancelRequest",
            "serviceid": "7",
            "type": "Immediate",
            "reason": "x",
        },
    ),
    (
        lambda c: c.request_cancellation(7, immediate=False, reason=""),
        DONE,
        {
            "action": "AddCancelRequest",
            "serviceid": "7",
            "type": "End of Billing Period",
            "reason": "",
        },
    ),
    (
        lambda c: c.stop_renewal(3),
        {**DONE, "domainid": "3"},
        {"action": "UpdateClientDomain", "domainid": "3", "donotrenew": "1"},
    ),
    (
        lambda c: c.open_ticket(department=2, subject="s", message="m", client_id=1),
        {**DONE, "id": "9", "tid": "ABC-123456", "c": "x"},
        {
            "action": "OpenTicket",
            "deptid": "2",
            "subject": "s",
            "message": "m",
            "clientid": "1",
        },
    ),
    (
        lambda c: c.open_ticket(department=2, subject="s", message="m", client_id=None),
        {**DONE, "id": 9, "tid": 123456},
        {
            "action": "OpenTicket",
            "deptid": "2",
            "subject": "s",
            "message": "m",
            "name": "Hook bridge",
            "email": "bridge@example.com",
        },
    ),
    (
        lambda c: c.send_email(1, "Mi Empresa", "a < b\nc"),
        DONE,
        {
            "action": "SendEmail",
            "id": "1",
            "customtype": "general",
            "customsubject": "Mi Empresa",
            "custommessage": "a &lt; b<br>c",
        },
    ),
    (
        lambda c: c.note(1, "text"),
        {**DONE, "noteid": "4"},
        {"action": "AddClientNote", "userid": "1", "notes": "text"},
    ),
    (
        lambda c: c.log("one\r\nline", client_id=1),
        DONE,
        {"action": "LogActivity", "description": "one line", "clientid": "1"},
    ),
    (lambda c: c.log("x"), DONE, {"action": "LogActivity", "description": "x"}),
]
WRITE_IDS = [f"{number}-{sent['action']}" for number, (_, _, sent) in enumerate(WRITES)]


@pytest.mark.parametrize(("act", "told", "sent"), WRITES, ids=WRITE_IDS)
def test_a_write_is_sent_once_as_the_panel_wants_it(act, told, sent):
    transport = FakeTransport(saying(told))

    act(client_of(transport, ticket_email="bridge@example.com"))

    assert transport.forms == [sent]
    assert transport.options[0]["idempotent"] is False


def test_what_writes_return():
    draft, ticket = WRITES[6], WRITES[13]
    with_email = {"ticket_email": "bridge@example.com"}

    assert draft[0](client_of(FakeTransport(saying(draft[1])))) == 101
    assert ticket[0](client_of(FakeTransport(saying(ticket[1])), **with_email)) == (
        "123456"
    )


def test_the_actions_are_all_that_is_ever_called():
    recorded = {path.parent.name for path in CASES}
    written = {sent["action"] for _, _, sent in WRITES}

    assert set(WhmcsClient.actions) == recorded | written


def test_a_ticket_without_client_and_sender_is_not_sent():
    transport = FakeTransport(saying(DONE))

    error = failure(
        client_of(transport).open_ticket,
        department=1,
        subject="s",
        message="m",
        client_id=None,
    )

    assert (error.reason, error.sent, transport.calls) == (Reason.REFUSED, False, [])


UNCLEAR = [
    (WRITES[2][0], {**DONE, "serviceid": "8"}, "service 8 when asked about 7"),
    (WRITES[7][0], {**DONE, "invoiceid": "9"}, "invoice 9 when asked about 101"),
    (WRITES[11][0], {**DONE, "domainid": "9"}, "domain 9 when asked about 3"),
    (WRITES[6][0], DONE, "did not tell the invoice's id"),
    (WRITES[6][0], {**DONE, "invoiceid": 0}, "did not tell the invoice's id"),
    (WRITES[6][0], {**DONE, "invoiceid": "x"}, "not a whole number"),
    (WRITES[6][0], {**DONE, "invoiceid": 5, "status": "Unpaid"}, "not made as a draft"),
    (WRITES[12][0], {**DONE, "id": 1}, "did not tell the ticket's number"),
]


@pytest.mark.parametrize(("act", "told", "says"), UNCLEAR)
def test_a_write_answered_about_something_else_may_have_happened(act, told, says):
    error = failure(act, client_of(FakeTransport(saying(told))))

    assert (error.reason, error.sent) == (Reason.UNREADABLE, True)
    assert says in error.detail


# Bad answers, for every call

READS = [
    lambda c: c.client(1),
    lambda c: c.client_by_email("a@example.com"),
    lambda c: c.user(1),
    lambda c: c.service(7),
    lambda c: c.services(1),
    lambda c: c.product(21),
    lambda c: c.products(),
    lambda c: c.invoice(1),
    lambda c: c.invoices(1),
    lambda c: c.domain(1),
    lambda c: c.domains(1),
    lambda c: c.quote(1),
    lambda c: c.quotes(1),
    lambda c: c.cancellation_requests(),
    lambda c: c.native_upgrade_price(7, 22, Cycle.MONTHLY, "paypal"),
    lambda c: c.setting("DateFormat"),
    lambda c: c.version(),
]
BAD = {
    "html 500": Answer(500, {}, b"<!DOCTYPE html><h1>Oops!</h1>"),
    "html 200": Answer(200, {}, b"<!DOCTYPE html><h1>Oops!</h1>"),
    "empty": Answer(200, {}, b""),
    "cut": Answer(200, {}, b'{"result":"success","who'),
    "null": saying(None),
    "text": saying("success"),
    "number": saying(1),
    "list": saying([]),
    "list of maps": saying([{"result": "success"}]),
    "empty map": saying({}),
    "no result": saying({"whmcs": {"version": "8"}}),
    "odd result": saying({"result": "pending"}),
    "result of odd type": saying({"result": {"success": 1}}),
    "warning first": Answer(200, {}, b'<b>Warning</b>: x {"result":"success"}'),
    "success with 500": saying({"result": "success"}, 500),
    "success with 403": saying({"result": "success"}, 403),
    "gateway time-out": Answer(504, {}, b"<html>"),
    "unavailable": Answer(503, {}, b"<html>"),
    "unavailable, nonsense": Answer(503, {"Retry-After": "soon"}, b"<html>"),
    "redirect": Answer(302, {"Location": "https://x/?secret=s3cret"}, b""),
    "firewall": Answer(403, {}, b"<html>Access denied</html>"),
    "deep": Answer(200, {}, b'{"result":' + b"[" * 50_000),
    "flattened twice": saying({"result": "success", "a": 1, "a[b]": 2}),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("act", [*READS, *(act for act, _, _ in WRITES)])
def test_a_bad_answer_is_unreadable_and_may_have_been_carried_out(act, answer):
    transport = FakeTransport(answer)

    error = failure(act, client_of(transport, ticket_email="bridge@example.com"))

    assert (error.reason, error.sent) == (Reason.UNREADABLE, True)
    assert error.service == "whmcs"
    assert len(transport.calls) == 1


@pytest.mark.parametrize("act", READS)
def test_a_success_without_anything_in_it_is_no_value(act):
    error = failure(act, client_of(FakeTransport(saying(DONE))))

    assert error.reason is Reason.UNREADABLE


@pytest.mark.parametrize("act", [*READS, *(act for act, _, _ in WRITES)])
def test_what_the_transport_raises_comes_through(act):
    lost = RemoteError("whmcs", Reason.UNREACHABLE, "no connection", sent=False)
    transport = FakeTransport(lost)

    error = failure(act, client_of(transport, ticket_email="bridge@example.com"))

    assert error is lost
    assert len(transport.calls) == 1


# Errors that the panel tells

ADDRESS = "203.0.113.7: add it under Configuration > System Settings > General Settings"
ROLE = "does not allow ModuleTerminate: tick it under Configuration > System Settings"
TOLD = [
    (403, "Authentication Failed", Reason.DENIED_CREDENTIALS, "identifier", False),
    (403, "Invalid or missing credentials.", Reason.DENIED_CREDENTIALS, "", False),
    (403, "Invalid IP 203.0.113.7", Reason.DENIED_ADDRESS, ADDRESS, False),
    (400, "Invalid IP 203.0.113.7", Reason.DENIED_ADDRESS, ADDRESS, False),
    (403, "Invalid IP 2001:DB8::7", Reason.DENIED_ADDRESS, "2001:db8::7", False),
    (403, "Invalid IP <script>", Reason.DENIED_ADDRESS, "this machine", False),
    (
        403,
        'Invalid Permissions: API action "moduleterminate" is not allowed',
        Reason.MISSING_PERMISSION,
        ROLE,
        False,
    ),
    (200, "Service ID not found", Reason.NOT_FOUND, "Service ID not found", False),
    (200, "Service ID Not Found.", Reason.NOT_FOUND, "Service ID Not Found", False),
    (404, "Service ID not found", Reason.NOT_FOUND, "Service ID not found", False),
    (200, "Service ID is required", Reason.REFUSED, "is required", False),
    (400, "Empty action request", Reason.REFUSED, "Empty action request", False),
    (200, "Authentication Failed", Reason.REFUSED, "Authentication Failed", True),
    (200, "Account does not exist", Reason.REFUSED, "Account does not exist", True),
    (500, "Account does not exist", Reason.REFUSED, "Account does not exist", True),
    (200, "Domain not found on server", Reason.REFUSED, "on server", True),
    (200, "", Reason.REFUSED, "no reason given", True),
    (429, "Too many requests", Reason.RATE_LIMITED, "HTTP 429", False),
    (503, "Down for maintenance", Reason.UNREADABLE, "HTTP 503", True),
]


@pytest.mark.parametrize(("status", "message", "reason", "says", "sent"), TOLD)
def test_an_error_means_what_its_message_says(status, message, reason, says, sent):
    told = saying({"result": "error", "message": message}, status)

    error = failure(client_of(FakeTransport(told)).terminate, 7)

    assert (error.reason, error.sent) == (reason, sent)
    assert says in error.detail


@pytest.mark.parametrize(
    "act", [lambda c: c.terminate(7), lambda c: c.change_package(7)]
)
def test_a_service_without_module_can_be_told_apart(act):
    told = {"result": "error", "message": "Service not assigned to a module"}

    error = failure(act, client_of(FakeTransport(saying(told))))

    assert isinstance(error, NoModule)
    assert (error.reason, error.sent) == (Reason.REFUSED, False)
    assert error.detail.startswith("no module")


def test_a_second_cancellation_request_is_refused_and_was_not_put():
    told = {"result": "error", "message": "Existing Cancellation Request Exists"}

    error = failure(
        client_of(FakeTransport(saying(told))).request_cancellation,
        7,
        immediate=True,
        reason="",
    )

    assert (error.reason, error.sent) == (Reason.REFUSED, False)


@pytest.mark.parametrize("word", ["result", "status"])
def test_error_is_a_failure_in_result_and_in_status(word):
    told = {"result": "success", word: "ERROR", "message": "no"}

    error = failure(client_of(FakeTransport(saying(told))).call, "AddBillableItem")

    assert (error.reason, error.detail) == (Reason.REFUSED, "no")


LIMITED = [
    (429, {}, None, False),
    (429, {"Retry-After": "30"}, 30.0, False),
    (429, {"retry-after": "86400"}, 3600.0, False),
    (429, {"Retry-After": "never"}, None, False),
    (503, {"Retry-After": "60"}, 60.0, True),
    (503, {"Retry-After": "Tue, 01 Dec 2026 10:01:00 GMT"}, 60.0, True),
]


@pytest.mark.parametrize(("status", "headers", "wait", "sent"), LIMITED)
def test_too_many_calls_wait_as_long_as_asked_within_an_hour(
    status, headers, wait, sent
):
    answer = Answer(status, headers, b"<html>")

    error = failure(client_of(FakeTransport(answer)).terminate, 7)

    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, wait)
    assert error.sent is sent


def test_a_text_of_the_panel_is_shown_short_plain_and_without_secrets():
    message = (
        "<b>Failed</b> for s3cret / ident-1,\r\ncall +54 9 11 4000-0001 or 1140000001;"
        " password: hunter2\x1b[31m " + "x" * 400
    )
    told = {"result": "error", "message": message}

    error = failure(client_of(FakeTransport(saying(told))).terminate, 7)

    assert error.detail.startswith(
        "Failed for *** / ***, call *** or ***; password*** [31m xxx"
    )
    assert len(error.detail) == 300


# Any action


def test_any_action_can_be_called_and_its_whole_answer_seen():
    transport = FakeTransport(saying({"result": "success", "x": {"y": [1.10]}}))

    told = client_of(transport).call(
        "AddOrder", clientid=1, pid=[21, 22], configoptions={4: True}, promocode=None
    )

    assert told["x"]["y"] == [1.1] or str(told["x"]["y"][0]) == "1.1"
    assert transport.forms == [
        {
            "action": "AddOrder",
            "clientid": "1",
            "pid[0]": "21",
            "pid[1]": "22",
            "configoptions[4]": "1",
        }
    ]


def test_answers_documented_without_result_are_successes():
    bare = [{"module": "x"}]

    assert client_of(FakeTransport(saying(bare))).call("GetRegistrars") == bare
    assert client_of(FakeTransport(saying({"count": 1}))).call("GetAdminUsers") == {
        "count": 1
    }


@pytest.mark.parametrize("name", ["identifier", "secret", "accesskey", "responsetype"])
def test_what_the_client_itself_sets_cannot_be_given(name):
    with pytest.raises(TypeError, match=name):
        client_of(FakeTransport()).call("GetUsers", **{name: "x"})


def test_nothing_about_a_client_shows_its_secrets():
    client = client_of(FakeTransport(), access_key="k3y")

    shown = f"{client!r}{client}{vars(client)!r}{client._credentials}"

    assert not re.search("s3cret|ident-1|k3y", shown)
    assert "***" in repr(client._credentials)


@pytest.mark.parametrize(
    "url",
    [
        "http://panel.example",
        "https://169.254.169.254",
        "https://x.example/?a=1",
        "https://x.example/includes/api.php",
        "x",
    ],
)
def test_a_wrong_address_is_refused_at_once(url):
    with pytest.raises(ValueError, match=r"\w"):
        WhmcsClient(FakeTransport(), url, "i", "s")


def test_empty_credentials_are_refused_at_once():
    with pytest.raises(ValueError, match="identifier and a secret"):
        WhmcsClient(FakeTransport(), "https://panel.example", "i", "")


def test_a_client_of_its_own_opens_and_closes():
    with WhmcsClient.open("https://panel.example", "i", "s", timeout=1.0) as client:
        assert repr(client) == ("WhmcsClient('https://panel.example/includes/api.php')")


def test_a_day_in_the_panels_own_format():
    client = client_of(FakeTransport(), date_format="MM-DD-YYYY")

    assert client.local_day(date(2026, 12, 1)) == "12-01-2026"


FLAGS = [
    *((word, True) for word in (True, 1, "1", "on", "true", "TRUE", "yes")),
    *((word, False) for word in (False, 0, "0", "", "off", "false", None)),
]


@pytest.mark.parametrize(("word", "meant"), FLAGS)
def test_flags_in_all_spellings(word, meant):
    row = {"id": 1, "email": "a@example.com", "status": "", "email_verified": word}
    told = saying({"result": "success", "client": row})

    assert client_of(FakeTransport(told)).client(1).email_verified is meant


@pytest.mark.parametrize("value", [True, 1.5, "1.0", " 1", "", None, [], "x", "１"])
def test_an_id_that_is_no_whole_number_is_unreadable(value):
    row = {"id": value, "email": "a@example.com", "status": "Active"}
    told = saying({"result": "success", "client": row})

    error = failure(client_of(FakeTransport(told)).client, 1)

    assert error.detail == ("GetClientsDetails: id: not a whole number")


@pytest.mark.parametrize(
    ("told", "off"),
    [
        ("Tue, 01 Dec 2026 09:50:00 GMT", timedelta(minutes=10)),
        ("Tue, 01 Dec 2026 10:00:30 GMT", timedelta(seconds=-30)),
        ("Tue, 01 Dec 2026 07:00:00 -0300", timedelta(0)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_how_far_the_clocks_are_apart_is_read_from_each_answer(told, off):
    version = {"result": "success", "whmcs": {"version": "8.13.1"}}
    client = client_of(FakeTransport(saying(version, date=told)))
    before = client.clock_off()
    client.version()

    assert before is None
    assert client.clock_off() == off
