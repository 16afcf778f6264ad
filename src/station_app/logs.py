from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

QUIET: Final = {"uvicorn": logging.WARNING, "alembic": logging.WARNING, "station.mqtt.client": logging.CRITICAL}
"""Loggers of libraries whose chatter says what the station's own logs say better."""


def set_up(*, level: str, form: str | None) -> None:
    """Log to standard error: *form* `console` for people, `json` for machines, None for what fits the terminal."""
    console = sys.stderr.isatty() if form is None else form == "console"
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, at_least in QUIET.items():
        logging.getLogger(name).setLevel(at_least)
