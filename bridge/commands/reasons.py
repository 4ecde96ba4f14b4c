"""Why an event came to what it came to, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.hooks.records import AGAIN, ARRIVED, earlier, root_of

#: States of jobs, the one that asks most for a look first.
_WORST = (
    *("parked", "running", "waiting", "joined"),
    *("rehearsed", "done", "skipped", "withdrawn"),
)
#: What the worker notes where a rule's `when` is not so.
_UNMET = "the condition does not hold: "
#: Jobs by which staff are told of another job: their key holds this.
_STAFF = "/staff"
#: What is done beside what an event asked for.
_BESIDE = ("settle_failure", "index_phone")

#: What a provider said last of messages, by the key of their job.
Said = Mapping[str, str]


def summary(row: Any, jobs: Sequence[Any], sent: Said | None = None) -> tuple[str, str]:
    """Return an event's state (that of its most urgent job) and why, in a sentence.

    *sent* holds what became of the messages since. A rule that the event was not
    meant for, and the line by which staff were told, speak only where nothing else
    does.
    """
    became = sent or {}
    if row.state in ("no rule", "decided") or not jobs:
        return row.state, row.reason or ""
    there = _meant(jobs)
    state = next(one for one in _WORST if any(job.state == one for job in there))
    said = sorted((job for job in there if job.state == state), key=_rank)[0]
    if state in ("waiting", "done"):
        said = next((job for job in there if _undone(job)), said)
    if state == "waiting" and not said.reason:
        return state, _and(_planned(there), did(said), *_unsent(there))
    told = told_of(said, became)
    return state, _and(told, *(_unsent(there) if state == "done" else ()))


def became_of(jobs: Sequence[Any], sent: Sequence[Any]) -> dict[str, str]:
    """Return what a provider said last of the messages of jobs, by the jobs' keys.

    Of alerts that share a message it is the same.
    """
    found = {one.job_key: last_word(one) for one in sent}
    newest = {root_of(one.job_key): last_word(one) for one in sent}
    for job in jobs:
        if job.together not in (None, job.key) and job.together in newest:
            found[job.key] = newest[job.together]
    return found


def told_of(job: Any, became: Said) -> str:
    """Return why a job came to what it did, or what it did."""
    if job.reason and job.state == "done" and job.together and job.key in became:
        return f"{job.reason}: {became[job.key]}"
    return job.reason or did(job, became)


def _meant(jobs: Sequence[Any]) -> list[Any]:
    """Return the jobs that this event was meant for; all, where there is none."""
    needed = [job for job in jobs if not _needless(job)]
    over = {one for job in needed for one in earlier(job.key)}
    told = [job for job in needed if not _aside(job, over)]
    met = [job for job in told if not (job.reason or "").startswith(_UNMET)]
    return met or told or list(jobs)


def _needless(job: Any) -> bool:
    """Tell whether it was to be sent anew, and what had failed arrived after all."""
    return AGAIN in job.key and (job.reason or "").startswith(ARRIVED)


def _aside(job: Any, over: set[str]) -> bool:
    """Tell whether a job is done that only looked after another, or was sent anew."""
    if job.state != "done":
        return False
    return _STAFF in job.key or job.action in _BESIDE or job.key in over


def _rank(job: Any) -> tuple[bool, bool]:
    """Put what was said before what was only done, and acts before messages."""
    return not job.reason, not job.acts


def _undone(job: Any) -> bool:
    """Tell whether what the event asked for was taken back; reminders may wait."""
    return bool(job.acts and job.state == "withdrawn" and job.reason)


def _planned(jobs: Sequence[Any]) -> str:
    done = (job for job in jobs if job.action == "schedule_cancellation")
    return next((did(job) for job in done if job.state == "done"), "")


def _unsent(jobs: Sequence[Any]) -> list[str]:
    """Return why messages that were to go out beside the rest did not."""
    unsent = (
        job.reason
        for job in jobs
        if job.action == "send_alert" and job.state in ("skipped", "withdrawn")
    )
    return [f"not sent: {reason}" for reason in dict.fromkeys(unsent) if reason]


def _and(*parts: str) -> str:
    told = [part for part in dict.fromkeys(parts) if part]
    return "; ".join([*(part.rstrip(".") for part in told[:-1]), *told[-1:]])


def did(job: Any, sent: Said | None = None) -> str:
    """Return what a job without a reason did, or waits for.

    *sent* holds what became of messages since they were handed over.
    """
    outcome = job.outcome or {}
    if job.state == "waiting":
        if job.run_at > job.created_at:
            return f"{job.action} waits until {job.run_at:%Y-%m-%d %H:%M} UTC"
        return f"{job.action} waits for its turn"
    if job.state == "running":
        return f"{job.action} runs"
    if job.action == "send_alert" and job.state == "done":
        return _sent(job, outcome, (sent or {}).get(job.key, ""))
    if job.action == "settle_failure" and outcome.get("then"):
        return f"{outcome['then']} ({outcome.get('why')})"
    if job.action == "schedule_cancellation" and outcome.get("ends"):
        because = outcome.get("because")
        return f"service {outcome.get('service')} ends {outcome['ends']}: {because}"
    told = ", ".join(f"{k} {v}" for k, v in outcome.items() if k != "how")
    how = str(outcome.get("how") or "")
    return ": ".join(part for part in (job.action, told, how) if part)


def last_word(message: Any) -> str:
    """Return a message's state, and why where it failed."""
    told = f"{message.state} ({message.error})" if message.error else message.state
    if message.reached:
        return f"{told}, but the provider says that it went to another number"
    return str(told)


def _sent(job: Any, outcome: dict[str, Any], since: str) -> str:
    message = outcome.get("message") or (job.parameters or {}).get("message", "alert")
    if each := outcome.get("clients"):
        return f"{message} to each of clients {', '.join(map(str, each))}"
    return f"{message} to {outcome.get('to')}: {since or outcome.get('state')}"
