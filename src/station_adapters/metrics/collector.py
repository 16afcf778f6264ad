from __future__ import annotations

import asyncio
import platform
import sys
from itertools import chain
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from station_adapters.metrics import families

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from station_adapters.metrics.sources import Answers, BrokerLink, Inlet, LiveStream
    from station_core.home import Home


class StationCollector(Collector):
    """All figures of a station and its process, read when they are asked for; `size` is the database's, if known."""

    def __init__(
        self, *, home: Home, inlet: Inlet, link: BrokerLink, live: LiveStream, answers: Answers, version: str
    ) -> None:
        self._home = home
        self._inlet = inlet
        self._link = link
        self._live = live
        self._answers = answers
        self._version = version
        self.size: int | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for vendors in (ProcessCollector, PlatformCollector, GCCollector):
            vendors(registry=self._registry)

    def text(self) -> bytes:
        """The figures as of now."""
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
            families.of_the_process(len(asyncio.all_tasks()), sys.getallocatedblocks()),
            () if self.size is None else families.of_the_database(self.size),
        )
