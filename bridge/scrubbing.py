"""What others say, without our secrets: in whatever form they are repeated.

A vendor may repeat a token as it is, or in base64, hexadecimal or percent signs, and
inside of JSON or HTML, where signs of it are written as escapes.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

#: So many signs of a secret in a row give it away; a shorter one must be there whole.
_TELLING = 12
#: Shorter than this it would be found everywhere.
_SHORTEST = 4
#: Escapes may be escaped: error texts within error texts.
_LAYERS = 4
_ESCAPE = re.compile(
    r"\\+u([0-9a-fA-F]{4})"
    r"|\\+x([0-9a-fA-F]{2})"
    r"|\\+([/\"'nrtbf])"
    r"|(\\)\\"
    r"|%([0-9a-fA-F]{2})"
    r"|(&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});)"
)
_BLANK = frozenset(" \t\r\n\f\v\b\0\u200b\u00ad")
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class _Seen:
    """A text as it reads, and where each of its signs stands in what was said."""

    text: str
    spans: tuple[tuple[int, int], ...]

    def without(self, left_out: Callable[[str], bool]) -> _Seen:
        """Return it without some signs."""
        kept = [
            (c, span)
            for c, span in zip(self.text, self.spans, strict=True)
            if not left_out(c)
        ]
        return _Seen("".join(c for c, _ in kept), tuple(span for _, span in kept))

    def changed(self, change: Callable[[str], str]) -> _Seen:
        """Return it with every sign in another form, one for one."""
        return _Seen("".join(map(change, self.text)), self.spans)

    def unescaped(self) -> _Seen:
        """Return it with one layer of escapes read."""
        signs: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for found in _ESCAPE.finditer(self.text):
            signs += self.text[at : found.start()]
            spans += self.spans[at : found.start()]
            whole = (self.spans[found.start()][0], self.spans[found.end() - 1][1])
            for sign in _meant(found):
                signs.append(sign)
                spans.append(whole)
            at = found.end()
        signs += self.text[at:]
        spans += self.spans[at:]
        return _Seen("".join(signs), tuple(spans))


def _meant(found: re.Match[str]) -> str:
    four, two, short, backslash, percent, entity = found.groups()
    if four or two or percent:
        return chr(int(four or two or percent, 16))
    if short:
        return short if short in "/\"'" else " "
    return backslash or html.unescape(entity)


class Scrubber:
    """Takes secrets out of texts. Printing it shows none of them.

    *hidden* is put in the place of each.
    """

    __slots__ = ("_base64", "_hex", "_hidden", "_plain")

    def __init__(self, secrets: Iterable[str], hidden: str = "…") -> None:
        self._hidden = hidden
        self._plain: set[str] = set()
        self._base64: set[str] = set()
        self._hex: set[str] = set()
        for secret in secrets:
            raw = secret.encode("utf-8", "replace")
            # What percent signs gave is bytes, read one by one.
            for text in (secret, raw.decode("latin-1")):
                packed = "".join(c for c in text if c not in _BLANK)
                self._plain |= _telling("".join(map(_small, packed)))
            for form in _in_base64(raw):
                self._base64 |= _telling(form.translate(_URL_SAFE))
            self._hex |= _telling(raw.hex())

    def __call__(self, said: str) -> str:
        """Return a text without any secret."""
        found = sorted(self._found(said))
        parts: list[str] = []
        at = 0
        for start, end in found:
            if end <= at:
                continue
            if start > at or not parts:
                parts += [said[at:start], self._hidden]
            at = end
        return "".join([*parts, said[at:]])

    def _found(self, said: str) -> Iterator[tuple[int, int]]:
        seen = _Seen(said, tuple((n, n + 1) for n in range(len(said))))
        for _ in range(_LAYERS):
            packed = seen.without(_BLANK.__contains__)
            yield from _spans(packed.changed(_small), self._plain)
            same = packed.changed(lambda c: c.translate(_URL_SAFE))
            yield from _spans(same, self._base64)
            digits = packed.without(":-".__contains__).changed(_small)
            yield from _spans(digits, self._hex)
            deeper = packed.unescaped()  # lines may break within an escape
            if deeper.text == packed.text:
                return
            seen = deeper


def _small(sign: str) -> str:
    lower = sign.lower()
    return lower if len(lower) == 1 else sign


def _telling(form: str) -> set[str]:
    """Return the pieces of a form that give it away."""
    if len(form) <= _TELLING:
        return {form} if len(form) >= _SHORTEST else set()
    return {form[n : n + _TELLING] for n in range(len(form) - _TELLING + 1)}


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield what a secret is in base64, wherever in a text of bytes it begins.

    Only the signs that are its own: those at its ends depend on its neighbours.
    """
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        first = -(-8 * before // 6)
        yield encoded[first : 8 * (before + len(raw)) // 6]


def _spans(seen: _Seen, pieces: set[str]) -> Iterator[tuple[int, int]]:
    for length in {len(piece) for piece in pieces}:
        for n in range(len(seen.text) - length + 1):
            if seen.text[n : n + length] in pieces:
                yield seen.spans[n][0], seen.spans[n + length - 1][1]
