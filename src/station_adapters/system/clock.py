from __future__ import annotations

import asyncio
import os
import secrets
import time
from datetime import UTC, datetime
from typing import Final

_UUID: Final = 16  # bytes
_DRAWN: Final = 256 * _UUID


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        end = time.monotonic() + seconds
        await asyncio.sleep(seconds)
        # uvloop counts whole milliseconds and wakes up to one too early.
        while (left := end - time.monotonic()) > 0:  # noqa: ASYNC110  # time itself is waited for
            await asyncio.sleep(left)


class SystemRandomness:
    """The operating system's source of randomness; for use in one thread."""

    def __init__(self) -> None:
        self._drawn = b""
        self._at = 0

    def uuid(self) -> str:
        """See `Randomness`; random (RFC 9562 §5.4)."""
        # Ids are no secrets, so many are drawn at once: to ask the system for each took longer than all else in it.
        if self._at == len(self._drawn):
            self._drawn, self._at = os.urandom(_DRAWN), 0
        drawn = bytearray(self._drawn[self._at : self._at + _UUID])
        self._at += _UUID
        drawn[6] = drawn[6] & 0x0F | 0x40
        drawn[8] = drawn[8] & 0x3F | 0x80
        digits = drawn.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def token(self) -> str:
        """See `Randomness`."""
        return secrets.token_urlsafe(32)
