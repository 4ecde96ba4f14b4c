"""The demo's telephone network: a simulated provider that a real adapter talks to."""

from __future__ import annotations

import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from bridge import upkeep
from bridge.commands.comparing import compare, submit
from bridge.demo.clock import Clock
from bridge.demo.panel_wire import Wire
from bridge.demo.story import Sent
from bridge.demo.whatsapp import cloud, evolution, twilio, waha
from bridge.demo.whatsapp.server import StubServer, post
from bridge.demo.whatsapp.stub import Stub, Taken
from bridge.settings import Secret, Settings
from bridge.store import talk, told
from bridge.whatsapp import TemplateState
from bridge.whatsapp.phones import incoming
from bridge.wiring import Bridge

PROVIDERS = ("cloud", "twilio", "evolution", "waha")
_COLUMNS = 72
#: How often what came is looked at while the demo stays up, in seconds.
_POLL = 0.2
#: The vendor's code for a person who cannot be reached, told in a later state. (One
#: who is not on WhatsApp would be tried in the other form of his number first.)
_ABSENT = {"cloud": 130403, "twilio": 63024}


class Telephone:
    """One simulated provider and the people behind it, for the story.

    *port* is where the bridge listens; *bridge* gives the one that runs just then.
    """

    def __init__(self, name: str, clock: Clock, port: int) -> None:
        self.name = name
        self.public_url = f"http://127.0.0.1:{port}"
        self.path = f"/whatsapp/{name}"
        self.stub = _stub(name, clock, self.public_url + self.path)
        self.bridge: Callable[[], Bridge] = _nobody
        self.server = StubServer(self.stub)
        self._wire = Wire.to(self.public_url)
        self._clock = clock
        self._told = 0

    # --- The bridge's side ---

    def environ(self) -> dict[str, str]:
        """Return the settings of the adapter that talks to it."""
        prefix = f"WHATSAPP_{self.name.upper()}_"
        given = _given(self.name, self.server.url)
        return {prefix + name: value for name, value in given.items()}

    def settings(self, settings: Settings) -> Settings:
        """Return settings with this provider chosen."""
        others = {name: Secret(value) for name, value in self.environ().items()}
        return replace(
            settings,
            whatsapp_provider=self.name,
            whatsapp_console_file=None,
            public_url=self.public_url,
            others=others,
        )

    def deliver(self) -> bool:
        """Post webhooks that wait to the bridge; false where there were none."""
        if not self.stub.pending:
            return False
        self.stub.deliver(lambda hook: post(self._wire, self.path, hook))
        return True

    def messages(self) -> list[Sent]:
        """Return the messages taken since this was asked last.

        The name of free text stands in the bridge's book: until it does, it waits.
        """
        found: list[Sent] = []
        with self.bridge().store.read() as db:
            while self._told < len(self.stub.taken):
                one = self.stub.taken[self._told]
                row = _row(db, one)
                if row is None and not one.template:
                    break
                found.append(_sent(one, row, f"{self._clock.local():%H:%M}"))
                self._told += 1
        return found

    # --- What the story does with it ---

    @property
    def templates(self) -> bool:
        """Whether it has templates, and a window outside of which they are needed."""
        return bool(self.bridge().bench.provider.windowed)

    @property
    def settles(self) -> bool:
        """Whether a tag comes back in states, so that a lost answer is settled."""
        return bool(self.bridge().bench.provider.tags)

    @property
    def fails(self) -> bool:
        """Whether it tells by a later state why somebody cannot be reached."""
        return self.name in _ABSENT

    @property
    def malformed(self) -> list[str]:
        """Requests that no client of this vendor should make."""
        return list(self.stub.refused)

    @property
    def taken(self) -> int:
        """How many messages it took."""
        return len(self.stub.taken)

    def push(self) -> tuple[int, int]:
        """Submit every text as `templates push` does; return how many, and refused."""
        bench = self.bridge().bench
        today = bench.now().astimezone(bench.zone).date()
        lines = compare(bench.map.current, bench.provider.templates(), today)
        became = [what for _, what in submit(bench.provider, lines)]
        good = [one for one in became if isinstance(one, TemplateState)]
        return len(good), len(became) - len(good)

    def review(self) -> None:
        """Approve whatever was submitted, as the vendor's people do."""
        if isinstance(self.stub, cloud.CloudStub):
            for name, language in list(self.stub.templates.kept):
                self.stub.review(name, language, "APPROVED")
        elif isinstance(self.stub, twilio.TwilioStub):
            for one in self.stub.contents.values():
                one["approval"]["status"] = "approved"
        upkeep.sync_templates(self.bridge().bench)

    def approved(self) -> int:
        """Return how many templates the bridge knows to be approved."""
        with self.bridge().store.read() as db:
            rows = talk.known_templates(db)
        return sum(row.status == "APPROVED" for row in rows)

    def learn(self) -> None:
        """Have the bridge read whose telephone is which, as it does by itself."""
        while upkeep.index_phones(self.bridge().bench):
            pass

    def write(self, number: str, text: str) -> None:
        """A person writes."""
        self.stub.write(number, text)

    def lose(self) -> None:
        """Take the next message, and let the answer be lost."""
        self.stub.play("lost")

    def absent(self, number: str) -> None:
        """Let the next message to *number* fail in a later state."""
        self.stub.failing[number] = _ABSENT[self.name]

    def states(self) -> Counter[str]:
        """Return how many messages of the bridge's book are in which state."""
        with self.bridge().store.read() as db:
            return Counter(told.states(db))

    # --- After the story ---

    def stay(self, show: Callable[[str], None]) -> None:
        """Deliver webhooks and show messages from now on, in a thread."""

        def work() -> None:
            while True:
                threading.Event().wait(_POLL)
                self.deliver()
                for one in self.messages():
                    show(one.bubble)

        threading.Thread(target=work, daemon=True).start()


def _nobody() -> Bridge:
    raise LookupError("the bridge is not there yet")


def _stub(name: str, clock: Clock, address: str) -> Stub:
    if name == "cloud":
        meta = cloud.CloudStub(clock.now)
        meta.webhook, meta.open = address, set()
        return meta
    if name == "twilio":
        reseller = twilio.TwilioStub(clock.now, webhook=address)
        reseller.open = set()
        return reseller
    if name == "evolution":
        first = evolution.EvolutionStub(clock.now)
        first.webhook = address
        return first
    second = waha.WahaStub(clock.now)
    second.webhook = address
    return second


def _given(name: str, url: str) -> Mapping[str, str]:
    """Return what the adapter is told; gateways send as fast as the story goes."""
    return {
        "cloud": {
            "URL": url,
            "TOKEN": cloud.TOKEN,
            "NUMBER_ID": cloud.NUMBER_ID,
            "WABA_ID": cloud.WABA_ID,
            "APP_SECRET": cloud.APP_SECRET,
            "VERIFY_TOKEN": cloud.VERIFY_TOKEN,
        },
        "twilio": {
            "URL": url,
            "CONTENT_URL": url,
            "ACCOUNT_SID": twilio.SID,
            "AUTH_TOKEN": twilio.AUTH_TOKEN,
            "FROM": twilio.SENDER,
        },
        "evolution": {
            "URL": url,
            "KEY": evolution.KEY,
            "INSTANCE": evolution.INSTANCE,
            "WEBHOOK_TOKEN": evolution.WEBHOOK_TOKEN,
            "PER_SECOND": "80",
        },
        "waha": {
            "URL": url,
            "KEY": waha.KEY,
            "SESSION": waha.SESSION,
            "HMAC_KEY": waha.HMAC_KEY,
            "PER_SECOND": "80",
        },
    }[name]


def _row(db: Any, one: Taken) -> Any:
    """Return what the bridge's book says of a message, None where it does not yet."""
    whole = f"true_{one.to.lstrip('+')}@c.us_{one.id}"
    for id in (one.id, whole):
        row = talk.message(db, key=one.tag, provider_id=id)
        if row is not None:
            return row
    return None


def _sent(one: Taken, row: Any, at: str) -> Sent:
    to = incoming(one.to) or one.to
    name = row.name if row is not None else one.template
    language = row.language if row is not None else one.language
    text = f"{one.text}\n{one.button}" if one.button else one.text
    form = f"{name}, {language}, {'plantilla' if one.template else 'texto'}"
    bubble = "\n".join(_bubble(f"╭─ {to} ─ {form} ─ {at} ", one.text))
    return Sent(to, name, text, language, bubble)


def _bubble(head: str, text: str) -> Iterator[str]:
    yield head.ljust(_COLUMNS, "─")
    for paragraph in text.splitlines():
        for line in textwrap.wrap(paragraph, _COLUMNS - 2) or [""]:
            yield f"│ {line}".rstrip()
    yield "╰" + "─" * (_COLUMNS - 1)
