"""Under php-fpm the page leaves first: what the bridge does is no matter of the visitor's."""

from __future__ import annotations

import json
import threading

import pytest

from .fastcgi import Fpm, binary
from .stage import until

pytestmark = pytest.mark.skipif(binary() is None, reason="php-fpm is not installed")


@pytest.fixture(scope="module")
def fpm(panel_stage):
    found = Fpm({"STAGE_DATABASE": panel_stage.env["STAGE_DATABASE"]})
    yield found
    found.stop()


@pytest.fixture
def page(fpm, stage):
    """Return a function that asks php-fpm for a page of the stage."""

    def ask(**asked):
        body = {"clock": int(stage.clock.now().timestamp()), "as": "client", **asked}
        found = fpm.page(stage.folder / "index.php", json.dumps(body))
        assert found.errors == ""
        assert json.loads(found.body)["page"] == ""
        return found

    return ask


def settled(stage):
    """Wait until what goes on behind the pages has ended."""
    until(
        lambda: all(row["tries"] for row in stage.rows()[:1]), "no row was ever tried"
    )


FIRE = [["InvoicePaid", {"invoiceid": 1}]]


@pytest.mark.parametrize("behave", ["hang", "ok", 503])
def test_the_page_is_there_before_anything_is_sent(stage, receiver, page, behave):
    page(fire=[])
    receiver.behave = behave

    found = page(fire=FIRE)

    assert found.seconds < 0.5
    settled(stage)
    assert len(receiver.got) == 1


def test_the_visitors_next_page_does_not_wait_for_the_session(stage, receiver, page):
    page(fire=[], session=True)
    receiver.behave = "hang"
    page(fire=FIRE, session=True)

    found = page(fire=[], session=True)

    assert found.seconds < 0.5
    settled(stage)


def test_pages_at_once_send_no_row_twice_and_keep_the_order(stage, receiver, page):
    crowd = [
        threading.Thread(target=page, kwargs={"fire": FIRE * 3}) for _ in range(12)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()

    until(lambda: stage.rows() == [], "rows are left")
    assert len(receiver.got) == 36
    assert len({one.id for one in receiver.got}) == 36
