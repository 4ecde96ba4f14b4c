"""Operators' names and passwords: what may be one, and its slow hash."""

from __future__ import annotations

import re
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

#: How many characters a password has at least, and at most.
SHORTEST, LONGEST = 12, 200
#: Few kinds of signs, so that no two names look alike.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}\Z")


def read_name(text: str) -> str | None:
    """Return the name that was typed, in small letters; None where it is none."""
    name = text.strip().lower()
    return name if _NAME.match(name) else None


def weakness(name: str, password: str) -> str:
    """Return why a password will not do, or an empty text."""
    if len(password) < SHORTEST:
        return f"The password has {SHORTEST} characters at least."
    if len(password) > LONGEST:
        return f"The password has {LONGEST} characters at most."
    if len(set(password)) < 5 or (name in password.lower() and len(name) > 3):
        return "The password repeats few characters, or holds the name."
    return ""


def hashed(password: str) -> str:
    """Return what is kept of a password: salted scrypt, 32 MiB a time."""
    return generate_password_hash(password, "scrypt")


def fits(password: str, kept: str | None) -> bool:
    """Tell whether it is the password; for nobody (None) it takes as long."""
    right = check_password_hash(kept or _nobodys(), password)
    return right and kept is not None


@cache
def _nobodys() -> str:
    return hashed("nobody has this password")
