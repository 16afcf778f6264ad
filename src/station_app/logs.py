from __future__ import annotations

import logging
import sys
from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TextIO

import structlog

from station_app.masking import mask_secrets
from station_app.settings.model import LogLevel
from station_core.correlation import request_id
from station_core.errors import Malformed

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

QUIET: Final = {"uvicorn": logging.WARNING, "alembic": logging.WARNING, "station.mqtt.client": logging.CRITICAL}
"""Loggers of libraries whose chatter says what the station's own logs say better."""
REMEMBERED: Final = 1_000  # lines
REMEMBERED_SIZE: Final = 256 * 1024  # characters
LONGEST: Final = 8 * 1024  # characters of one line, which may be a traceback


class Remembering(logging.StreamHandler[TextIO]):
    """Writes what is logged, and remembers the newest lines as they were written, secrets masked: bounded."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: deque[str] = deque()
        self._size = 0

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        line = super().format(record)
        kept = line[:LONGEST]
        self._lines.append(kept)
        self._size += len(kept)
        while len(self._lines) > REMEMBERED or self._size > REMEMBERED_SIZE:
            self._size -= len(self._lines.popleft())
        return line

    @property
    def lines(self) -> list[str]:
        """Oldest first."""
        with self.lock or nullcontext():
            return list(self._lines)


def recent() -> list[str] | None:
    """The newest lines of this process's log, oldest first; None when it keeps none, for it is no station."""
    return next((one.lines for one in logging.getLogger().handlers if isinstance(one, Remembering)), None)


def set_up(*, level: str, form: str | None) -> None:
    """Log to standard error: *form* `console` for people, `json` for machines, None for what fits the terminal."""
    console = sys.stderr.isatty() if form is None else form == "console"
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _correlated,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        # Rich tracebacks show the values of local variables, passwords among them.
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.JSONRenderer()]
    )
    handler = Remembering(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                *last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for name, at_least in QUIET.items():
        logging.getLogger(name).setLevel(at_least)


def set_level(level: str) -> None:
    """Say more or less from now on; raise `Malformed` for a level that there isn't."""
    try:
        known = LogLevel(level.lower())
    except ValueError:
        raise Malformed(f"A log level is one of {', '.join(LogLevel)}.") from None
    logging.getLogger().setLevel(known.upper())


def _correlated(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if (of_request := request_id.get()) is not None:
        event.setdefault("request_id", of_request)
    return event
