"""Imports go down one table only; a new module is written in there first."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

BRIDGE = Path(__file__).parent.parent / "bridge"


@dataclass(frozen=True)
class Layer:
    """Modules that belong together, and the layers they may import besides it."""

    name: str
    modules: tuple[str, ...]
    may: tuple[str, ...] = ()


#: Names are without "bridge."; a star stands for anything. The first fit counts.
_READING = ("errors", "events", "plain")
_RULES = (*_READING, "billing", "panel")
_MAP = (*_RULES, "settings", "signing", "yaml", "texts", "hooks", "hookmap", "store")
_PATH = (*_MAP, "seam", "phones", "templates", "metrics", "path")
_ALL = (*_PATH, "logs", "cores", "out", "client", "providers", "web", "wiring")
LAYERS = [
    Layer("package", ("", "py.typed")),
    Layer("errors", ("errors",)),
    Layer("files", ("regular",)),
    Layer("scrubbing", ("scrubbing",)),
    Layer("billing", ("billing", "billing.*")),
    Layer("plain", ("labels", "policies", "variables")),
    Layer("metrics", ("metrics",)),
    Layer("logs", ("logs",)),
    Layer("cores", ("cores",)),
    Layer("signing", ("signing",), ("errors",)),
    Layer(
        "settings",
        ("settings", "environ", "provideroptions"),
        ("errors", "files", "signing"),
    ),
    Layer("events", ("events",), ("errors",)),
    Layer("yaml", ("yamlfile", "yamlbraces", "yamlpass"), ("errors", "files")),
    Layer(
        "texts",
        (
            "filters",
            "messages",
            "placeholders",
            "requestform",
            "sandbox",
            "templateform",
            "textfiles",
        ),
        (*_READING, "billing", "yaml"),
    ),
    Layer("out", ("transport", "dialing"), ("errors", "events")),
    Layer("store", ("store", "store.*"), ("errors", "events")),
    Layer("panel", ("panel", "facts", "views", "gather"), (*_READING, "billing")),
    Layer("phones", ("whatsapp.phones",)),
    Layer("seam", ("whatsapp", "whatsapp.notices"), ("errors",)),
    Layer("templates", ("whatsapp.templates",), (*_READING, "yaml", "texts", "seam")),
    Layer(
        "providers",
        ("whatsapp.*",),
        ("errors", "out", "settings", "scrubbing", "seam", "phones"),
    ),
    Layer(
        "client",
        ("*_client", "whmcs_*"),
        ("errors", "billing", "panel", "out", "settings", "scrubbing", "signing"),
    ),
    Layer("hooks", ("hooks", "hooks.*"), (*_RULES, "phones")),
    Layer(
        "hookmap",
        (
            "hookmap",
            "mapeditor",
            "mapread",
            "mapschema",
            "mapwords",
            "mapscope",
            "mapwords",
        ),
        (*_READING, "files", "yaml", "texts", "hooks"),
    ),
    Layer(
        "path",
        (
            "intake",
            "decisions",
            "dispatch",
            "worker",
            "lanes",
            "acting",
            "turns",
            "pacing",
            "tier",
            "outcomes",
            "recording",
            "recent",
            "retries",
            "schedule",
            "reconcile",
            "takingup",
            "preparing",
            "rowviews",
            "consents",
            "ledger",
            "onechange",
            "owners",
            "obeying",
            "posting",
            "watching",
            "sending",
            "sharing",
            "states",
            "forming",
            "callbacks",
            "identities",
            "upkeep",
            "upgrading",
            "breaker",
        ),
        (*_MAP, "seam", "phones", "templates", "metrics"),
    ),
    Layer("web", ("app", "server", "allowing", "console", "console.*"), _PATH),
    Layer("wiring", ("wiring",), _ALL),
    Layer("demo", ("demo", "demo.*")),
    Layer(
        "the demo's command",
        ("commands.demo", "commands.demohands", "commands.demophone"),
        (*_ALL, "command line", "demo"),
    ),
    Layer(
        "command line",
        ("cli", "__main__", "commands", "commands.*", "samples", "samplefields"),
        (*_ALL, "the demo's command"),
    ),
]

#: library -> the modules that may import it, and nobody else.
LIBRARIES = {
    "alembic": ("store.*",),
    "apispec": ("mapeditor",),
    "apscheduler": ("schedule",),
    "babel": ("filters", "textfiles"),
    "click": ("cli", "commands.*"),
    "dateutil": ("billing.*", "demo.*"),
    "dotenv": ("environ",),
    "flask": ("intake", "callbacks", "app", "server", "wiring", "console", "console.*"),
    "flask_login": ("console.*",),
    "flask_wtf": ("console.*",),
    "jinja2": ("sandbox", "placeholders", "console", "console.*"),
    "marshmallow": (
        "hooks",
        "hooks.*",
        "mapschema",
        "mapwords",
        "mapeditor",
        "whmcs_*",
        "*_client",
        "whatsapp.*",
    ),
    "orjson": ("store.columns",),
    "phonenumbers": ("whatsapp.phones", "filters", "mapschema", "settings"),
    "prometheus_client": ("metrics",),
    "pyrate_limiter": ("pacing", "console.*"),
    "requests": ("transport",),
    "rich": ("commands.*",),
    "ruamel": ("yamlfile", "yamlpass"),
    "sentry_sdk": ("commands.running",),
    # Outside the store for the type of a connection, and nothing else.
    "sqlalchemy": (
        "store",
        "store.*",
        "callbacks",
        "dispatch",
        "forming",
        "ledger",
        "reconcile",
        "takingup",
        "outcomes",
        "pacing",
        "sending",
        "turns",
        "upkeep",
        "upgrading",
        "worker",
        "commands.*",
    ),
    "structlog": (
        "logs",
        "cores",
        "callbacks",
        "sending",
        "turns",
        "upkeep",
        "intake",
        "decisions",
        "recording",
        "worker",
        "lanes",
        "acting",
        "schedule",
        "reconcile",
        "preparing",
        "app",
        "wiring",
        "console.*",
        "commands.*",
    ),
    "urllib3": ("transport", "dialing"),
    "waitress": ("server",),
    "werkzeug": ("app", "console.*", "demo.*"),
    "wtforms": ("console.*",),
}

#: Outside the store these take `sa.Connection` for their types alone.
ONLY_TYPES = (
    "dispatch",
    "ledger",
    "reconcile",
    "takingup",
    "upgrading",
    "worker",
    "commands.*",
)


def module_names() -> dict[str, Path]:
    """Return every module by its name below the package."""
    found = {}
    for path in sorted(BRIDGE.rglob("*.py")):
        parts = path.relative_to(BRIDGE).with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").rstrip(".")] = path
    return found


MODULES = module_names()
EACH = pytest.mark.parametrize("module", sorted(MODULES), ids=lambda name: name or ".")


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a name fits one of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def layer_of(name: str) -> Layer:
    """Return the first layer that a module fits; none is a KeyError with advice."""
    for layer in LAYERS:
        if fits(name, layer.modules):
            return layer
    raise KeyError(f"bridge/{name} is in no layer of tests/test_imports.py")


@cache
def imports(module: str) -> tuple[str, ...]:
    """Return every name that a module imports, at its top, in functions, for types."""
    return tuple(_imports(module))


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "no relative imports"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(module: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    found = {
        name.removeprefix("bridge").lstrip(".")
        for name in imports(module)
        if name.split(".")[0] == "bridge"
    }
    return (found & set(MODULES)) - {""}


def libraries(module: str) -> set[str]:
    """Return the libraries that a module imports."""
    tops = {name.split(".")[0] for name in imports(module)}
    return tops - {"bridge", "__future__"} - set(sys.stdlib_module_names)


@EACH
def test_a_module_imports_down_the_table_only(module):
    layer = layer_of(module)

    wrong = {
        other
        for other in ours(module)
        if layer_of(other).name not in (layer.name, *layer.may)
    }

    assert wrong == set(), (
        f"{layer.name} may import {', '.join(layer.may) or 'nothing'}"
    )


@EACH
def test_a_module_imports_no_library_of_others(module):
    allowed = {name for name, users in LIBRARIES.items() if fits(module, users)}

    assert libraries(module) <= allowed


def test_the_table_is_honest():
    used = {name for module in MODULES for name in libraries(module)}
    layers = [layer.name for layer in LAYERS]

    assert set(LIBRARIES) - used == set()
    assert len(layers) == len(set(layers))
    assert {may for layer in LAYERS for may in layer.may} <= set(layers)


def test_only_wiring_names_adapters():
    adapters = [
        name for name in MODULES if layer_of(name).name in ("client", "providers")
    ]

    users = {
        module
        for module in MODULES
        for name in ours(module)
        if name in adapters and layer_of(module).name != layer_of(name).name
    }

    assert users <= {"wiring", "commands.demohands"}
    assert "whatsapp.console" in adapters


def test_only_the_demo_command_imports_the_demo():
    users = {module for module in MODULES if any("demo" in n for n in ours(module))}

    assert {name for name in users if not name.startswith("demo")} == {
        "commands.demo",
        "commands.demohands",
        "commands.demophone",
    }


@pytest.mark.parametrize(
    "module", [name for name in sorted(MODULES) if fits(name, ONLY_TYPES)]
)
def test_outside_the_store_a_connection_is_a_type_and_nothing_more(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))

    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sa"
    }

    assert used <= {"Connection"}


LOOK = """
import importlib, sys
for library in sys.argv[1].split():
    importlib.import_module(library)
seen = []
def hook(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")):
        seen.append(f"opened {args[0]}")
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system"):
        seen.append(event)
    if event == "_thread.start_new_thread":
        seen.append("started a thread")
sys.addaudithook(hook)
for module in sys.argv[2].split():
    before = len(seen)
    importlib.import_module(module)
    if len(seen) > before:
        print(module, seen[before:])
"""


def test_importing_does_nothing_else():
    names = [f"bridge.{name}".rstrip(".") for name in MODULES]
    skipped = ("bridge.__main__", "bridge.store.migrations")
    modules = [name for name in names if not name.startswith(skipped)]
    wanted = set(LIBRARIES) - {"sentry_sdk"} | {"apscheduler.schedulers.background"}

    # -B: what Python compiles is not written, which would be an opened file.
    looked = subprocess.run(
        [sys.executable, "-Bc", LOOK, " ".join(sorted(wanted)), " ".join(modules)],
        cwd=BRIDGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (looked.stdout, looked.stderr) == ("", "")
