from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from station_adapters.metrics.collector import StationCollector
    from station_adapters.metrics.sources import Answers, BrokerLink, Inlet, LiveStream, Sized
    from station_core.home import Home

SIZE_WITHIN: Final = 1.0  # seconds; a scrape doesn't wait longer for a database that doesn't answer
SIZE_HOLDS: Final = 10.0  # seconds; PostgreSQL looks at every file for it, as long as all the rest of a scrape takes


class Exposition:
    """All figures of a station and its process in Prometheus's text format; read when somebody asks, never before."""

    content_type: Final = "text/plain; version=0.0.4"

    def __init__(
        self,
        *,
        home: Home,
        inlet: Inlet,
        link: BrokerLink,
        live: LiveStream,
        answers: Answers,
        database: Sized,
        version: str,
    ) -> None:
        self._home = home
        self._inlet = inlet
        self._link = link
        self._live = live
        self._answers = answers
        self._database = database
        self._version = version
        self._collector: StationCollector | None = None
        self._size_due = float("-inf")

    async def text(self) -> bytes:
        """The figures as of now, but the database's size, which holds for 10 s; while it doesn't answer, without."""
        if self._collector is None:
            self._collector = self._collect()
        if self._home.clock.monotonic() >= self._size_due:
            self._collector.size = await self._size()
            self._size_due = self._home.clock.monotonic() + SIZE_HOLDS
        return self._collector.text()

    async def _size(self) -> int | None:
        try:
            async with asyncio.timeout(SIZE_WITHIN):
                return await self._database.size()
        except (StoreUnavailable, TimeoutError):
            return None

    def _collect(self) -> StationCollector:
        # Imported when needed: a house where nobody asks has 2 MB more.
        from station_adapters.metrics.collector import StationCollector  # noqa: PLC0415

        return StationCollector(
            home=self._home,
            inlet=self._inlet,
            link=self._link,
            live=self._live,
            answers=self._answers,
            version=self._version,
        )
