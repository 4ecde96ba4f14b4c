"""The environment: every setting, all problems at once, and no secret on show."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from bridge.environ import read_environment, wrong_address
from bridge.errors import ConfigError
from bridge.settings import Secret, Settings, describe, examine, load

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
SHORT = "whsec_" + base64.b64encode(bytes(23)).decode()
GOOD = {
    "BRIDGE_SIGNING_SECRETS": KEY,
    "WHMCS_URL": "https://panel.example",
    "WHMCS_API_IDENTIFIER": "identifier-of-the-api",
    "WHMCS_API_SECRET": "secret-of-the-api",
}


def problems_of(environ: dict[str, str]) -> list[str]:
    _, found = examine(environ)
    return [problem.what for problem in found]


def problems(**changed: str) -> list[str]:
    """Return what is wrong with a good environment that was changed so."""
    with pytest.raises(ConfigError) as found:
        load(GOOD | changed)
    return [str(problem) for problem in found.value.problems]


def test_four_settings_are_enough_and_nothing_acts_by_default():
    assert load(GOOD) == Settings(
        signing_secrets=(Secret(KEY),),
        whmcs_url="https://panel.example",
        whmcs_identifier=Secret("identifier-of-the-api"),
        whmcs_secret=Secret("secret-of-the-api"),
    )
    assert load(GOOD).dry_run


DEFAULTS = [
    ("panel", "whmcs"),
    ("database_url", "sqlite:///data/bridge.db"),
    ("config_dir", Path("config")),
    ("listen_host", "127.0.0.1"),
    ("listen_port", 8080),
    ("public_url", ""),
    ("timezone", "America/Argentina/Buenos_Aires"),
    ("default_country", "AR"),
    ("language", "es"),
    ("dry_run", True),
    ("workers", 32),
    ("one_core", True),
    ("decision_seconds", 2.0),
    ("trusted_proxies", 0),
    ("metrics_allow", ("127.0.0.1",)),
    ("console_allow", ("127.0.0.1", "::1")),
    ("retention_days", 90),
    ("whmcs_access_key", Secret("")),
    ("whmcs_date_format", "DD/MM/YYYY"),
    ("whmcs_timeout", 10.0),
    ("whatsapp_provider", "console"),
    ("whatsapp_console_file", None),
    ("log_level", "info"),
    ("sentry_dsn", Secret("")),
]


@pytest.mark.parametrize(("field", "value"), DEFAULTS, ids=[f for f, _ in DEFAULTS])
def test_a_default_is_the_documented_one(field, value):
    assert getattr(load(GOOD), field) == value


ROWS = [
    ("BRIDGE_PANEL", "other", "panel", "other"),
    ("BRIDGE_SIGNING_SECRETS", f"{KEY} {OLD}", "keys", None),
    ("BRIDGE_SIGNING_SECRETS", f" {KEY} ,\n{OLD}, ", "keys", None),
    ("BRIDGE_DATABASE_URL", "sqlite:////v/b.db", "database_url", "sqlite:////v/b.db"),
    (
        "BRIDGE_DATABASE_URL",
        "postgresql+psycopg://me:pw@db:5432/bridge",
        "database_url",
        "postgresql+psycopg://me:pw@db:5432/bridge",
    ),
    ("BRIDGE_CONFIG_DIR", "/etc/bridge", "config_dir", Path("/etc/bridge")),
    ("BRIDGE_LISTEN", "0.0.0.0:80", "listen_host", "0.0.0.0"),
    ("BRIDGE_LISTEN", "[::1]:8081", "listen_host", "::1"),
    ("BRIDGE_LISTEN", "[::1]:8081", "listen_port", 8081),
    ("BRIDGE_LISTEN", ":9000", "listen_port", 9000),
    ("BRIDGE_LISTEN", "localhost:0", "listen_port", 0),
    ("BRIDGE_PUBLIC_URL", "https://b.example/", "public_url", "https://b.example"),
    ("BRIDGE_TIMEZONE", "Europe/Madrid", "timezone", "Europe/Madrid"),
    ("BRIDGE_DEFAULT_COUNTRY", "br", "default_country", "BR"),
    ("BRIDGE_LANG", "pt_BR", "language", "pt_BR"),
    ("BRIDGE_DRY_RUN", "false", "dry_run", False),
    ("BRIDGE_DRY_RUN", " No ", "dry_run", False),
    ("BRIDGE_DRY_RUN", "", "dry_run", True),
    ("BRIDGE_WORKERS", "1", "workers", 1),
    ("BRIDGE_ONE_CORE", "false", "one_core", False),
    ("BRIDGE_DECISION_SECONDS", "1.5", "decision_seconds", 1.5),
    ("BRIDGE_TRUSTED_PROXIES", "2", "trusted_proxies", 2),
    (
        "BRIDGE_METRICS_ALLOW",
        "10.0.0.0/8, ::1",
        "metrics_allow",
        ("10.0.0.0/8", "::1"),
    ),
    ("BRIDGE_RETENTION_DAYS", "31", "retention_days", 31),
    (
        "WHMCS_URL",
        "https://p.example/billing/",
        "whmcs_url",
        "https://p.example/billing",
    ),
    ("WHMCS_URL", "http://127.0.0.1:8000", "whmcs_url", "http://127.0.0.1:8000"),
    ("WHMCS_API_IDENTIFIER", "other", "whmcs_identifier", Secret("other")),
    ("WHMCS_API_SECRET", "other", "whmcs_secret", Secret("other")),
    ("WHMCS_API_ACCESS_KEY", "key", "whmcs_access_key", Secret("key")),
    ("WHMCS_DATE_FORMAT", "YYYY-MM-DD", "whmcs_date_format", "YYYY-MM-DD"),
    ("WHMCS_TIMEOUT_SECONDS", "30", "whmcs_timeout", 30.0),
    ("WHATSAPP_PROVIDER", "console", "whatsapp_provider", "console"),
    ("WHATSAPP_CONSOLE_FILE", "out.jsonl", "whatsapp_console_file", Path("out.jsonl")),
    ("LOG_LEVEL", "debug", "log_level", "debug"),
    (
        "SENTRY_DSN",
        "https://k@s.example/1",
        "sentry_dsn",
        Secret("https://k@s.example/1"),
    ),
]


@pytest.mark.parametrize(("name", "given", "field", "value"), ROWS)
def test_a_setting_is_read(name, given, field, value):
    read = getattr(load(GOOD | {name: given}), field)

    assert read == ([bytes(range(32)), bytes(range(1, 33))] if value is None else value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BRIDGE_PANEL", "WHMCS"),
        ("BRIDGE_PANEL", "../evil"),
        ("BRIDGE_PANEL", "a\nb"),
        ("BRIDGE_SIGNING_SECRETS", "secret"),
        ("BRIDGE_SIGNING_SECRETS", "whsec_"),
        ("BRIDGE_SIGNING_SECRETS", SHORT),
        ("BRIDGE_SIGNING_SECRETS", f"{KEY} {SHORT}"),
        ("BRIDGE_SIGNING_SECRETS", " , "),
        ("BRIDGE_DATABASE_URL", "mysql://db/bridge"),
        ("BRIDGE_DATABASE_URL", "sqlite://"),
        ("BRIDGE_DATABASE_URL", "sqlite:///"),
        ("BRIDGE_DATABASE_URL", "sqlite:///:memory:"),
        ("BRIDGE_DATABASE_URL", "sqlite:///data/b.db?mode=memory"),
        ("BRIDGE_DATABASE_URL", "postgresql+psycopg://db:port/bridge"),
        ("BRIDGE_DATABASE_URL", "postgresql+psycopg://me:p@ss@db/bridge"),
        ("BRIDGE_LISTEN", "8080"),
        ("BRIDGE_LISTEN", "127.0.0.1"),
        ("BRIDGE_LISTEN", "127.0.0.1:65536"),
        ("BRIDGE_LISTEN", "127.0.0.1:-1"),
        ("BRIDGE_LISTEN", "127.0.0.1:²"),
        ("BRIDGE_LISTEN", "127.0.0.1:" + "9" * 5000),
        ("BRIDGE_PUBLIC_URL", "http://bridge.example"),
        ("BRIDGE_TIMEZONE", "Buenos Aires"),
        ("BRIDGE_TIMEZONE", "America"),
        ("BRIDGE_TIMEZONE", "../../etc/passwd"),
        ("BRIDGE_DEFAULT_COUNTRY", "ARG"),
        ("BRIDGE_DEFAULT_COUNTRY", "ÑÑ"),
        ("BRIDGE_DEFAULT_COUNTRY", "ZZ"),
        ("BRIDGE_DEFAULT_COUNTRY", "UK"),
        ("BRIDGE_LANG", "fr"),
        ("BRIDGE_DRY_RUN", "perhaps"),
        ("BRIDGE_WORKERS", "0"),
        ("BRIDGE_WORKERS", "many"),
        ("BRIDGE_WORKERS", "４"),
        ("BRIDGE_WORKERS", "9" * 5000),
        ("BRIDGE_DECISION_SECONDS", "0"),
        ("BRIDGE_DECISION_SECONDS", "nan"),
        ("BRIDGE_DECISION_SECONDS", "inf"),
        ("BRIDGE_DECISION_SECONDS", "soon"),
        ("BRIDGE_TRUSTED_PROXIES", "-1"),
        ("BRIDGE_METRICS_ALLOW", "everybody"),
        ("BRIDGE_CONSOLE_ALLOW", "192.0.2.0/24, office"),
        ("BRIDGE_RETENTION_DAYS", "30"),
        ("WHMCS_URL", "panel.example"),
        ("WHMCS_DATE_FORMAT", "d/m/Y"),
        ("WHMCS_TIMEOUT_SECONDS", "121"),
        ("WHATSAPP_PROVIDER", "carrier-pigeon"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_one_problem_that_names_its_setting(name, value):
    found = problems(**{name: value})

    assert len(found) == 1
    assert found[0].startswith(f"environment: {name}: ")


@pytest.mark.parametrize("name", list(GOOD))
def test_what_is_required_and_missing_is_named(name):
    environ = {key: value for key, value in GOOD.items() if key != name}

    with pytest.raises(ConfigError, match=f"^environment: {name}: is not set") as found:
        load(environ)

    assert len(found.value.problems) == 1
    assert getattr(load(environ, need=False), "log_level") == "info"  # noqa: B009


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WHMCS_DATE_FORMATS", "WHMCS_DATE_FORMAT"),
        ("BRIDGE_DRYRUN", "BRIDGE_DRY_RUN"),
        ("BRIDGE_TIME_ZONE", "BRIDGE_TIMEZONE"),
        ("WHMCS_API_SECRETS_FILE", "WHMCS_API_SECRET_FILE"),
    ],
)
def test_a_name_with_a_slip_is_no_setting_that_is_left_out(name, meant):
    slip = f"environment: {name}: there is no such setting (did you mean {meant}?)"

    assert problems(**{name: "true"}) == [slip]


@pytest.mark.parametrize("name", ["BRIDGE_PORT", "BRIDGE_SERVICE_HOST", "WHMCS_PATH"])
def test_other_names_of_an_environment_are_left_alone(name):
    assert load(GOOD | {name: "tcp://192.0.2.1:8080"}) == load(GOOD)


def test_every_problem_is_told_at_once():
    wrong = {
        "BRIDGE_SIGNING_SECRETS": "x y",
        "BRIDGE_DATABASE_URL": "oracle://",
        "BRIDGE_LISTEN": "nowhere",
        "BRIDGE_TIMEZONE": "Mars",
        "BRIDGE_LANG": "fr",
        "BRIDGE_DRY_RUN": "perhaps",
        "BRIDGE_WORKERS": "none",
        "WHMCS_URL": "http://panel.example",
        "WHMCS_DATE_FORMAT": "odd",
        "LOG_LEVEL": "loud",
    }

    with pytest.raises(ConfigError) as found:
        load(wrong)

    told = [str(problem).split(": ")[1] for problem in found.value.problems]
    missing = ["WHMCS_API_IDENTIFIER", "WHMCS_API_SECRET"]
    twice = ["BRIDGE_SIGNING_SECRETS"]
    assert sorted(told) == sorted([*wrong, *twice, *missing])


# --- Files ---


def test_a_setting_is_read_from_its_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{KEY}\n", encoding="utf-8")
    environ = {k: v for k, v in GOOD.items() if k != "BRIDGE_SIGNING_SECRETS"}

    read = load(environ | {"BRIDGE_SIGNING_SECRETS_FILE": str(path)})

    assert read.keys == [bytes(range(32))]


def test_the_setting_itself_goes_before_its_file(tmp_path):
    (tmp_path / "secret").write_text(OLD, encoding="utf-8")
    file = {"BRIDGE_SIGNING_SECRETS_FILE": str(tmp_path / "secret")}

    assert load(GOOD | file).keys == [bytes(range(32))]
    assert load(GOOD | file | {"BRIDGE_SIGNING_SECRETS": ""}).keys == [
        bytes(range(1, 33))
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n \n", b" , "], ids=["empty", "blank", ","]
)
@pytest.mark.parametrize("name", ["BRIDGE_SIGNING_SECRETS", "WHMCS_API_SECRET"])
def test_an_empty_secret_file_is_no_secret(name, content, tmp_path):
    (tmp_path / "secret").write_bytes(content if name.startswith("B") else b" ")

    found = problems(**{name: "", f"{name}_FILE": str(tmp_path / "secret")})

    assert [problem.split(": ")[1] for problem in found] == [name]


@pytest.mark.parametrize("kind", ["missing", "a directory", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_one_problem(kind, tmp_path):
    path = tmp_path / "x"
    if kind == "a directory":
        path.mkdir()
    elif kind == "not UTF-8":
        path.write_bytes(b"\xff\xfe\xfd")

    found = problems(WHMCS_API_SECRET="", WHMCS_API_SECRET_FILE=str(path))

    assert len(found) == 1
    assert found[0].startswith(
        f"environment: WHMCS_API_SECRET_FILE: cannot read {path}"
    )


@pytest.mark.parametrize(
    ("listen", "here"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("0.0.0.0:80", "127.0.0.1:80"),
        ("[::1]:8081", "[::1]:8081"),
        ("[::]:8081", "[::1]:8081"),
        ("bridge.internal:80", "bridge.internal:80"),
    ],
)
def test_this_machine_reaches_the_receiver_where_it_listens(listen, here):
    assert load(GOOD | {"BRIDGE_LISTEN": listen}).here == here


def test_the_log_shows_an_ipv6_address_in_brackets():
    assert describe(load(GOOD | {"BRIDGE_LISTEN": "[::]:80"}))["listen"] == "[::]:80"


def test_the_environment_goes_before_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(
        'BRIDGE_LANG=en\nLOG_LEVEL="debug"\nEMPTY\n', encoding="utf-8"
    )
    monkeypatch.setenv("BRIDGE_LANG", "pt_BR")
    monkeypatch.delenv("LOG_LEVEL", raising=False)

    found = read_environment(tmp_path)

    assert (found["BRIDGE_LANG"], found["LOG_LEVEL"]) == ("pt_BR", "debug")
    assert "EMPTY" not in found


def test_a_line_of_the_env_file_that_sets_nothing_is_a_problem(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / ".env").write_text(
        "BRIDGE_LANG=xx\n\nBRIDGE_DRY_RUN: false\n# a note\nWHMCS_API_SECRET geheim\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BRIDGE_LANG", raising=False)

    with pytest.raises(ConfigError) as found:
        load(need=False)

    assert [str(problem) for problem in found.value.problems] == [
        f"environment: {tmp_path}/.env:3: not a line of the form NAME=value",
        f"environment: {tmp_path}/.env:5: not a line of the form NAME=value",
        'environment: BRIDGE_LANG: "xx" is none of es, en, pt_BR',
    ]
    assert caplog.text == ""


def test_an_env_file_that_is_no_text_is_a_problem_and_no_crash(tmp_path):
    (tmp_path / ".env").write_bytes(b"BRIDGE_LANG=\xff\xfe\n")

    with pytest.raises(ConfigError, match=r"\.env: not readable text"):
        read_environment(tmp_path)


def test_a_providers_settings_are_kept_dark_also_those_from_files(tmp_path):
    (tmp_path / "token").write_text("token-of-the-cloud\n", encoding="utf-8")
    more = {
        "WHATSAPP_TWILIO_AUTH_TOKEN": "token-of-twilio",
        "WHATSAPP_CLOUD_TOKEN_FILE": str(tmp_path / "token"),
        "WHATSAPP_CONSOLE_FILE": "out.jsonl",
    }

    others = load(GOOD | more).others

    assert others["WHATSAPP_TWILIO_AUTH_TOKEN"].reveal() == "token-of-twilio"
    assert others["WHATSAPP_CLOUD_TOKEN"].reveal() == "token-of-the-cloud"
    assert "token" not in repr(others).replace("TOKEN", "")


# --- Providers ---

PROVIDERS = {
    "cloud": {
        "WHATSAPP_CLOUD_TOKEN": "token",
        "WHATSAPP_CLOUD_NUMBER_ID": "106540352242922",
        "WHATSAPP_CLOUD_WABA_ID": "102290129340398",
        "WHATSAPP_CLOUD_APP_SECRET": "secret",
        "WHATSAPP_CLOUD_VERIFY_TOKEN": "verify",
    },
    "twilio": {
        "WHATSAPP_TWILIO_ACCOUNT_SID": "AC" + "0a" * 16,
        "WHATSAPP_TWILIO_AUTH_TOKEN": "token",
        "WHATSAPP_TWILIO_FROM": "+14155550100",
    },
    "evolution": {
        "WHATSAPP_EVOLUTION_URL": "https://evolution.example",
        "WHATSAPP_EVOLUTION_KEY": "key",
        "WHATSAPP_EVOLUTION_INSTANCE": "ventas sur",
    },
    "waha": {
        "WHATSAPP_WAHA_URL": "http://127.0.0.1:3000",
        "WHATSAPP_WAHA_KEY": "key",
        "WHATSAPP_WAHA_HMAC_KEY": "hmac",
    },
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_provider_needs_is_enough(provider):
    found = load(GOOD | PROVIDERS[provider] | {"WHATSAPP_PROVIDER": provider})

    assert found.whatsapp_provider == provider
    assert {name: value.reveal() for name, value in found.others.items()} == {
        **PROVIDERS[provider],
        "WHATSAPP_PROVIDER": provider,
    }


def test_twilio_calls_no_host_with_an_underscore():
    address = {"BRIDGE_PUBLIC_URL": "https://my_bridge.example/some_where"}
    told = {
        name: problems_of(GOOD | given | address | {"WHATSAPP_PROVIDER": name})
        for name, given in PROVIDERS.items()
    }

    (found,) = told.pop("twilio")
    assert "BRIDGE_PUBLIC_URL: Twilio refuses" in found
    assert list(told.values()) == [[], [], []]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_all_that_a_provider_misses_is_told_at_once(provider):
    found = problems(WHATSAPP_PROVIDER=provider)

    assert sorted(problem.split(": ")[1] for problem in found) == sorted(
        PROVIDERS[provider]
    )
    assert all("is not set; " in problem for problem in found)
    assert load(GOOD | {"WHATSAPP_PROVIDER": provider}, need=False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WHATSAPP_CLOUD_URL", "http://graph.example", "only https"),
        ("WHATSAPP_CLOUD_VERSION", "25", "as v25.0"),
        ("WHATSAPP_CLOUD_TOKEN", "a token\nwith two lines", "holds a blank"),
        ("WHATSAPP_CLOUD_TOKEN", "tokén", "cannot be part of it"),
        ("WHATSAPP_CLOUD_NUMBER_ID", "+5491155551234", "not the number"),
        ("WHATSAPP_CLOUD_WABA_ID", "../me", "must be digits"),
        ("WHATSAPP_CLOUD_APP_SECRET", "a\tb", "cannot be part of it"),
        ("WHATSAPP_CLOUD_PER_SECOND", "0", "messages per second"),
        ("WHATSAPP_CLOUD_PER_SECOND", "nan", "messages per second"),
        ("WHATSAPP_CLOUD_PER_SECOND", "1e3", "messages per second"),
        ("WHATSAPP_CLOUD_TOKKEN", "x", "did you mean WHATSAPP_CLOUD_TOKEN?"),
        ("WHATSAPP_CLOUD_COLOUR_OF_THE_SKY", "x", "there is no such setting"),
    ],
)
def test_a_bad_value_of_a_provider_is_one_problem_without_the_value(name, value, said):
    (found,) = problems(
        **PROVIDERS["cloud"] | {"WHATSAPP_PROVIDER": "cloud", name: value}
    )

    assert found.startswith(f"environment: {name}: ")
    assert said in found
    assert value == "25" or value in ("0", "x") or value not in found


def test_what_is_set_for_another_provider_is_left_alone():
    more = {"WHATSAPP_WAHA_ODD": "x", "WHATSAPP_CLOUD_VERSION": "25"}

    assert load(GOOD | more).others["WHATSAPP_WAHA_ODD"] == Secret("x")


def test_a_providers_settings_come_from_files_too(tmp_path):
    (tmp_path / "token").write_text("token-of-the-cloud\n", encoding="utf-8")
    environ = GOOD | PROVIDERS["cloud"] | {"WHATSAPP_PROVIDER": "cloud"}
    del environ["WHATSAPP_CLOUD_TOKEN"]

    found = load(environ | {"WHATSAPP_CLOUD_TOKEN_FILE": str(tmp_path / "token")})
    missing = problems(
        **environ, WHATSAPP_CLOUD_TOKEN_FILE=str(tmp_path / "no such file")
    )

    assert found.others["WHATSAPP_CLOUD_TOKEN"].reveal() == "token-of-the-cloud"
    assert len(missing) == 1
    assert "cannot read" in missing[0]


# --- Addresses ---


@pytest.mark.parametrize(
    "url",
    [
        "https://panel.example",
        "https://panel.example:8443/billing",
        "http://127.0.0.1:8000",
        "http://127.8.9.10",
        "http://[::1]:8000",
        "http://localhost",
    ],
)
def test_https_goes_anywhere_and_http_to_this_machine(url):
    assert wrong_address(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://panel.example",
        "http://localhost.panel.example",
        "http://127.0.0.1.panel.example",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://169.254.169.254",
        "http://[::]",
        "http://127.1",
        "http://2130706433",
        "ftp://panel.example",
        "file:///etc/passwd",
        "//panel.example",
        "https://",
        "https://[::1",
        "https://panel.example:port",
        "https://user:password@panel.example",
        "https://user@panel.example",
        "https://panel.example/includes/api.php",
        "https://panel.example/?a=b",
        "https://panel.example/#a",
        "http://127.0.0.1@panel.example",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url):
    assert wrong_address(url)


# --- Secrets ---


def test_a_secret_is_never_shown_by_accident():
    secret = Secret("marked")

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>40}"]
    shown += [repr([secret]), repr({"a": secret}), json.dumps(secret, default=str)]

    assert "marked" not in "".join(shown)
    assert secret.reveal() == "marked"
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_by_their_text_and_hash_alike():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a")
    assert not Secret("")


MARKED = GOOD | {
    "BRIDGE_SIGNING_SECRETS": f"{KEY} {OLD}",
    "BRIDGE_DATABASE_URL": "postgresql+psycopg://me:dbpw@db/b?password=dbpw",
    "WHMCS_API_ACCESS_KEY": "access-key-of-the-api",
    "SENTRY_DSN": "https://key-of-sentry@s.example/1",
    "WHATSAPP_WAHA_KEY": "key-of-waha",
}
HIDDEN = [KEY[6:], OLD[6:], "dbpw", "-of-the-api", "key-of-sentry", "key-of-waha"]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_secret_is_in_what_is_shown_of_the_settings(hidden):
    read = load(MARKED)

    assert hidden not in repr(read) + str(read) + json.dumps(describe(read))


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_secret_is_in_a_problem(hidden):
    wrong = {name: f"{value}é?#" for name, value in MARKED.items()}
    wrong["BRIDGE_DATABASE_URL"] = "postgres://me:dbpw@db/b"
    wrong["WHMCS_URL"] = "https://me:secret-of-the-api@panel.example"

    with pytest.raises(ConfigError) as found:
        load(wrong)

    assert len(found.value.problems) == 3
    assert hidden not in str(found.value)


def test_a_pipe_in_place_of_a_file_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "secret")
    os.mkfifo(tmp_path / ".env")

    said = problems(WHMCS_API_SECRET="", WHMCS_API_SECRET_FILE=f"{tmp_path}/secret")
    with pytest.raises(ConfigError, match=r"\.env: not a regular file"):
        read_environment(tmp_path)

    assert any("not a regular file" in one for one in said)


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    (tmp_path / ".env").write_text("#" * 100_000)

    with pytest.raises(ConfigError, match="larger than 64 KiB"):
        read_environment(tmp_path)
