"""A real browser, without scripts: log in, work out, order, pay, see it applied."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from bridge.demo.panel_example import PLAN_150
from bridge.server import Server

from .conftest import NAME, PASSWORD

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None  # type: ignore[assignment]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.store("sqlite"),
    pytest.mark.skipif(
        CHROMIUM is None or sync_playwright is None,
        reason="needs chromium and playwright (CI installs them)",
    ),
]
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage"),
)
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1200, "height": 800}
#: Wider than the window: then one would have to scroll sideways.
TOO_WIDE = "document.documentElement.scrollWidth > window.innerWidth"
NASTY = "<img src=x onerror=alert(1)>" * 4 + "\u202e" + "w" * 90


@pytest.fixture
def address(app) -> Iterator[str]:
    """The console of a bridge that listens."""
    server = Server(app, "127.0.0.1", 0)
    thread = server.start()
    yield f"http://127.0.0.1:{server.port}/console/"
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    stopper.join(30)
    thread.join(30)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The system's browser, with an empty profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, address) -> Callable[..., Any]:
    """Return what opens a page, and notes all that a page must not do."""

    @contextmanager
    def open_page(**how: Any) -> Iterator[tuple[Any, list[str]]]:
        wrong: list[str] = []
        context = chromium.new_context(locale="es-AR", **how)
        page = context.new_page()
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on("console", lambda said: wrong.append(said.text))
        page.on("request", lambda request: wrong.extend(_outside(request, address)))
        page.goto(address)
        yield page, wrong
        context.close()

    return open_page


def _outside(request: Any, address: str) -> list[str]:
    same = urlsplit(request.url).netloc == urlsplit(address).netloc
    return [] if same else [f"asked {request.url}"]


def log_in(page: Any) -> None:
    page.get_by_label("Nombre").fill(NAME)
    page.get_by_label("Contraseña").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Ingresar").click()


def test_from_the_login_to_the_changed_plan_without_a_script(opened, kit):
    with opened(java_script_enabled=False, viewport=DESK) as (page, wrong):
        log_in(page)
        page.get_by_label("Número de servicio").fill("1")
        page.get_by_role("button", name="Continuar").click()
        page.get_by_label("Plan nuevo").select_option(str(PLAN_150))
        page.get_by_role("button", name="Calcular").click()
        working = page.get_by_role("table").inner_text()
        page.get_by_role("button", name="Generar la factura de 50,00 ARS").click()
        kit.work()
        page.reload()
        waits = page.get_by_role("main").inner_text()
        [invoice] = [i for i in kit.world.invoices.values() if "[bridge" in i.notes]
        kit.world.pay_invoice(invoice.id)
        kit.work()
        page.reload()
        done = page.get_by_role("main").inner_text()
        page.get_by_role("link", name="Volver al inicio").click()
        listed = page.get_by_role("table").inner_text()
        page.get_by_role("button", name="Salir").click()
        out = page.url

    assert "Ya pagado" in working
    assert "espera el pago" in waits
    assert f"viewinvoice.php?id={invoice.id}" in waits
    assert "espera el pago" not in done
    assert kit.world.service(1).pid == PLAN_150
    assert "Plan 100 → Plan 150, anual" in listed
    assert out.endswith("/console/login")
    assert wrong == []


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_cut_off_runs_or_comes_from_elsewhere(viewport, opened, kit):
    kit.world.clients[1].firstname = NASTY
    kit.world.service(1).domain = NASTY
    kit.world.products[PLAN_150].name = NASTY
    with opened(viewport=viewport) as (page, wrong):
        wide = [page.evaluate(TOO_WIDE)]
        log_in(page)
        home = page.url
        for path in ("", "quote?service=1", f"quote?service=1&product={PLAN_150}"):
            page.goto(home + path)
            page.screenshot()  # what is painted is loaded, and what is refused is said
            wide.append(page.evaluate(TOO_WIDE))
        page.get_by_role("button", name="Generar").click()
        kit.work()
        page.reload()
        wide.append(page.evaluate(TOO_WIDE))
        images = page.locator("img").count()

    assert wide == [False] * 5
    assert images == 0
    assert wrong == []
