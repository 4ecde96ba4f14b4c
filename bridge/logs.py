"""Logs: lines on a terminal, JSON elsewhere; nothing secret and no phone number."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(
    level: str = "info", *, terminal: bool | None = None, for_good: bool = False
) -> None:
    """Send logs to stderr, as text on a terminal and as JSON elsewhere.

    *for_good* makes loggers keep these settings from their first line on, which
    is faster; only a process that does nothing else may ask for it.
    """
    on_terminal = sys.stderr.isatty() if terminal is None else terminal
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    # Access lines of libraries hold addresses with queries.
    for name in ("urllib3", "apscheduler", "waitress", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception,
            structlog.dev.ConsoleRenderer()
            if on_terminal
            else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=for_good,
    )


def _exception(
    _logger: Any, _name: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Show where an unforeseen error came from; its text may hold anybody's data."""
    if not entry.pop("exc_info", None):
        return entry
    error = sys.exc_info()[1]
    if error is None:
        return entry
    entry["error"] = type(error).__name__
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    entry["at"] = " > ".join(places[-8:])
    return entry
