"""The provider that shows messages instead of sending them."""

import io
import json
import stat
import sys
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.errors import ErrorClass, SendError
from bridge.whatsapp import Message, Provider, State
from bridge.whatsapp.console import ConsoleProvider

HELLO = Message(
    to="+5491155551234", text="Hola Ana, generamos la factura 12. 🧾",
    language="es", name="invoice_created", tag="j1", event="e1", values=("Ana", "12"),
    button=("Ver factura", "https://panel.example/viewinvoice.php?id=12"),
)  # fmt: skip


def noon():
    return datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "sent.jsonl"


def test_a_message_is_shown_in_a_bubble(stream):
    provider: Provider = ConsoleProvider(stream, None, noon)

    provider.send(HELLO)

    assert stream.getvalue().splitlines() == [
        "╭─ +5491155551234 ─ invoice_created, es ─ 2026-11-20 12:00 ".ljust(72, "─"),
        "│ Hola Ana, generamos la factura 12. 🧾",
        "├─ [ Ver factura ] https://panel.example/viewinvoice.php?id=12",
        "╰" + "─" * 71,
    ]


def test_a_long_text_is_wrapped_and_keeps_its_empty_lines(stream):
    text = "palabra " * 30 + "\n\nfin"

    ConsoleProvider(stream, None, noon).send(replace(HELLO, text=text, button=None))

    lines = stream.getvalue().splitlines()
    assert max(len(one) for one in lines) == 72
    assert lines[-3:-1] == ["│", "│ fin"]
    assert " ".join(one[2:] for one in lines[1:-3]) == text.split("\n")[0].strip()


def test_a_message_counts_as_delivered_under_an_id_of_its_own(stream):
    provider = ConsoleProvider(stream, None, noon)

    receipt, other = provider.send(HELLO), provider.send(HELLO)

    assert receipt.states == (State.ACCEPTED, State.SENT, State.DELIVERED)
    assert receipt.id.startswith("local-")
    assert uuid.UUID(receipt.id.removeprefix("local-")).version == 4
    assert receipt.id != other.id


def test_the_file_gets_one_json_line_a_message_with_the_number_in_full(stream, file):
    provider = ConsoleProvider(stream, file, noon)

    provider.send(HELLO)
    provider.send(replace(HELLO, text="dos\nrenglones", button=None))

    first, second = file.read_text("utf-8").splitlines()
    assert json.loads(first) == {
        "to": "+5491155551234",
        "text": HELLO.whole,
        "language": "es",
        "event": "e1",
        "message": "invoice_created",
    }
    assert "🧾" in first
    assert json.loads(second)["text"] == "dos\nrenglones"


def test_the_file_is_the_owners_alone(stream, file):
    ConsoleProvider(stream, file, noon).send(HELLO)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


REFUSED = {
    "national number": ({"to": "1155551234"}, ErrorClass.NEVER),
    "not normalised": ({"to": "+541155551234"}, ErrorClass.NEVER),
    "hidden identity": ({"to": "123456789012345@lid"}, ErrorClass.NEVER),
    "no number": ({"to": ""}, ErrorClass.NEVER),
    "empty text": ({"text": ""}, ErrorClass.FIX),
    "blank text": ({"text": " \n"}, ErrorClass.FIX),
    "text too long": ({"text": "x" * 4097}, ErrorClass.FIX),
    "empty value": ({"values": ("Ana", "")}, ErrorClass.FIX),
    "blank value": ({"values": (" ",)}, ErrorClass.FIX),
    "button without address": ({"button": ("Ver", "")}, ErrorClass.FIX),
}


@pytest.mark.parametrize(("change", "kind"), REFUSED.values(), ids=REFUSED)
def test_what_real_providers_refuse_is_refused_and_not_shown(
    stream, file, change, kind
):
    with pytest.raises(SendError) as caught:
        ConsoleProvider(stream, file, noon).send(replace(HELLO, **change))

    assert caught.value.kind is kind
    assert HELLO.to not in str(caught.value)
    assert stream.getvalue() == ""
    assert not file.exists()


def test_a_text_of_the_greatest_length_is_taken(stream):
    ConsoleProvider(stream, None, noon).send(
        replace(HELLO, text="w" * 4096, button=None)
    )

    assert stream.getvalue().count("w") == 4096


@pytest.mark.parametrize("kind", list(ErrorClass))
def test_it_can_be_told_to_refuse_a_number(stream, kind):
    provider = ConsoleProvider(stream, None, noon, refuse={HELLO.to: kind})

    with pytest.raises(SendError) as caught:
        provider.send(HELLO)

    assert caught.value.kind is kind
    assert provider.send(replace(HELLO, to="+56987654321")).id


def test_a_file_that_cannot_be_written_is_tried_again_later(stream, tmp_path):
    with pytest.raises(SendError) as caught:
        ConsoleProvider(stream, tmp_path / "no" / "such", noon).send(HELLO)

    assert caught.value.kind is ErrorClass.RETRY


def test_a_closed_stream_leaves_nothing_in_the_file(stream, file):
    stream.close()

    with pytest.raises(SendError) as caught:
        ConsoleProvider(stream, file, noon).send(HELLO)

    assert caught.value.kind is ErrorClass.RETRY
    assert not file.exists()


def test_a_terminal_without_such_letters_shows_question_marks():
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, "ascii")

    ConsoleProvider(terminal, None, noon).send(HELLO)

    assert b"? Hola Ana" in raw.getvalue()


def test_a_text_does_not_steer_the_terminal(stream, file):
    ConsoleProvider(stream, file, noon).send(replace(HELLO, text="a\x1b[2Jb\udcff"))

    assert "\x1b" not in stream.getvalue()
    assert json.loads(file.read_bytes())["text"].startswith("a\x1b[2Jb")


class Typewriter(io.StringIO):
    """A stream that takes letter after letter, so that writers can meet in it."""

    def write(self, text):
        return sum(super(Typewriter, self).write(letter) for letter in text)


@pytest.fixture
def impatient_threads():
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("impatient_threads")
def test_messages_of_several_threads_do_not_mix(file):
    stream = Typewriter()
    provider = ConsoleProvider(stream, file, noon)
    texts = [f"mensaje {n} " + "x" * 3000 for n in range(40)]
    threads = [
        threading.Thread(
            target=provider.send, args=(replace(HELLO, text=text, button=None),)
        )
        for text in texts
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    written = [
        json.loads(line)["text"] for line in file.read_text("utf-8").splitlines()
    ]
    assert sorted(written) == sorted(texts)
    bubbles = [one for one in stream.getvalue().splitlines() if one[0] in "╭╰"]
    assert [one[0] for one in bubbles] == ["╭", "╰"] * 40
