from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from datetime import UTC, datetime


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
    """The operating system's source of randomness."""

    def uuid(self) -> str:
        """See `Randomness`."""
        return str(uuid.uuid4())

    def token(self) -> str:
        """See `Randomness`."""
        return secrets.token_urlsafe(32)
