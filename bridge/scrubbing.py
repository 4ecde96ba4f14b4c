"""What others say, without our secrets: in whatever form they are repeated.

A vendor may repeat a token as it is, or in base64, hexadecimal or percent signs, and
inside of JSON or HTML, where signs of it are written as escapes.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Sequence
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
_BLANK = " \t\r\n\f\v\b\0\u200b\u00ad"
_NO_BLANKS, _NO_MARKS = re.compile(f"[^{_BLANK}]+"), re.compile("[^:-]+")
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True)
class _Seen:
    """A text as it reads, and from where to where each sign stands in what was said."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]

    def only(self, kept: re.Pattern[str]) -> _Seen:
        """Return it with nothing but what a pattern finds."""
        whole = kept.fullmatch(self.text)
        if whole or not self.text:
            return self
        runs = [found.span() for found in kept.finditer(self.text)]
        return _Seen(
            "".join([self.text[start:end] for start, end in runs]),
            [n for start, end in runs for n in self.begins[start:end]],
            [n for start, end in runs for n in self.ends[start:end]],
        )

    def changed(self, text: str) -> _Seen:
        """Return it with another text, sign for sign."""
        return _Seen(text, self.begins, self.ends)

    def unescaped(self) -> _Seen:
        """Return it with one layer of escapes read."""
        signs: list[str] = []
        begins: list[int] = []
        ends: list[int] = []
        at = 0
        for found in _ESCAPE.finditer(self.text):
            start, end = found.span()
            meant = _meant(found)
            signs += (self.text[at:start], meant)
            begins += self.begins[at:start]
            begins += [self.begins[start]] * len(meant)
            ends += self.ends[at:start]
            ends += [self.ends[end - 1]] * len(meant)
            at = end
        if not at:
            return self
        signs.append(self.text[at:])
        begins += self.begins[at:]
        ends += self.ends[at:]
        return _Seen("".join(signs), begins, ends)


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
        plain: set[str] = set()
        base64: set[str] = set()
        hex: set[str] = set()
        for secret in secrets:
            raw = secret.encode("utf-8", "replace")
            # What percent signs gave is bytes, read one by one.
            for text in (secret, raw.decode("latin-1")):
                plain |= _telling(_small("".join(_NO_BLANKS.findall(text))))
            for form in _in_base64(raw):
                base64 |= _telling(form.translate(_URL_SAFE))
            hex |= _telling(raw.hex())
        self._plain, self._base64, self._hex = map(_Sought, (plain, base64, hex))

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
        seen = _Seen(said, range(len(said)), range(1, len(said) + 1))
        for _ in range(_LAYERS):
            packed = seen.only(_NO_BLANKS)
            yield from self._plain.spans(packed.changed(_small(packed.text)))
            same = packed.changed(packed.text.translate(_URL_SAFE))
            yield from self._base64.spans(same)
            digits = packed.only(_NO_MARKS)
            yield from self._hex.spans(digits.changed(_small(digits.text)))
            deeper = packed.unescaped()  # lines may break within an escape
            if deeper.text == packed.text:
                return
            seen = deeper


def _small(text: str) -> str:
    """Return a text in small letters, sign for sign."""
    if text.isascii():
        return text.lower()
    return "".join([low if len(low := c.lower()) == 1 else c for c in text])


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


class _Sought:
    """Pieces that are sought in texts, all at once."""

    __slots__ = ("_groups",)

    def __init__(self, pieces: set[str]) -> None:
        self._groups: list[tuple[int, int, set[str], set[str]]] = []
        for length in {len(piece) for piece in pieces}:
            whole = {piece for piece in pieces if len(piece) == length}
            half = (length + 1) // 2
            starts = range(length - half + 1)
            halves = {piece[n : n + half] for piece in whole for n in starts}
            self._groups.append((length, half, whole, halves))

    def spans(self, seen: _Seen) -> Iterator[tuple[int, int]]:
        """Yield from where to where pieces stand in what was said.

        A piece covers one of every few places whole, with half of it: only around
        those halves it is looked for.
        """
        text = seen.text
        for length, half, whole, halves in self._groups:
            step = length - half + 1
            for near in range(0, len(text) - half + 1, step):
                if text[near : near + half] not in halves:
                    continue
                for n in range(max(near - step + 1, 0), near + 1):
                    if text[n : n + length] in whole:
                        yield seen.begins[n], seen.ends[n + length - 1]
