from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from station_core.errors import Malformed


def instant(name: str, text: str | None) -> datetime | None:
    """A time of RFC 3339 with its offset; a `+` that nobody escaped has come as a space."""
    if text is None:
        return None
    try:
        told = msgspec.convert(text.replace(" ", "+"), datetime)
        if told.tzinfo is not None:
            return told.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        pass
    raise Malformed(f"{name}: a time of RFC 3339 with its offset is expected.")
