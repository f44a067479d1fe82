"""Structured logs: one JSON object a line, times in UTC, English event names; never a seed, a passphrase or a body.

A node logs to HOME/node.log and, where asked, to stderr. Each node holds its own logger, so several can live in one
process without mixing their files.
"""

import logging
import sys
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


# What aiohttp has to say of requests that are no HTTP: a trace of some kB for each, which anybody can have written at
# will. Whatever happens in a handler of ours is logged by its outermost layer instead.
UNHEARD = logging.getLogger("wattest.http")
UNHEARD.setLevel(logging.CRITICAL + 1)


class Lines:
    """Writes finished lines to several text streams; a full disk must not bring the node down by way of its log."""

    def __init__(self, streams: tuple[TextIO, ...]) -> None:
        self._streams = streams

    def msg(self, message: str) -> None:
        for stream in self._streams:
            try:
                stream.write(message + "\n")
                stream.flush()
            except (OSError, ValueError):
                continue

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


def open_log(path: Path | None, level: str = "info", to_stderr: bool = False, **bound: object) -> FilteringBoundLogger:
    """A logger with `bound` on every line. `path` None and no stderr: a silent one."""
    streams: tuple[TextIO, ...] = ()
    if path is not None:
        streams += (path.open("a", encoding="utf-8"),)
    if to_stderr:
        streams += (sys.stderr,)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        Lines(streams),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _bytes_to_hex,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )
    return logger.bind(**bound)


def _bytes_to_hex(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in event.items()}
