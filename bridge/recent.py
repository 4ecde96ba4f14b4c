"""What is read often and changes seldom: remembered for a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

#: How long another process's change may go unnoticed, in seconds.
FRESH = 1.0


class Recent(Generic[T]):
    """One reading that serves everybody for a second; safe to share by threads."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._until = 0.0
        self._changes = 0
        self._found: T

    def __call__(self) -> T:
        """Return what was read within the last second; raises what reading raises."""
        if monotonic() < self._until:
            return self._found
        # Nobody goes by the old one while the new one is read.
        with self._reading:
            if (now := monotonic()) < self._until:
                return self._found
            changes = self._changes
            self._found = self._read()
            with self._lock:
                if changes == self._changes:
                    self._until = now + FRESH
            return self._found

    def forget(self) -> None:
        """Read anew at the next question: something was changed here."""
        with self._lock:
            self._changes += 1
            self._until = 0.0
