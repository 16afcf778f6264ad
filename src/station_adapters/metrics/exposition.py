from __future__ import annotations

import asyncio
import platform
from itertools import chain
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from station_adapters.metrics import families
from station_core.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from station_adapters.metrics.sources import Answers, BrokerLink, Inlet, LiveStream, Sized
    from station_core.home import Home

SIZE_WITHIN: Final = 1.0  # seconds; a scrape doesn't wait longer for a database that doesn't answer


class Exposition(Collector):
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
        self._size: int | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for vendors in (ProcessCollector, PlatformCollector, GCCollector):
            vendors(registry=self._registry)

    async def text(self) -> bytes:
        """The figures as of now; while the database doesn't answer, without its size."""
        try:
            async with asyncio.timeout(SIZE_WITHIN):
                self._size = await self._database.size()
        except (StoreUnavailable, TimeoutError):
            self._size = None
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing ahead of time: see the library."""
        return []

    def collect(self) -> Iterator[Metric]:
        """See the library."""
        return chain(
            families.of_the_build(self._version, platform.python_version()),
            families.of_the_home(self._home),
            families.of_the_journal(self._home),
            families.of_the_wires(self._home, self._inlet, self._link, self._live),
            families.of_http(self._answers),
            () if self._size is None else families.of_the_database(self._size),
        )
