"""A wall clock that jumps, for a process that believes it: libfaketime, Debian's package."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LIBRARIES: Final = "*/faketime/libfaketimeMT.so.1"


class WallClock:
    """
    What the processes with this `environment` take for the time; their monotonic clock is the machine's.

    They look at it for each call, which opens a file, or each *seconds*.
    """

    def __init__(self, folder: Path, seconds: int = 0) -> None:
        self._file = folder / "wall-clock"
        self._seconds = seconds
        self.jump_to(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """For a process to be started with; raise `RuntimeError` where libfaketime isn't installed."""
        library = next(Path("/usr/lib").glob(LIBRARIES), None)
        if library is None:
            raise RuntimeError("libfaketime is missing: make setup")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "0" if self._seconds else "1",
            "FAKETIME_CACHE_DURATION": str(self._seconds),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else waits with a timeout end at once, and threads spin
            "NO_FAKE_STAT": "1",
        }

    def show(self, instant: datetime) -> None:
        """Go on from this time."""
        self.jump_to(instant.timestamp() - time.time())

    def jump_to(self, offset: float) -> None:
        """Show so many seconds more than the machine's clock."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+.0f}\n")
        fresh.replace(self._file)
