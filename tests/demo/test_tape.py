"""The tape gives back what the console provider wrote, message by message."""

from __future__ import annotations

import json

from bridge.demo.story_stage import Tape

LINE = json.dumps(
    {"to": "+1", "message": "welcome", "text": "¡Hola!", "language": "es"},
    ensure_ascii=False,
).encode()


def test_a_message_half_written_is_told_once_it_is_whole(tmp_path):
    file, tape = tmp_path / "messages.jsonl", Tape(lambda text: None)
    tape.write("bubble")
    middle = LINE.index("¡".encode()) + 1  # in the middle of a letter

    file.write_bytes(LINE[:middle])
    early = tape.messages(file)
    file.write_bytes(LINE + b"\n")
    late = tape.messages(file)
    again = tape.messages(file)

    assert early == []
    assert [(one.name, one.text, one.bubble) for one in late] == [
        ("welcome", "¡Hola!", "bubble")
    ]
    assert again == []
