"""Put the quotes around `{{ ... }}` that somebody forgot, to read what follows."""

from __future__ import annotations

import re

#: What ends a value inside braces or brackets.
_ENDS = re.compile(r"[,}\]]")
#: Before the value of a block: blanks, dashes, one plain key.
_BLOCK = re.compile(r"[\s-]*[^\s{}\[\],]+:\s+")


def quoted(text: str, line: int, column: int) -> str | None:
    """Return *text* with quotes around the value whose second brace stands there.

    *line* and *column* count from 0. None where its end cannot be told.
    """
    lines = text.splitlines(keepends=True)
    whole = lines[line]
    begin = column - 1
    close = whole.find("}}", column)
    if whole[max(begin, 0) : column + 1] != "{{" or close < 0:
        return None
    end = close + 2
    if _BLOCK.fullmatch(whole[:begin]):
        end += len(whole[end:].partition(" #")[0].rstrip())
    elif found := _ENDS.search(whole, end):
        end += len(whole[end : found.start()].rstrip())
    else:
        return None
    value = whole[begin:end].replace("'", "''")
    lines[line] = f"{whole[:begin]}'{value}'{whole[end:]}"
    return "".join(lines)
