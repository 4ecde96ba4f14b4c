"""A browser without a screen: cookies, forms, and the origin of the page it is on."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge.console.passwords import hashed
from bridge.store import operators

NAME, PASSWORD = "ana", "correct horse battery"
HERE = "http://localhost"
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Visitor:
    """One browser on the console of an application."""

    def __init__(self, app: Any, **headers: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = {"Accept-Language": "es-AR,es;q=0.9"} | headers

    def get(self, path: str, **more: Any) -> Any:
        """Open a page; where it leads is not followed."""
        found = self.client.get(f"/console{path}", headers=self.headers, **more)
        found.close()  # a file that was sent
        return found

    def fields(self, path: str) -> dict[str, str]:
        """Return the hidden fields of a page's last form."""
        page = self.get(path).text
        form = page[page.rindex("<form") :]
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(form)}

    def post(
        self,
        path: str,
        data: dict[str, str],
        place: str = "127.0.0.1",
        **headers: str,
    ) -> Any:
        """Send a form as a page of the console itself would, from an address."""
        sent = self.headers | {"Origin": HERE} | headers
        sent = {name: value for name, value in sent.items() if value}
        where = {"REMOTE_ADDR": place}
        return self.client.post(
            f"/console{path}", data=data, headers=sent, environ_base=where
        )

    def log_in(
        self, name: str = NAME, password: str = PASSWORD, onward: str = ""
    ) -> Any:
        """Log in by the form."""
        fields = self.fields(f"/login?next={onward}" if onward else "/login")
        return self.post("/login", fields | {"name": name, "password": password})

    def cookie(self, name: str = "bridge_console") -> Any:
        """Return a cookie, None where there is none."""
        path = "/console/login" if name.endswith("known") else "/console"
        return self.client.get_cookie(name, path=path)


@pytest.fixture(scope="session")
def kept() -> str:
    """The slow hash of the operator's password, made once."""
    return hashed(PASSWORD)


@pytest.fixture
def make_operator(kit, kept):
    """Return a function that makes an operator."""

    def make(name: str = NAME, password: str = "") -> None:
        now = kit.clock.now()
        hash = hashed(password) if password else kept
        kit.bridge.store.write(lambda db: operators.add(db, name, hash, now))

    return make


@pytest.fixture
def app(kit, make_operator) -> Any:
    """The bridge's application, with one operator."""
    make_operator()
    return kit.bridge.app()


@pytest.fixture
def visitor(app) -> Visitor:
    """Somebody who is not logged in."""
    return Visitor(app)


@pytest.fixture
def ana(visitor) -> Visitor:
    """The operator, logged in."""
    assert visitor.log_in().status_code == 303
    return visitor
