"""Every error code of every provider has the class that it must have."""

from __future__ import annotations

import pytest

from bridge.errors import ErrorClass
from bridge.transport import Answer, Call
from bridge.whatsapp import cloud, evolution, twilio, waha
from bridge.whatsapp.cloud_errors import ERRORS as CLOUD
from bridge.whatsapp.line import table
from bridge.whatsapp.twilio_errors import ERRORS as TWILIO
from tests.whatsapp.providers import HELLO, provider

#: Written out by hand from the vendors' lists, apart from the adapters' own tables.
CLOUD_ROWS = {
    "halt": [
        0, 190, 3, 10, 200, 201, 250, 299, 131005, 33, 368, 131031, 131037, 131042,
        134011, 131045, 133006, 133010, 133015, 133016, 131064,
    ],
    "unsure": [1, 2, 131000, 131016, 133004],
    "retry": [4, 80007, 80008, 130429, 131048, 131057, 2494100, 134101],
    "fix": [
        100, 131008, 131009, 135000, 131030, 131051, 131052, 131053, 131055, 131063,
        134100, 134102, 131062, 132000, 132012, 132018, 132001, 132005, 132007,
        132068, 132069, 132015, 132016, 2388019, 2388039, 2388150, 2388293, 2388299,
    ],
    "never": [130403, 131021, 130497, 131026, 131050],
    "later": [130472, 131049],
    "as_template": [131047],
    "pair": [131056],
}  # fmt: skip
TWILIO_ROWS = {
    "halt": [20003, 63020, 63062],
    "retry": [20429, 21611, 30001, 30036],
    "never": [21211, 21614, 63024, 21610, 63014],
    "unsure": [63012, 63023],
    "as_template": [63016],
    "pair": [63018],
    "fix": [
        21656, 63013, 63021, 63030, 63027, 63028, 63029, 63003, 63019,
    ],
    "later": [63038, 63049, 63032],
}  # fmt: skip
ROWS = [
    (module, code, kind)
    for module, rows in ((cloud, CLOUD_ROWS), (twilio, TWILIO_ROWS))
    for kind, codes in rows.items()
    for code in codes
]


class Answering:
    """A transport with one answer to everything."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def send(self, call: Call, **how: object) -> Answer:
        return self.answer


@pytest.mark.parametrize(("module", "code", "kind"), ROWS)
def test_a_code_has_its_class_whatever_the_status(module, code, kind):
    assert module.rule_for(code).kind is ErrorClass(kind)
    assert module.rule_for(code, 500).kind is ErrorClass(kind)
    assert module.rule_for(code).what


def test_no_code_is_in_a_table_that_is_not_looked_at_here():
    ranges = {*range(200, 300), *range(2388039, 2388300)}

    assert set(CLOUD) - ranges == {
        c for codes in CLOUD_ROWS.values() for c in codes
    } - (ranges)
    assert set(TWILIO) == {c for codes in TWILIO_ROWS.values() for c in codes}


@pytest.mark.parametrize("code", range(200, 300))
def test_every_missing_permission_halts(code):
    assert cloud.rule_for(code).kind is ErrorClass.HALT


@pytest.mark.parametrize("module", [cloud, twilio])
@pytest.mark.parametrize("code", [None, 424242])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, "unsure"), (502, "unsure"), (503, "unsure"), (599, "unsure"),
        (429, "retry"), (408, "retry"), (401, "halt"), (302, "halt"),
        (400, "fix"), (403, "fix"), (404, "fix"), (413, "fix"),
    ],
)  # fmt: skip
def test_an_unknown_code_is_judged_by_the_status(module, code, status, kind):
    assert module.rule_for(code, status).kind is ErrorClass(kind)


WAITS = [
    (4, 300), (80007, 300), (80008, 300), (131057, 20), (2494100, 20), (134101, 600),
    (131048, 900), (130429, None), (131056, None),
]  # fmt: skip


@pytest.mark.parametrize(("code", "wait"), WAITS)
def test_a_code_that_asks_for_patience_says_how_much(code, wait):
    assert cloud.rule_for(code).wait == wait


def test_a_spam_limit_puts_marketing_off_and_slows_the_rest_down():
    assert cloud.rule_for(131048, 400, "marketing").kind is ErrorClass.LATER
    assert cloud.rule_for(131048, 400, "utility").kind is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("to", "kind"),
    [("+12025550123", "never"), ("+18095551234", "later"), ("+5491155551234", "later")],
)
def test_only_the_united_states_get_no_marketing_at_all(to, kind):
    assert twilio.rule_for(63049, 400, to).kind is ErrorClass(kind)


@pytest.mark.parametrize(
    ("module", "status", "kind"),
    [
        (evolution, 400, "fix"), (evolution, 401, "halt"), (evolution, 403, "halt"),
        (evolution, 404, "halt"), (evolution, 429, "retry"), (evolution, 500, "unsure"),
        (waha, 400, "fix"), (waha, 401, "halt"), (waha, 403, "halt"),
        (waha, 404, "fix"), (waha, 422, "halt"), (waha, 429, "retry"),
        (waha, 500, "unsure"),
    ],
)  # fmt: skip
def test_a_gateways_status_has_its_class(module, status, kind):
    name = module.__name__.rpartition(".")[2]
    adapter = provider(name, "http://127.0.0.1:1", None)

    assert adapter.refusal(Answer(status, {}, b"{}")).kind is ErrorClass(kind)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "odd",
        "{}",
        "[]",
        '{"1": 5}',
        '{"1": [{"estimated_time_to_regain_access": 0}]}',
    ],
)
def test_a_usage_header_that_says_nothing_leaves_five_minutes(header):
    answer = Answer(
        400, {"X-Business-Use-Case-Usage": header}, b'{"error": {"code": 80007}}'
    )
    adapter = provider("cloud", "http://127.0.0.1:1", Answering(answer))

    with pytest.raises(Exception, match="retry") as caught:
        adapter.send(HELLO)

    assert caught.value.retry_after == 300.0


def test_a_code_in_two_rows_of_a_table_is_a_mistake():
    rows = [((1, 2), ErrorClass.FIX, "a"), ((2,), ErrorClass.HALT, "b")]

    with pytest.raises(ValueError, match="code 2"):
        table(rows)
