"""Marked secrets in every variable of every hookpoint: none leaves the panel."""

from __future__ import annotations

import base64
import json
import re
from itertools import count
from pathlib import Path

import pytest

from .stage import ADDON, ROOT

CATALOGUE = json.loads((ROOT / "bridge/hookpoints.json").read_text("utf-8"))[
    "hookpoints"
]
MARK = "MARKED-SECRET"
#: Everything a module or registrar hands over beside what is on the list.
NESTED = {
    "password": MARK, "username": MARK, "serverpassword": MARK, "serveraccesshash": MARK,
    "serverusername": MARK, "configoption1": MARK, "configoption24": MARK, "eppcode": MARK,
    "clientsdetails": {"email": MARK, "password": MARK, "deep": {"deeper": [MARK]}},
    "customfields": {"PIN": MARK}, "configoptions": {"RAM": MARK}, "ApiKey": MARK,
    "model": {"object": MARK}, "Username": MARK, "TestMode": MARK,
}  # fmt: skip
LOUD = {
    "password": MARK, "password2": MARK, "newpassword": MARK, "oldpassword": MARK,
    "loginpassword": MARK, "authdata": MARK, "securityqans": MARK, "cardnum": MARK,
    "cardcvv": MARK, "eppcode": MARK, "token": MARK, "mergefields": {"a": MARK},
    "attachments": [MARK], "data": MARK, "configoption3": MARK, "tokenid": MARK,
    "olddata": {"password": MARK, "authdata": MARK, "phonenumber": "+54.1"},
    "invoice": {"object": MARK}, "client": {"object": MARK}, "params": NESTED,
    "strangeid": MARK,
}  # fmt: skip


def marked(name, *, nested):
    """Return all variables: those on the list hold a mark where it must not pass.

    Where a text may leave, an object or a list with the mark stands in its place;
    numbers and flags hold it as text.
    """
    data = json.loads(json.dumps(LOUD))
    for field, kind in CATALOGUE[name]["fields"].items():
        value = [MARK, {"deep": MARK}] if nested or kind in ("string", "any") else MARK
        holder, _, leaf = field.rpartition(".")
        if holder:
            data.setdefault(holder, {})[leaf] = {"object": MARK} if nested else value
        else:
            data[leaf] = {"object": MARK} if nested else value
    return told_apart(data)


def told_apart(data):
    """Number the marks: else masking one that is known to be secret hides others."""
    numbers = count(1000)
    text = re.sub(MARK, lambda _: f"{MARK}-{next(numbers)}", json.dumps(data))
    return json.loads(text)


@pytest.fixture
def everything(stage, receiver):
    """Register every documented hookpoint, and have the module log switched on."""
    names = sorted(set(CATALOGUE) - {"AfterCronJob"})
    receiver.hookpoints = {
        "hookpoints": [*names, "BrandNew"],
        "decisions": [],
        "map": "all",
    }
    stage.cron()
    stage.sql("INSERT INTO tblconfiguration VALUES ('ModuleDebugMode', 'on')")
    receiver.got.clear()
    return [*names, "BrandNew"]


def found(stage, receiver):
    """Return wherever the mark is, also as base64, hex, or in capitals."""
    spelled = [MARK, MARK.encode().hex(), base64.b64encode(MARK.encode()).decode()[:16]]
    places = {
        "table": json.dumps(stage.rows("1 = 1")),
        "state": json.dumps(stage.state()),
        "request": "".join(f"{one.headers}{one.body!r}" for one in receiver.got),
        "module log": json.dumps(stage.sql("SELECT * FROM tblmodulelog")),
        "activity log": json.dumps(stage.sql("SELECT * FROM tblactivitylog")),
    }
    pattern = re.compile("|".join(map(re.escape, spelled)), re.IGNORECASE)
    return [where for where, text in places.items() if pattern.search(text)]


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("behave", ["ok", 400, 503], ids=["taken", "parked", "failing"])
def test_no_marked_secret_leaves(stage, receiver, everything, behave, nested):
    receiver.behave = behave
    data = {
        name: marked(name, nested=nested) if name in CATALOGUE else told_apart(LOUD)
        for name in everything
    }

    for start in range(0, len(everything), 60):
        part = everything[start : start + 60]
        stage.page(fire=[[name, data[name]] for name in part], as_="client")
    for name in everything:
        if "callback" in CATALOGUE.get(name, {}):
            stage.fire(name, {"*": [MARK, {"object": MARK}]})

    assert found(stage, receiver) == []
    told = {one.type for one in receiver.got} | {
        row["hookpoint"] for row in stage.rows()
    }
    assert told == set(everything)


def test_the_questions_carry_no_marked_secret_either(stage, receiver):
    receiver.behave = lambda got: "html"
    stage.sql("INSERT INTO tblconfiguration VALUES ('ModuleDebugMode', 'on')")
    stage.sql(
        "INSERT INTO tblhosting (id, userid, packageid, domain, username, password)"
        f" VALUES (1, 1, 21, '{MARK}', '{MARK}', '{MARK}')"
    )

    for name in (
        "OrderProductUpgradeOverride",
        "PreUpgradeCheckout",
        "ShoppingCartValidateUpgrade",
    ):
        data = marked(name, nested=False) | {
            "oldproductid": 21,
            "id": 1,
            "serviceId": 1,
        }
        stage.fire(
            name, data, as_="client", client=1, request={"id": "1", "token": MARK}
        )

    assert len(receiver.got) == 3
    assert stage.sql("SELECT COUNT(*) AS n FROM tblmodulelog")[0]["n"] == 3
    assert found(stage, receiver) == []


def test_a_secret_that_a_text_repeats_is_masked(stage, receiver):
    receiver.hookpoints = {
        "hookpoints": ["AfterModuleCreateFailed"],
        "decisions": [],
        "map": "x",
    }
    stage.cron()
    params = {"serviceid": 5, "serverpassword": MARK, "deep": {"ApiKey": "KEY-OF-API"}}
    words = f"login with {MARK} and KEY-OF-API refused"

    stage.fire(
        "AfterModuleCreateFailed", {"params": params, "failureResponseMessage": words}
    )

    (body,) = [json.loads(one.body) for one in receiver.posts()]
    assert body["data"] == {
        "params": {"serviceid": 5},
        "failureResponseMessage": "login with *** and *** refused",
    }


def test_of_an_unknown_hookpoint_ids_leave_and_nothing_else(
    stage, receiver, everything
):
    stage.fire(
        "BrandNew",
        {"orderid": 5, "userid": "7", "amount": 3, "name": "Ana", "tokenid": 9, "x_id": "9a",
         "nested": {"id": 4}, "invoiceid": -2},
    )  # fmt: skip

    (body,) = [json.loads(one.body) for one in receiver.posts()]
    assert body["data"] == {"orderid": 5, "userid": 7}


def test_the_signing_secret_is_in_no_log_and_no_table(stage, receiver, secret):
    stage.sql("INSERT INTO tblconfiguration VALUES ('ModuleDebugMode', 'on')")
    receiver.behave = lambda got: 500

    stage.fire("InvoicePaid", {"invoiceid": 1})
    stage.fire("ShoppingCartValidateUpgrade", {"id": 1, "pid": 2})

    places = [stage.rows(), stage.state(), stage.sql("SELECT * FROM tblmodulelog"),
              stage.sql("SELECT * FROM tblactivitylog"), [str(one) for one in receiver.got]]  # fmt: skip
    assert len(places[2]) == 2
    assert secret.removeprefix("whsec_") not in json.dumps(places)


def test_the_list_of_fields_is_the_one_of_the_catalogue():
    script = ROOT / "addons/whmcs/make_fields.py"
    names: dict[str, object] = {"__name__": "make_fields", "__file__": str(script)}
    exec(compile(script.read_text("utf-8"), str(script), "exec"), names)

    assert Path(ADDON / "lib/fields.php").read_text("utf-8") == names["text"]()


def test_no_name_on_the_list_sounds_like_a_secret():
    text = (ADDON / "lib/fields.php").read_text("utf-8")

    names = re.findall(r"(?:[ '])([\w.\[\]]+):[ifbsa]", text)

    loud = re.compile(
        r"passw|secret|token|hash|authdata|cvv|cardnum|eppcode|apikey|configoption|username|mergefield",
        re.I,
    )
    assert len(names) > 900
    assert [name for name in names if loud.search(name)] == []
