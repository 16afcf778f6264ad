from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from station_adapters.http.app import create_app
from station_adapters.http.live import LiveHub
from station_adapters.http.traffic import Traffic
from station_adapters.memory.home import MemoryPorts
from station_adapters.metrics.exposition import Exposition
from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.link import MqttLink
from tests.contract.http_rig import HttpRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client.core import Metric


@dataclass
class SizedDatabase:
    """A database that says what it's told to."""

    bytes: int = 4096
    trouble: Exception | None = None
    frozen: bool = False

    async def size(self) -> int:
        if self.frozen:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        return self.bytes


@dataclass
class MetricsRig(HttpRig):
    """A station over memory, and what its figures are read from."""

    inbound: Inbound = field(kw_only=True)
    link: MqttLink = field(kw_only=True)
    database: SizedDatabase = field(kw_only=True)
    figures: Exposition = field(kw_only=True)

    async def families(self) -> dict[str, Metric]:
        """What is exposed, as Prometheus parses it."""
        text = (await self.figures.text()).decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    async def value(self, sample: str, **labels: str) -> float | None:
        """One figure."""
        for family in (await self.families()).values():
            for found in family.samples:
                if (found.name, found.labels) == (sample, labels):
                    return float(found.value)
        return None


@pytest.fixture
async def rig() -> AsyncIterator[MetricsRig]:
    ports = MemoryPorts()
    async with ports.running() as home:
        hub, traffic, database = LiveHub(home), Traffic(), SizedDatabase()
        inbound = Inbound(home)
        link = MqttLink(BrokerAddress(host="127.0.0.1", port=1), "station/test")
        figures = Exposition(
            home=home, inlet=inbound, link=link, live=hub, answers=traffic, database=database, version="0.1.0"
        )
        app = create_app(home, ports.store, hub, traffic=traffic, figures=figures)
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # an ASGI app
        async with httpx.AsyncClient(base_url="http://127.0.0.1:3000", transport=transport) as http:
            yield MetricsRig(ports, home, hub, 0, http, inbound=inbound, link=link, database=database, figures=figures)
