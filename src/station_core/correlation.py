"""For whom something is done: the context carries it from the edge through the core into every log line."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""Of the HTTP call that is being answered, None where there is none."""
