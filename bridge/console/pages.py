"""The pages of plan changes: choose, work out, order, follow."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import flask_login
import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from bridge import upgrading
from bridge.billing.model import Cycle
from bridge.console import working
from bridge.console.door import Turned
from bridge.console.parts import Console, console
from bridge.console.throttle import TooLate
from bridge.console.words import Words
from bridge.errors import HeldBack, OverCap, Reason, RemoteError
from bridge.hooks.invoice_upgrade import order_id
from bridge.hooks.records import step_key
from bridge.store import book, outbox, reports
from bridge.upgrading import Quoted
from bridge.views import invoice_url

T = TypeVar("T")
log = structlog.get_logger("console")

#: Orders on one page.
PAGE = 25
#: How long one call to the panel may take, in seconds.
_CALL = 8.0
_ID = re.compile(r"[0-9a-f]{16}\Z")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")


def home(problem: str = "", status: int = 200) -> ResponseReturnValue:
    """Show the form for a new plan change, and the orders, the open ones first."""
    with console().bench.store.read() as db:
        count = reports.count_orders(db)
        pages = max(1, -(-count // PAGE))
        number = min(_number(request.args.get("page", "")) or 1, pages)
        orders = reports.list_orders(
            db, native=False, limit=PAGE, skip=(number - 1) * PAGE
        )
    page = render_template(
        "console/home.html", orders=orders, number=number, pages=pages, problem=problem
    )
    return page, status


def quote(words: Words) -> ResponseReturnValue:
    """Show what a plan change costs; without a plan, what may be chosen."""
    parts = console()
    service = _number(request.args.get("service", ""))
    if service is None:
        return home(words("not_a_service"), 400)
    if not request.args.get("product"):
        return _choose(words, parts, service)
    asked = _asked(request.args)
    if asked is None:
        return _choose(words, parts, service, words("not_a_plan"), 400)
    return _show(words, parts, _price(parts, *asked))


def _choose(
    words: Words, parts: Console, service: int, problem: str = "", status: int = 200
) -> ResponseReturnValue:
    offers = partial(upgrading.offers, parts.bench, service)
    found = _of_panel(parts, lambda panel: offers(panel=panel))
    cycles = [c for c in Cycle if any(c in prices for _, prices in found.plans)]
    refusal = upgrading.not_active(parts.bench, found.service, words.language)
    page = render_template(
        "console/choose.html",
        found=found,
        cycles=cycles,
        problem=problem,
        refusal=refusal,
    )
    return page, status


def _show(
    words: Words, parts: Console, quoted: Quoted, notice: str = "", status: int = 200
) -> ResponseReturnValue:
    found = quoted.quote
    refusal, rows = "", []
    if not found.allowed or found.charge is None:
        refusal = upgrading.sentence(parts.bench, quoted, words.language)
    else:
        rows = working.rows(
            words,
            [asdict(line) for line in found.lines],
            found.charge,
            found.currency,
            plan=quoted.to_name,
            cycle=found.cycle.value,
        )
    page = render_template(
        "console/quote.html",
        quoted=quoted,
        quote=found,
        rows=rows,
        refusal=refusal,
        renewal=working.renewal(words, found),
        key=secrets.token_urlsafe(16),
        seen=working.fingerprint(found),
        notice=notice,
    )
    return page, status


def order(words: Words) -> ResponseReturnValue:
    """Order what was shown, once for each form, and go to the order's page.

    What changed since it was shown is shown anew, and nothing is ordered.
    """
    parts, form = console(), request.form
    asked, key = _asked(form), form.get("key", "")
    if asked is None or asked[2] is None or not _KEY.match(key):
        return home(words("not_a_plan"), 400)
    name: str = flask_login.current_user.name
    seed, who = f"{name}:{key}", f"{name} (console)"
    id = order_id(asked[0], asked[1], asked[2].value, seed)
    if _known(parts, id):
        return _to(id)
    quoted = _price(parts, *asked)
    if not quoted.quote.allowed or quoted.quote.charge is None:
        if _known(parts, id):  # its twin was quicker
            return _to(id)
        return _refused(words, parts, quoted, who, str(quoted.quote.refusal))
    if form.get("seen") != working.fingerprint(quoted.quote):
        return _refused(words, parts, quoted, who, "changed", words("changed"))
    try:
        ordered = upgrading.order(parts.bench, quoted, who, seed)
    except OverCap as error:
        return _over(words, parts, quoted, who, error)
    except HeldBack as error:
        said = words("orders_held", reason=str(error))
        return _refused(words, parts, quoted, who, "held back", said)
    if ordered is None:
        again = _price(parts, *asked)  # ordered by somebody else meanwhile
        return _refused(words, parts, again, who, "upgrade_pending")
    log.info("upgrade ordered", order=id, operator=name)
    parts.wake()
    return _to(id)


#: The sentence for each cap that is used up.
_OVER = {"hour": "over_hour", "day": "over_day", "client": "over_client"}


def _over(
    words: Words, parts: Console, quoted: Quoted, who: str, error: OverCap
) -> ResponseReturnValue:
    """Say that no more may be ordered now, over the quote, which can be later."""
    name = _OVER[error.cap]
    said = words(
        name, count=error.count, most=error.most, moment=words.moment(error.at)
    )
    return _refused(words, parts, quoted, who, name, said)


def _refused(
    words: Words, parts: Console, quoted: Quoted, who: str, why: str, notice: str = ""
) -> ResponseReturnValue:
    now, service = parts.bench.now(), quoted.service.id
    about, to = f"service {service}", quoted.quote.product_id
    parts.bench.store.write(
        lambda db: book.note(db, now, who, "order refused", about, why=why, to=to)
    )
    return _show(words, parts, quoted, notice, 409)


def follow(words: Words, id: str) -> ResponseReturnValue:
    """Show an order: its working, how far it is, and the client's invoice."""
    parts = console()
    if not _ID.match(id):
        raise Turned(404, "no_such_order")
    with parts.bench.store.read() as db:
        row = book.order(db, id)
        keys = (step_key(id, step) for step in upgrading.STEPS)
        jobs = [job for job in (outbox.get(db, key) for key in keys) if job is not None]
    if row is None or row.native:
        raise Turned(404, "no_such_order")
    rows = working.rows(
        words,
        row.working,
        row.charge,
        row.currency,
        plan=row.to_product,
        cycle=row.cycle,
    )
    trouble = [job.reason for job in jobs if job.state in _TROUBLED and job.reason]
    link = None
    if row.invoice_id is not None:
        link = invoice_url(parts.bench.map.current.company, row.invoice_id)
    return render_template(
        "console/order.html",
        order=row,
        rows=rows,
        steps=working.steps(row),
        trouble=row.reason if row.state in working.STOPPED else "".join(trouble[-1:]),
        link=link,
        refresh=(_SLOWLY if trouble else _SOON) if working.goes_on(row) else 0,
    )


#: After how many seconds an order's page is read again while it goes on.
_SOON, _SLOWLY = 3, 30
_TROUBLED = ("waiting", "parked")


def _to(id: str) -> ResponseReturnValue:
    return redirect(url_for("console.follow", id=id), 303)


def _known(parts: Console, id: str) -> bool:
    with parts.bench.store.read() as db:
        return book.order(db, id) is not None


def _asked(given: Any) -> tuple[int, int, Cycle | None] | None:
    """Return service, plan and cycle of a form, None where one is nonsense."""
    service, product = (_number(given.get(name, "")) for name in ("service", "product"))
    cycle = given.get("cycle", "")
    if service is None or product is None or cycle not in ("", *list(Cycle)):
        return None
    return service, product, Cycle(cycle) if cycle else None


def _number(text: str) -> int | None:
    """Read a number of the panel's, from 1 to 2**31 - 1."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 10):
        return None
    return int(plain) if 1 <= int(plain) < 2**31 else None


def _price(parts: Console, service: int, product: int, cycle: Cycle | None) -> Quoted:
    price = partial(upgrading.price, parts.bench, service, product, cycle)
    return _of_panel(parts, lambda panel: price(panel=panel))


def _of_panel(parts: Console, work: Callable[[Any], T]) -> T:
    """Ask the panel something, in bounded time; raises Busy, TooLate, RemoteError."""
    circuit = parts.bench.panel_circuit
    if circuit.open:
        reason = circuit.reason or "it failed lately"
        raise RemoteError(circuit.service, Reason.UNREACHABLE, reason, sent=False)
    hurried = Hurried(parts.quick_panel, monotonic() + parts.desk.seconds)
    return parts.desk.ask(lambda: work(hurried))


@dataclass
class Hurried:
    """A panel that answers until *ends* (monotonic), however many calls that are.

    Who gave up waiting has the work end soon after: the next call raises TooLate.
    """

    panel: Callable[[float], Any]
    ends: float

    def __getattr__(self, name: str) -> Any:
        left = self.ends - monotonic()
        if left <= 0:
            raise TooLate
        return getattr(self.panel(min(left, _CALL)), name)
