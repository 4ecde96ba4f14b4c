"""All persistence: SQLAlchemy Core on SQLite or PostgreSQL, the same code for both.

`Store.write` hands a function to the one writer, which groups every write of the
moment into one commit; `Store.read` lends a connection that sees whole commits. What
several processes share is written *apart*: in short transactions of its own.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from time import monotonic
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from bridge.errors import StoreUnavailable
from bridge.store import engines

T = TypeVar("T")

#: How long a write may wait for its commit, in seconds (the door's answer).
PATIENCE = 4.5
#: How much longer for one that is being written just then.
_GRACE = 0.3
_BATCH = 256
#: Commits of writes that are all patient are so many seconds apart.
COMPANY = 0.03
_STOP: Any = object()


class OneByOne(Exception):
    """What was to be written together must be written each by itself."""


class _Write(Generic[T]):
    """One call of *function*, with what else of the moment is for the same one."""

    __slots__ = ("function", "future", "item", "patient")

    def __init__(
        self,
        function: Callable[[sa.Connection, list[Any]], list[T]],
        item: Any,
        patient: bool,
    ) -> None:
        self.function = function
        self.item = item
        self.patient = patient
        self.future: Future[T] = Future()


class Store:
    """An open database. *watch* hears "before commit" and "after commit"."""

    def __init__(
        self,
        url: str,
        *,
        readers: int = 8,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self._watch = watch
        self._file = engines.file_of(url)
        self._writing = engines.writer(url, 1 if self.sqlite else 5)  # one a thread
        self._reading = engines.reader(url, readers)
        self._identity = engines.identity(self._file)
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # On SQLite the writer is alone anyhow, and there is one for all.
        self._short = self._queue if self.sqlite else queue.SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"writer-{n}", daemon=True)
            for n in range(1 if self.sqlite else 4)
        ]
        self._apart = threading.Thread(target=self._work_apart, daemon=True)
        for thread in self._all():
            thread.start()

    def _all(self) -> list[threading.Thread]:
        return self._threads if self.sqlite else [*self._threads, self._apart]

    def submit(
        self, function: Callable[[sa.Connection], T], *, apart: bool = False
    ) -> Future[T]:
        """Queue *function* for the next commit.

        The future has its value once that commit is on disk. *function* may run
        twice (a batch that fails is run again one by one) and must only touch
        its connection. *apart*: in a transaction of its own, so that other processes
        wait no longer for a row that it locks than *function* itself takes.
        """
        return self._submit(lambda db, _: [function(db)], None, apart)

    def _submit(
        self,
        function: Callable[[sa.Connection, list[Any]], list[T]],
        item: Any,
        apart: bool = False,
        patient: bool = False,
    ) -> Future[T]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        write = _Write(function, item, patient)
        (self._short if apart else self._queue).put(write)
        return write.future

    def write(
        self, function: Callable[[sa.Connection], T], patience: float = PATIENCE
    ) -> T:
        """Run *function* in a transaction and return its value, durably kept.

        Raises StoreUnavailable when it cannot be kept within *patience* seconds;
        in the rare case that it was being written just then, it may be kept still.
        """
        return value_of(self.submit(function), patience)

    def write_each(
        self,
        function: Callable[[sa.Connection, list[Any]], list[T]],
        item: Any,
        patience: float = PATIENCE,
        *,
        apart: bool = False,
    ) -> T:
        """As `write`, for what comes often: *function* gets all items of the moment.

        It returns one value for each, in their order, and may raise OneByOne to be
        called again for each alone. *apart* as in `submit`: nothing but these are in
        its transaction. Raises StoreUnavailable.
        """
        return value_of(self._submit(function, item, apart), patience)

    def submit_each(
        self, function: Callable[[sa.Connection, list[Any]], list[T]], item: Any
    ) -> Future[T]:
        """As `write_each`, for what nobody waits for: it goes with the next commit.

        Without one it waits a few hundredths of a second after the last: a commit costs
        more than what is in it.
        """
        return self._submit(function, item, patient=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Lend a connection for reading; raises StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            with self._reading.connect() as db:
                yield db
        except (sa.exc.DatabaseError, sa.exc.TimeoutError) as error:
            if not _absent(error):
                raise
            raise StoreUnavailable(_plain(error)) from error

    def close(self) -> None:
        """Keep what was submitted, then let go of the database."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._queue.put(_STOP)
        self._short.put(_STOP)
        for thread in self._all():
            thread.join(30)
        self._writing.dispose()
        self._reading.dispose()

    def _work(self) -> None:
        stop, last = False, 0.0
        while not stop:
            batch, stop = _gather(self._queue, last + COMPANY)
            if batch:
                self._commit(batch)
                last = monotonic()

    def _work_apart(self) -> None:
        stop = False
        while not stop:
            batch, stop = _gather(self._short, 0.0)
            for function in dict.fromkeys(write.function for write in batch):
                self._commit([one for one in batch if one.function == function])

    def _commit(self, batch: list[_Write[Any]]) -> None:
        try:
            results = self._together(batch)
        except Exception as error:
            if len(batch) > 1 and not _absent(error):
                for write in batch:
                    self._commit([write])
                return
            for write in batch:
                write.future.set_exception(_named(error))
            return
        for write, result in zip(batch, results, strict=True):
            write.future.set_result(result)

    def _together(self, batch: list[_Write[Any]]) -> list[Any]:
        self._still_the_file()
        with self._writing.connect() as db, db.begin() as transaction:
            results = _run(db, batch)
            self._still_the_file()
            if self._watch is None:
                return results
            self._watch("before commit")
            transaction.commit()
            self._watch("after commit")
        return results

    def _still_the_file(self) -> None:
        """Raise StoreUnavailable when the file we hold open is not there any more.

        It would still take every write, and lose them all when we let go of it.
        """
        if self._file is not None and engines.identity(self._file) != self._identity:
            raise StoreUnavailable(
                f"{self._file} was removed or replaced: put it back, or restart"
            )


def _gather(
    waiting: queue.SimpleQueue[Any], until: float
) -> tuple[list[_Write[Any]], bool]:
    """Wait for a write, then take along everything that waits already.

    While all are patient, more are waited for, *until* then.
    """
    batch: list[_Write[Any]] = []
    patient = True
    first = waiting.get()
    while first is not _STOP:
        if first.future.set_running_or_notify_cancel():
            patient = patient and first.patient
            batch.append(first)
        if len(batch) >= _BATCH:
            return batch, False
        left = until - monotonic() if patient and batch else 0.0
        try:
            first = waiting.get(timeout=left) if left > 0 else waiting.get_nowait()
        except queue.Empty:
            return batch, False
    return batch, True


def value_of(future: Future[T], patience: float = PATIENCE) -> T:
    """Return what was submitted came to; raises StoreUnavailable, as `write` does."""
    try:
        return future.result(patience)
    except FutureTimeout as error:
        if future.cancel():
            raise StoreUnavailable("the store is busy") from error
    try:
        return future.result(_GRACE)
    except FutureTimeout as error:
        raise StoreUnavailable("the store does not answer") from error


def _run(db: sa.Connection, batch: list[_Write[Any]]) -> list[Any]:
    """Call each function once, with all that is for it, in the order of their first."""
    places: dict[Any, list[int]] = {}
    for place, write in enumerate(batch):
        places.setdefault(write.function, []).append(place)
    results: list[Any] = [None] * len(batch)
    for function, its in places.items():
        found = function(db, [batch[place].item for place in its])
        for place, value in zip(its, found, strict=True):
            results[place] = value
    return results


#: PostgreSQL's words for one statement that lost a race. A lock or a statement that
#: took too long is not among them: the rest of the batch would wait as long again.
_OF_ONE = frozenset({"40001", "40P01"})


def _absent(error: Exception) -> bool:
    """Whether trying one by one is of no use: it is the database that fails."""
    if isinstance(error, sa.exc.TimeoutError):  # no connection became free
        return True
    if type(error) is sa.exc.DatabaseError:  # SQLite: a damaged file
        return True
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError):
        return False
    return getattr(error.orig, "sqlstate", None) not in _OF_ONE


def _named(error: Exception) -> Exception:
    if not _absent(error) and not isinstance(error, sa.exc.OperationalError):
        return error
    named = StoreUnavailable(_plain(error))
    named.__cause__ = error
    return named


def _plain(error: Exception) -> str:
    """Return the database's own words: no statement, no values."""
    said = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return str(said).strip().split("\n", 1)[0][:200]
