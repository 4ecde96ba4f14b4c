"""No secret is at rest or on any surface: marked ones go in everywhere, none is found.

The marks stand in every field the vendor's documentation calls sensitive, in every
field nobody documents, in headers, in what the panel answers, and they are the
bridge's own keys. Then everything the bridge keeps or shows is searched for them:
raw, as base64 at any offset, in hexadecimal, and encoded for addresses and JSON.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from bridge import wiring
from bridge.commands.events import describe
from bridge.console.passwords import hashed
from bridge.demo.faults import KINDS
from bridge.demo.panel import Panel
from bridge.events import catalogue
from bridge.settings import Secret
from bridge.store import operators, reports, tables
from tests.console.conftest import Visitor

#: What every marked secret holds; each sign of it changes in some encoding.
MARK = "Zq9+Mk/7?Wx"
DOCUMENTED = json.loads(
    (Path(__file__).parent / "fixtures/deliveries/documented.json").read_text("utf-8")
)
KEYS = [
    "whsec_" + base64.b64encode(f"{MARK} signing key {n}".encode()).decode()
    for n in (1, 2)
]
IDENTIFIER, SECRET, ACCESS = (f"{MARK}-{name}" for name in ("who", "api", "access"))
#: Names under which registrar and server modules keep their own settings.
MODULE_SETTINGS = ["ApiKey", "APIToken", "resellerId", "Pass", "TestMode", "x", "pin"]


def encoded(mark: str) -> dict[str, bytes]:
    """Return every form that a mark could leave in, by name."""
    raw = mark.encode()
    shifted = {
        f"base64 at offset {n}": base64.b64encode(b"\0" * n + raw)[4 if n else 0 : -4]
        for n in range(3)
    }
    return shifted | {
        "raw": raw,
        "hexadecimal": raw.hex().encode(),
        "address": quote(mark, safe="").encode(),
        "JSON of PHP": raw.replace(b"/", rb"\/"),
        "HTML": raw.replace(b"+", b"&#43;"),
        "escapes of JSON": "".join(f"\\u{ord(c):04x}" for c in mark).encode(),
    }


def found(surfaces: dict[str, bytes], mark: str = MARK) -> list[str]:
    """Return where a mark is seen, and in which form."""
    forms = {name: form.lower() for name, form in encoded(mark).items()}
    return [
        f"{surface}: {name}"
        for surface, content in surfaces.items()
        for name, form in forms.items()
        if form in content.lower()
    ]


@pytest.fixture
def secret() -> str:
    """The signing secret of these bridges is a mark as well."""
    return KEYS[0]


@pytest.fixture
def panel(world) -> Panel:
    """A panel whose credentials and whose clients' passwords are marks."""
    for row in (*world.services.values(), *world.users.values()):
        row.password = f"{MARK}-of-{row.id}"
    panel = Panel(world, identifier=IDENTIFIER, secret=SECRET, accesskey=ACCESS)
    panel.allowed_ips = set()
    return panel


@pytest.fixture
def bridge(bridge_for) -> wiring.Bridge:
    """A bridge whose every setting that may be secret is a mark."""
    return bridge_for(
        signing_secrets=tuple(Secret(key) for key in KEYS),
        whmcs_identifier=Secret(IDENTIFIER),
        whmcs_secret=Secret(SECRET),
        whmcs_access_key=Secret(ACCESS),
        sentry_dsn=Secret(f"https://{MARK}@sentry.example/1"),
        others={"WHATSAPP_CLOUD_TOKEN": Secret(f"{MARK}-cloud")},
    )


@pytest.fixture
def surfaces(kit, logged, capfd) -> Callable[..., dict[str, bytes]]:
    """Return a function that gathers all that the bridge keeps and shows."""

    def gather(**more: Any) -> dict[str, bytes]:
        answers, client = [], kit.client()
        for path in ("/readyz", "/metrics", "/healthz"):
            got = client.get(path)
            answers += [str(got.headers), got.text]
        reports = [describe(kit.bridge.store, row.id) for row in kit.events()]
        printed = capfd.readouterr()
        shown = {
            "log": logged.getvalue(),
            "printed": printed.out + printed.err,
            "health and metrics": "\n".join(answers),
            "reports": json.dumps(reports, default=str, ensure_ascii=False),
            "rows": repr(kit.events()) + repr(kit.jobs()),
            "repr": repr(kit.bridge) + repr(kit.bridge.settings),
            "messages": repr(kit.sent),
            **more,
        }
        texts = {name: str(text).encode() for name, text in shown.items()}
        return texts | dict(stored(kit.bridge.store.url))

    return gather


def stored(url: str) -> Iterator[tuple[str, bytes]]:
    """Give the raw bytes of an SQLite store's files, or every row of PostgreSQL."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}*"):
            yield file.name, file.read_bytes()
        return
    engine = sa.create_engine(url)
    with engine.connect() as db:
        for name in tables.metadata.tables:
            rows = db.exec_driver_sql(f'SELECT t::text FROM "{name}" t').scalars()
            yield name, "\n".join(rows).encode()
    engine.dispose()


def data_of(hookpoint: str) -> dict[str, Any]:
    """Return a delivery's data in which all is a mark but what may be kept."""
    known = DOCUMENTED["hookpoints"][hookpoint]
    kept = catalogue()[hookpoint].fields
    sensitive = set(known.get("sensitive", ()))
    data: dict[str, Any] = {
        name: 1 if name in kept and name not in sensitive else hidden(name)
        for name in known["params"]
    }
    if module := known.get("module"):
        names = [*DOCUMENTED["modules"][module], *MODULE_SETTINGS]
        names += [f"configoption{n}" for n in range(1, 25)]
        data["params"] = {
            name: 1 if f"params.{name}" in kept else hidden(name) for name in names
        }
        data["params"]["clientsdetails"] = {"password": f"{MARK}-client", "id": 1}
    for path in sensitive:
        outer, _, inner = path.partition(".")
        if inner and not isinstance(data.get(outer), dict):
            data[outer] = {}
        (data[outer] if inner else data)[inner or outer] = f"{MARK}-{path}"
    extras = ("extra", "sshKey", "password", "newpassword", "authdata", "token_id")
    return data | {name: f"{MARK}-{name}" for name in extras}


def hidden(name: str) -> Any:
    """Return a mark as text, in a list, or as the dump of an object."""
    text = f"{MARK}-{name}"
    shapes = (text, [text], {"attributes": {name: text, "id": 1}})
    return shapes[len(name) % 3]


def post(kit: Any, hookpoint: str, data: Any, way: str = "hooks") -> Any:
    """Post marked data with marked headers; return the answer."""
    context = {
        "actor": f"{MARK}-actor",
        "password": f"{MARK}-context",
        "service_id": f"{MARK}-id",
        "upgrade": {"relid": 1, "password": f"{MARK}-upgrade"},
        "invoice_lines": [{"relid": 1, "secret": f"{MARK}-line"}],
        "changed": ["email", "password"],
    }
    body = {"type": hookpoint, "data": data, "context": context, "key": f"{MARK}-top"}
    raw = json.dumps(body).encode()
    headers = kit.headers(
        f"m_{hookpoint}_{way}",
        raw,
        Authorization=f"Bearer {MARK}-bearer",
        Cookie=f"session={MARK}-cookie",
        X_Api_Key=f"{MARK}-header",
    )
    path = f"/{way}/whmcs?token={quote(MARK)}"
    return kit.client().post(path, data=raw, headers=headers)


# --- The search itself ---


@pytest.mark.parametrize("form", encoded(MARK).values(), ids=encoded(MARK).keys())
def test_the_search_finds_a_mark_in_that_form(form):
    assert found({"there": b"..." + form + b"...", "not there": b"..."})


@pytest.mark.parametrize("offset", range(6))
def test_the_search_finds_a_mark_within_base64(offset):
    text = b"x" * offset + MARK.encode() + b"tail"

    assert found({"there": base64.b64encode(text)})


def test_the_search_finds_what_is_kept(kit, surfaces):
    data = {"userid": 1, "relid": 11, "type": "Immediate", "reason": "Kept-Reason-1"}
    post(kit, "CancellationRequest", data)
    kit.work()

    seen = {place.split(":")[0] for place in found(surfaces(), "Kept-Reason-1")}

    assert "rows" in seen
    assert seen & {"bridge.db", "bridge.db-wal", "events"}


def test_the_marks_reach_every_sensitive_field_the_vendor_names():
    asked = {
        (name, path)
        for name, entry in DOCUMENTED["hookpoints"].items()
        for path in entry.get("sensitive", ())
        if not path.endswith("configoptionX")
    }

    marked = {
        (name, path)
        for name, path in asked
        if MARK in str(value_at(data_of(name), path))
    }

    assert marked == asked
    assert len(asked) > 100


def value_at(data: Any, path: str) -> Any:
    """Return what stands at a dotted path."""
    outer, _, inner = path.partition(".")
    return data.get(outer, {}).get(inner) if inner else data.get(outer)


# --- The searches ---


def test_no_marked_secret_of_any_hookpoint_is_kept_or_shown(kit, surfaces):
    kit.bridge.app()
    answers = [post(kit, name, data_of(name)) for name in DOCUMENTED["hookpoints"]]
    answers += [post(kit, "SomethingNew", data_of("ClientAdd"))]
    kit.work()
    kit.advance(days=1)

    everything = surfaces(answers=[(a.text, str(a.headers)) for a in answers])

    assert {answer.status_code for answer in answers} == {202}
    assert len(kit.events()) == len(answers) == 340
    assert found(everything) == []


def test_no_marked_secret_of_any_question_is_kept_or_shown(kit, surfaces):
    questions = [name for name, known in catalogue().items() if known.answers]

    answers = [post(kit, name, data_of(name), "decisions") for name in questions]

    everything = surfaces(answers=[(a.text, str(a.headers)) for a in answers])
    assert {answer.status_code for answer in answers} == {200}
    assert len(questions) > 100
    assert found(everything) == []


def test_a_careless_add_on_that_sends_everything_leaks_nothing(kit, surfaces):
    kit.outbox.leak = True
    world = kit.world
    world.order(1, 22, "Annually")
    world.request_cancellation(11, "Immediate")
    world.suspend(1, "late", actor="admin")
    world.unsuspend(1, actor="admin")
    world.upgrade(1, 22, "Annually")
    kit.work()
    kit.advance(days=1)

    sent = b"".join(row.body for row in kit.outbox.delivered)
    assert found({"sent": sent})
    assert kit.sent
    assert found(surfaces()) == []


REFUSED = {
    "not signed": ({"webhook-signature": f"v1,{MARK}"}, b"{}"),
    "a secret as id": ({"webhook-id": f"{MARK}.x"}, b"{}"),
    "a secret as time": ({"webhook-timestamp": MARK}, b"{}"),
    "a secret as content type": ({"Content-Type": f"text/{MARK}"}, b"{}"),
    "not JSON": ({}, MARK.encode()),
    "no type": ({}, json.dumps({"password": MARK}).encode()),
    "a secret as type": ({}, json.dumps({"type": MARK}).encode()),
    "data as text": ({}, json.dumps({"type": "InvoicePaid", "data": MARK}).encode()),
}


@pytest.mark.store("sqlite")
@pytest.mark.parametrize(("changed", "raw"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_delivery_leaks_nothing(changed, raw, kit, surfaces):
    headers = kit.headers("msg_1", raw) | changed

    answer = kit.client().post("/hooks/whmcs", data=raw, headers=headers)

    assert 400 <= answer.status_code < 500
    assert found(surfaces(answer=answer.text + str(answer.headers))) == []


ECHOES = {
    "an error text": {"kind": "error", "message": f"Invalid login {MARK}-module"},
    "an error with our secret": {"kind": "error", "message": f"secret={SECRET}"},
    "an authentication error": {
        "kind": "error",
        "message": f"Authentication Failed for {IDENTIFIER} {SECRET}",
    },
    "base64": {
        "kind": "error",
        "message": f"Bad login {base64.b64encode(f'u:{SECRET}'.encode()).decode()}",
    },
    "hexadecimal": {"kind": "error", "message": f"No {SECRET.encode().hex()} here"},
    "an address": {"kind": "error", "message": f"GET /?key={quote(SECRET, safe='')}"},
    "escapes of JSON": {
        "kind": "error",
        "message": "".join(f"\\u{ord(c):04x}" for c in SECRET),
    },
    "our signing secret": {"kind": "error", "message": f"signed by {KEYS[0]}"},
}


@pytest.mark.store("sqlite")
@pytest.mark.parametrize("kind", sorted(KINDS - {"bomb"}))
def test_a_failing_panel_leaks_nothing(kind, kit, surfaces):
    kit.panel.faults.add("*", kind, None, seconds=60)
    work_through(kit)

    assert found(surfaces()) == []


@pytest.mark.store("sqlite")
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_a_panel_that_says_our_secrets_in_its_errors_leaks_nothing(echo, kit, surfaces):
    kit.panel.faults.add("*", times=None, **echo)
    work_through(kit)

    everything = surfaces()
    hidden = (SECRET, IDENTIFIER, KEYS[0])
    assert [one for mark in hidden for one in found(everything, mark)] == []


def work_through(kit: Any) -> None:
    """Send alerts, cancel, ask a price, and come back for the retries."""
    kit.outbox.leak = True
    kit.world.order(1, 22, "Annually")
    kit.world.request_cancellation(11, "Immediate")
    kit.world.suspend(1, "late", actor="admin")
    kit.world.price_upgrade(kit.world.service(2), 22, "Annually")
    kit.work()
    kit.advance(hours=8)
    kit.advance(days=1)
    assert kit.jobs()


@pytest.mark.parametrize("failing", [False, True], ids=["panel well", "panel failing"])
def test_the_console_keeps_and_shows_no_secret(failing, kit, surfaces):
    """The operator's password is a mark, and so is what he types in wrong places."""
    password, now = f"{MARK}-of-the-operator", kit.clock.now()
    kit.bridge.store.write(lambda db: operators.add(db, "ana", hashed(password), now))
    visitor = Visitor(kit.bridge.app())
    wrong = [visitor.log_in("ana", f"{MARK}-wrong"), visitor.log_in(MARK, password)]
    pages = [visitor.log_in("ana", password)]
    form = visitor.fields("/quote?service=1&product=22")
    if failing:
        echo = f"Authentication Failed for {IDENTIFIER} {SECRET}"
        kit.panel.faults.add("*", "error", None, seconds=60, message=echo)
    pages += [visitor.get("/quote?service=1&product=22")]
    pages += [visitor.post("/upgrades", form), visitor.get("/")]
    kit.work()
    pages += [visitor.get(f"/upgrades/{row.id}") for row in orders(kit)]

    # What was typed as the name comes back in its field, to whoever typed it.
    typed = "".join(page.text for page in wrong).replace(MARK, "")
    everything = surfaces(
        pages="".join(page.text + str(page.headers) for page in pages),
        wrong=typed + str([answer.headers for answer in wrong]),
    )

    assert len(orders(kit)) == (0 if failing else 1)
    assert found(everything) == []
    key = kit.bridge.store.write(lambda db: operators.secret(db, now)).hex()
    outside = ("log", "printed", "reports", "repr", "pages", "wrong")
    assert found({name: everything[name] for name in outside}, key) == []


def orders(kit: Any) -> list[Any]:
    """Return the ordered upgrades."""
    with kit.bridge.store.read() as db:
        return reports.list_orders(db, native=False, limit=10)


def test_an_error_nobody_foresaw_leaks_nothing(kit, surfaces):
    post(kit, "InvoiceCreated", {"invoiceid": 1, "password": f"{MARK}-x"})
    kit.bridge.bench.panel = Exploding()

    kit.work()

    [job] = kit.jobs()
    assert "unforeseen" in job.reason
    assert found(surfaces()) == []


class Exploding:
    """A panel whose every call raises something nobody foresaw, full of secrets."""

    def __getattr__(self, name: str) -> Any:
        def call(*_args: Any, **_named: Any) -> Any:
            password = f"{MARK}-local"
            raise RuntimeError(f"{name} failed with {password} and {SECRET}")

        return call


@pytest.mark.store("sqlite")
def test_a_repr_of_the_parts_shows_no_secret(kit):
    parts = [kit.bridge.settings, kit.bridge, kit.bridge.bench, kit.bridge.store]
    parts += [kit.bridge.bench.panel, kit.bridge.transport]
    parts += kit.bridge.app().extensions.values()

    assert found({"repr": "".join(map(repr, parts)).encode()}) == []
