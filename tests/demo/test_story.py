"""The judge of the story: what a bridge does wrong is seen, named and counted."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel_wire import Answer
from bridge.demo.story import Play, Sent, Step, Words, tell_story
from bridge.demo.story_script import LAST_DAY, script
from bridge.demo.story_stage import Tape, perform
from bridge.demo.world import World

ANA, BRUNO = "+5491140000001", "+5491140000002"
HELLO = Words("Un saludo", "A greeting")


class FakeHands:
    """A bridge whose messages are laid out beforehand, a batch for each work."""

    def __init__(self, *batches):
        self.batches = list(batches)
        self.new = []
        self.worked = 0

    def work(self):
        self.worked += 1
        if self.batches:
            self.new += self.batches.pop(0)

    def messages(self):
        new, self.new = self.new, []
        return new

    def get(self, path):
        return Answer(503, b"{}", {})

    def post(self, id, body, *, secret="", late=0.0):
        return Answer(503, b"{}", {})

    def restart(self):
        pass

    def reconcile(self):
        return []

    def order_upgrade(self, service_id, product_id, cycle):
        pass

    def became(self, event_id):
        return []

    def keeps(self, text):
        return False


def message(to=ANA, name="welcome", text="Hola Ana, bienvenida.", bubble=""):
    return Sent(to, name, text, "es", bubble or f"╭─ {to}\n│ {text}\n╰──\n")


@pytest.fixture
def lines():
    return []


@pytest.fixture
def play(world, panel, bridge, signing, lines):
    def with_hands(*batches, language="es"):
        return Play(
            FakeHands(*batches),
            world,
            panel,
            Outbox(world, bridge, signing),
            date(2026, 11, 20),
            show=lines.append,
            language=language,
            patience=0.05,
        )

    return with_hands


def step(run, at="10:00", day=1, title=HELLO):
    return Step(day, at, title, run)


def test_a_message_that_arrives_is_judged_good(play, lines):
    stage = play([message()])

    [verdict] = tell_story(stage, [step(lambda p: p.arrives("Ana welcome"))])

    assert verdict.good
    assert lines[-1] == "  ✓ mensajes: Ana welcome"


def test_a_lost_message_is_reported_with_what_was_expected_and_seen(play, lines):
    stage = play([])

    [verdict] = tell_story(stage, [step(lambda p: p.arrives("Ana welcome"))])

    assert not verdict.good
    assert verdict.step == "Un saludo"
    assert lines[-3:] == [
        "  ✗ mensajes",
        "      esperado: Ana welcome",
        "      visto: —",
    ]


def test_a_doubled_message_is_reported(play):
    stage = play([message(), message()])

    [verdict] = tell_story(stage, [step(lambda p: p.arrives("Ana welcome"))])

    assert (verdict.good, verdict.seen) == (False, "Ana welcome ×2")


def test_a_message_to_somebody_else_is_reported(play):
    stage = play([message(to=BRUNO)])

    [verdict] = tell_story(stage, [step(lambda p: p.arrives("Ana welcome"))])

    assert (verdict.good, verdict.seen) == (False, "Bruno welcome")


def test_a_message_nobody_expected_is_reported(play, lines):
    stage = play([message()])

    [verdict] = tell_story(stage, [step(lambda p: p.arrives())])

    assert not verdict.good
    assert lines[-3] == "  ✗ ningún mensaje"


def test_a_text_that_lacks_a_piece_is_reported(play):
    stage = play([message(text="Son 24,25 ARS")])

    verdicts = tell_story(stage, [step(lambda p: p.says(p.now_sent(), "50,00 ARS"))])

    assert [(v.wanted, v.seen) for v in verdicts] == [("50,00 ARS", "—")]


def test_a_claim_that_does_not_hold_is_reported(play, lines):
    stage = play()

    [verdict] = tell_story(stage, [step(lambda p: p.claim("vive", "alive", False))])

    assert not verdict.good
    assert lines[-3:] == ["  ✗ vive", "      esperado: sí", "      visto: no"]


def test_a_step_that_raises_has_failed_and_the_story_goes_on(play):
    def breaks(play):
        raise TimeoutError("not done after 20 s")

    stage = play([], [message()])
    steps = [step(breaks, "10:00"), step(lambda p: p.arrives(), "11:00")]

    broken, after = tell_story(stage, steps)

    assert (broken.good, broken.seen) == (False, "TimeoutError: not done after 20 s")
    assert after.good


def test_a_bridge_that_is_never_done_is_given_up(play):
    def breaks(play):
        raise TimeoutError("not done")

    steps = [step(breaks, f"1{hour}:00") for hour in range(6)]

    verdicts = tell_story(play(), steps)

    assert [one.good for one in verdicts] == [False, False, False]


def test_steps_are_played_in_the_order_of_their_times(play, lines):
    times = []
    note = lambda p: times.append(f"{p.clock.local():%d %H:%M}")  # noqa: E731
    steps = [step(note, "09:00", 2), step(note, "12:30"), step(note, "08:00")]

    tell_story(play(), steps)

    assert times == ["21 08:00", "21 12:30", "22 09:00"]
    assert [line for line in lines if line.startswith("━━")] == [
        "━━ Día 2 · sábado 21/11/2026 ".ljust(76, "━"),
        "━━ Día 3 · domingo 22/11/2026 ".ljust(76, "━"),
    ]


def test_the_narrator_speaks_english_too(play, lines):
    tell_story(play([], language="en"), [step(lambda p: p.arrives("Ana welcome"))])

    assert lines[1] == "━━ Day 2 · Saturday 2026-11-21 ".ljust(76, "━")
    assert lines[3] == "10:00  A greeting"
    assert lines[-3:] == [
        "  ✗ messages",
        "      expected: Ana welcome",
        "      seen: —",
    ]


def test_a_text_is_shown_whole_once_and_then_how_it_begins(play, lines):
    stage = play([message()], [message()])

    stage.now_sent()
    stage.now_sent()

    assert lines == [
        f"    ╭─ {ANA}",
        "    │ Hola Ana, bienvenida.",
        "    ╰──",
        f"    ╭─ {ANA}",
        "    ╰─ Hola Ana, bienvenida.",
    ]


def test_a_bridge_that_does_nothing_fails_the_story_by_name(play, lines):
    stage = play()
    stage.start = stage.clock.today()

    assert perform(stage) is False

    assert "No salió como dice la historia:" in lines
    failed = [line for line in lines if line.startswith("  ✗ Marta se registra")]
    assert failed == ["  ✗ Marta se registra · mensajes: — (✓ = Marta welcome)"]


def test_the_story_has_both_languages_and_one_step_at_a_time(world):
    steps = script(world, world.clock.today())

    assert all(one.title.es and one.title.en for one in steps)
    assert len({(one.day, one.hour) for one in steps}) == len(steps)


@pytest.mark.parametrize("month", range(1, 13))
def test_the_story_can_begin_on_any_day(month):
    first = datetime(2028, month, 1, 12, tzinfo=UTC)
    starts = [first + timedelta(days=day) for day in range(0, 31, 2)]

    worlds = [World.example(Clock(start)) for start in starts]
    stories = [script(world, world.clock.today()) for world in worlds]

    for steps in stories:
        assert len({(one.day, one.hour) for one in steps}) == len(steps)
        assert max(one.day for one in steps) == LAST_DAY
        assert min(one.day for one in steps) == 0


def test_the_tape_pairs_each_message_with_its_bubble(tmp_path):
    tape, file = Tape(print), tmp_path / "messages.jsonl"
    tape.write("╭─ uno\n")
    file.write_text('{"to": "+1", "message": "a", "text": "t", "language": "es"}\n')

    first, second = tape.messages(file), tape.messages(file)

    assert first == [Sent("+1", "a", "t", "es", "╭─ uno\n")]
    assert second == []
