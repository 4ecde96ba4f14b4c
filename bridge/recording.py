"""record: keep what a job came to, at once or with the next commit."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic

import structlog

from bridge.errors import StoreUnavailable
from bridge.hooks.context import Context
from bridge.outcomes import Outcome, keep_each
from bridge.preparing import Bench
from bridge.retries import not_kept
from bridge.store.outbox import Finish, Job

log = structlog.get_logger("worker")

#: How long one try to keep an outcome may take, and how many there are.
_PATIENCE, _TRIES = 10.0, 3
#: At the end of a run outcomes on their way are waited for so long, in seconds.
_AT_THE_END = 60.0


class Recorder:
    """Keeps outcomes. Of those that nobody waits for, up to *most* are on their way."""

    def __init__(self, bench: Bench, most: int) -> None:
        self._bench = bench
        self._most = most
        self._on_its_way = 0
        self._changed = threading.Condition()

    def keep(
        self,
        job: Job,
        members: list[Job],
        ctx: Context | None,
        finish: Finish,
        once: str = "",
        *,
        soon: bool = False,
    ) -> None:
        """Keep it before anything else is done; the log says where that failed.

        *soon*: with the next commit will do, where nothing hangs on when.
        """
        now = self._bench.now()
        outcome = Outcome(self._bench, job, members, ctx, finish, once, now)
        waits = soon and outcome.plain and not job.acts and not job.deaths
        if not (waits and self._enter()):
            self._keep(outcome)
            return
        try:
            kept = self._bench.store.submit_each(keep_each, outcome)
        except StoreUnavailable:
            self._left()
            raise
        kept.add_done_callback(lambda done: self._over(done, outcome))

    def close(self) -> None:
        """Wait for the outcomes that are on their way."""
        until = monotonic() + _AT_THE_END
        with self._changed:
            while self._on_its_way and (left := until - monotonic()) > 0:
                self._changed.wait(left)

    def _keep(self, outcome: Outcome) -> None:
        store, ctx = self._bench.store, outcome.ctx
        for _ in range(_TRIES):
            try:
                ours = store.write_each(keep_each, outcome, _PATIENCE)
                self._kept(outcome, ours)
                return
            except StoreUnavailable as error:
                log.warning("outcome not kept yet", reason=str(error))
            except Exception as error:
                if ctx is None:
                    raise
                # What it left cannot be kept as it is: only that, with its reason.
                log.warning("outcome not kept", error=type(error).__name__)
                gone = outcome.finish.unsure or bool(getattr(ctx.post, "handed", False))
                finish = not_kept(error, outcome.job, self._bench.now())
                finish = replace(finish, unsure=gone)
                return self._keep(replace(outcome, ctx=None, finish=finish, once=""))
        log.error("outcome not kept: it is looked at again when its lease ends")

    def _kept(self, outcome: Outcome, ours: bool) -> None:
        if not ours:
            log.warning("the claim was lost: another worker goes on")
        rows = outcome.ctx.effects.rows if outcome.ctx is not None else []
        if any(table == "contacts" for table, *_ in rows):
            self._bench.consents.forget()  # on disk now: not any sooner

    def _over(self, done: Future[bool], outcome: Outcome) -> None:
        """Hear of a commit, in the writer's own thread: nothing may wait for it."""
        if done.exception() is None:
            self._kept(outcome, done.result())
            self._left()
            return
        log.warning("outcome not kept yet", reason=str(done.exception()))
        threading.Thread(target=self._again, args=(outcome,), daemon=True).start()

    def _again(self, outcome: Outcome) -> None:
        try:
            self._keep(outcome)
        except Exception as error:
            log.error("a job was not recorded", error=type(error).__name__)
        finally:
            self._left()

    def _enter(self) -> bool:
        with self._changed:
            if self._on_its_way >= self._most:
                return False
            self._on_its_way += 1
            return True

    def _left(self) -> None:
        with self._changed:
            self._on_its_way -= 1
            self._changed.notify_all()
