from __future__ import annotations

import logging
from collections import Counter
from typing import Final

log = logging.getLogger("station.cloud")

NAMES: Final = 100  # that are remembered; who invents more gets no more lines in the log
LENGTH: Final = 64


class Once:
    """Logs each name once, and counts all, a bounded number of them by their name."""

    def __init__(self, message: str) -> None:
        self._message = message
        self.counts: Counter[str] = Counter()
        self.others = 0

    def tell(self, name: str) -> None:
        """It was met, once more."""
        name = name[:LENGTH]
        if name not in self.counts and len(self.counts) >= NAMES:
            self.others += 1
            return
        if name not in self.counts:
            log.warning(self._message, extra={"name_met": name})
        self.counts[name] += 1
