"""A browser without a screen: cookies, forms, and the origin of the page it is on."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.security import generate_password_hash

from bridge.store import operators

NAME, PASSWORD = "ana", "correct horse battery"
HERE = "http://localhost"
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Compiled(BytecodeCache):
    """What was compiled of the templates, for the applications of all tests."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what was kept of a template; Jinja looks whether it is of this text."""
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it."""
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Visitor:
    """One browser on the console of an application."""

    def __init__(self, app: Any, **headers: str) -> None:
        app.jinja_env.bytecode_cache = COMPILED
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


def quick(password: str) -> str:
    """Return a hash as the bridge keeps one, but quickly checked: it says how."""
    return generate_password_hash(password, "scrypt:1024:1:1")


@pytest.fixture
def kept() -> str:
    """What is kept of the operator's password."""
    return quick(PASSWORD)


@pytest.fixture
def make_operator(kit):
    """Return a function that makes an operator."""

    def make(name: str = NAME, password: str = PASSWORD) -> None:
        now, hash = kit.clock.now(), quick(password)
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
