"""A change of owner: how its text is read and compared, and what it depends on.

The text's form is made from the message file that the company words; what a client
typed is only ever read by it, in bounded time, and names nothing but two e-mails
and a service's number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

#: What a request may name, and what of it must stand in the text just once.
GAPS = ("from_name", "from_email", "service_id", "service", "to_name", "to_email")
NEEDED = ("from_email", "service_id", "to_email")
#: A longer message is no request: it is not looked through.
LONGEST = 2000
#: Texts `transfer_<name>`: what a client is told, and what a message is answered.
TOLD = ("with_staff", "done_from", "done_to", "expired", "withdrawn", "rejected")
ANSWERS = (
    "proposed",
    "repeated",
    "agreed",
    "under_way",
    "differs",
    "unclear",
    "stranger",
    "shared_number",
    "busy",
    "not_possible",
)
#: Words of a form's beginning by which a text is known that does not fit it.
_FIRST_WORDS = 3
_SHOWN = 40
#: What a gap is filled with has so many characters, roughly.
_ROOM = 60
#: Ways to take one text apart, at most; more is nobody's honest text.
_WAYS = 64

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
    }
)
#: What turns the reading direction round: a text with one may show something else
#: than it says.
_TURNING = frozenset(
    "\u061c\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
#: Marks without width; none of those.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u2060\ufeff"))
#: An apostrophe may stand within the name (o'neil@...), where it is no quote.
_EMAIL = re.compile(
    r"[^\s@<>()\[\],;:\"'][^\s@<>()\[\],;:\"]{0,63}@[^\s@<>()\[\],;:\"']{1,189}"
)
_NUMBER = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


@dataclass(frozen=True)
class Gap:
    """A place of the form that each request fills by itself."""

    name: str


Form = Sequence[str | Gap]


@dataclass(frozen=True)
class Asked:
    """What a text asks for: whose service passes to whom, and the names it gives."""

    from_email: str
    service_id: int
    to_email: str
    names: Mapping[str, str] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True)
class Difference:
    """Where two texts part: the words of each from there on."""

    one: str
    other: str


def form_mistakes(names: Iterable[str]) -> Iterator[str]:
    """Yield what keeps a form with these gaps from being read again."""
    found = list(names)
    for name in NEEDED:
        if found.count(name) != 1:
            yield f"transfer.{name} must stand in it once: the answers are read by it"
    for name in sorted(set(found) - set(GAPS)):
        yield f"transfer.{name} is not known yet when this text is written"


def form_faults(form: Form) -> Iterator[tuple[int, int, str]]:
    """Yield what keeps the texts of a form from being read back, with what to do.

    Each with the part of the form that it lies in, and the place within that.
    """
    length = sum(len(part) for part in form if isinstance(part, str))
    room = _ROOM * sum(1 for part in form if isinstance(part, Gap))
    if (over := length + room - LONGEST) > 0:
        what = f"a message over {LONGEST} characters is not read: shorten this by"
        yield 0, 0, f"{what} {over} ({room} of them are for what fills it)"
    flat = _flat(form)
    if flat and isinstance(flat[0], Gap):
        first = next(n for n, part in enumerate(form) if isinstance(part, Gap))
        yield first, 0, "begin with words of your own: the text is known by them"
    before, between = "", " "
    for number, part in enumerate(form):
        if isinstance(part, str):
            between += part.translate(_INVISIBLE)
            for place, character in enumerate(part):
                if what := _unwanted(character):
                    yield number, place, f"U+{ord(character):04X} {what}: take it out"
            continue
        if not between:
            what = f"put words between transfer.{before} and transfer.{part.name}"
            yield number, 0, f"{what}: where one ends cannot be told"
        before, between = part.name, ""


def _unwanted(character: str) -> str:
    if character in _TURNING:
        return "turns the reading direction round"
    control = unicodedata.category(character) == "Cc" and not character.isspace()
    return "is a control character" if control else ""


def normal(text: str) -> str:
    """Return a text for comparison: white space, NFC, marks without width, quotes."""
    seen = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    return " ".join(seen.translate(_QUOTES).split())


def read(text: str, forms: Mapping[str, Form]) -> Asked | None:
    """Read a request by the form of any language, whole and in one way only."""
    if len(text) > LONGEST:
        return None
    plain = normal(text)
    found: dict[tuple[str, int, str], Asked] = {}
    for language, form in forms.items():
        ways = _ways(form, plain)
        if len(ways) >= _WAYS:
            return None
        for way in ways:
            asked = _asked(way, language)
            found.setdefault(
                (asked.from_email, asked.service_id, asked.to_email), asked
            )
    return next(iter(found.values())) if len(found) == 1 else None


def _asked(way: dict[str, str], language: str) -> Asked:
    number = int(way["service_id"])
    names = {name: way[name] for name in GAPS if name in way and name not in NEEDED}
    return Asked(way["from_email"], number, way["to_email"], names, language)


def emails_in(text: str) -> list[str]:
    """Return the first e-mails that a text names, folded."""
    found = _EMAIL.findall(normal(text[:LONGEST]))
    return [email.casefold().rstrip(".") for email in found[:4]]


def nearly(text: str, forms: Mapping[str, Form]) -> str | None:
    """Return where a text that begins as a request stops being one, None for others."""
    plain = normal(text[:LONGEST])
    furthest: int | None = None
    for form in forms.values():
        first = _fixed(form[0]).split()[:_FIRST_WORDS] if form else []
        if first and plain.casefold().split()[: len(first)] == [
            word.casefold() for word in first
        ]:
            furthest = max(furthest or 0, _reached(form, plain))
    if furthest is None:
        return None
    return _from(plain, furthest)


def difference(one: str, other: str) -> Difference | None:
    """Return where two texts part, None when they say the same."""
    first, second = normal(one[: 2 * LONGEST]), normal(other[: 2 * LONGEST])
    if first == second:
        return None
    place = 0
    for place, (a, b) in enumerate(zip(first, second, strict=False)):  # noqa: B007
        if a != b:
            break
    else:
        place = min(len(first), len(second))
    return Difference(_from(first, place), _from(second, place))


def _from(text: str, place: int) -> str:
    """Return some words of *text* from the one that holds *place*."""
    start = text.rfind(" ", 0, min(place, len(text))) + 1
    return text[start : start + _SHOWN].strip() or "-"


def _fixed(part: str | Gap) -> str:
    return normal(part) if isinstance(part, str) else ""


def _flat(form: Form) -> list[str | Gap]:
    """Return a form as a normal text is: its blanks single, none at its ends."""
    marked = "".join(
        part.replace("\x00", "") if isinstance(part, str) else f"\x00{n}\x00"
        for n, part in enumerate(form)
    )
    pieces = re.split("\x00([0-9]+)\x00", normal(marked))
    flat: list[str | Gap] = []
    for place, piece in enumerate(pieces):
        if place % 2:
            flat.append(form[int(piece)])
        elif piece:
            flat.append(piece)
    return flat


def _ends(gap: Gap, text: str, start: int) -> Iterator[int]:
    """Yield where a gap that begins at *start* may end."""
    if gap.name == "service_id":
        found = _NUMBER.match(text, start)
        if found:
            yield found.end()
    elif gap.name in ("from_email", "to_email"):
        found = _EMAIL.match(text, start)
        for end in range(found.end() if found else start, start, -1):
            if "@" in text[start:end]:
                yield end
    else:
        yield from range(start + 1, min(len(text), start + 200) + 1)


def _ways(form: Form, text: str) -> list[dict[str, str]]:
    """Return every way in which *text* fits a form, up to a number of them."""
    parts, dead, found = _flat(form), set[tuple[int, int]](), list[dict[str, str]]()

    def fits(place: int, start: int, values: tuple[tuple[str, str], ...]) -> bool:
        if place == len(parts):
            if start == len(text):
                found.append(dict(values))
            return start == len(text)
        if (place, start) in dead or len(found) >= _WAYS:
            return False
        part, some = parts[place], False
        if isinstance(part, str):
            if text.startswith(part, start):
                some = fits(place + 1, start + len(part), values)
        else:
            after = parts[place + 1] if place + 1 < len(parts) else ""
            for end in _ends(part, text, start):
                value = text[start:end]
                stops = not isinstance(after, str) or text.startswith(after, end)
                if stops and value == value.strip():
                    some |= fits(place + 1, end, (*values, (part.name, value)))
        if not some:
            dead.add((place, start))
        return some

    fits(0, 0, ())
    return found


def _reached(form: Form, text: str) -> int:
    """Return how far a text follows a form, each gap taken as short as it may be."""
    reached = 0
    parts = _flat(form)
    for place, part in enumerate(parts):
        if isinstance(part, str):
            same = _alike(part, text, reached)
            if same < len(part):
                return reached + same
            reached += len(part)
            continue
        after = parts[place + 1] if place + 1 < len(parts) else ""
        fixed = after if isinstance(after, str) else ""
        every = list(_ends(part, text, reached))
        ends = [end for end in every if text.startswith(fixed, end)]
        if not ends:
            whole = max(every, default=reached) if part.name in NEEDED else reached
            return whole + _alike(fixed, text, whole)
        reached = min(ends)
    return reached


def _alike(part: str, text: str, start: int) -> int:
    """Return how many characters of *part* stand in the text at *start*."""
    for same, character in enumerate(part):
        if text[start + same : start + same + 1] != character:
            return same
    return len(part)
