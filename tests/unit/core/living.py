"""What the tests of the core say in one word."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from station_adapters.memory.clock import settled
from station_core.devices.model import Introduction
from station_core.events import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceChange
    from station_core.events import Subscription
    from station_core.home import Home
    from station_core.journal import Batch

PORTRAIT = Introduction(type="light", firmware_version="1.4.0")
STATION = "station-1"


async def living(home: Home, external_id: str = "lamp", type_id: str = "light") -> Device:
    """A device of the household that has not spoken yet."""
    device, _ = await home.household.add(external_id=external_id, name=external_id.title(), type_id=type_id)
    return device


async def kept(receipt: Batch[DeviceChange]) -> None:
    """The receipt has resolved; bounded, for what never comes shall fail and not hang."""
    async with asyncio.timeout(5):
        await asyncio.shield(receipt.done)


def listening(home: Home) -> Subscription[Event]:
    """Everything that is told from now on."""
    return home.bus.subscribe(Event, bound=1_000)


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def overlapping(first: Awaitable[Any], second: Awaitable[Any], *, turns: int) -> tuple[Any, Any]:
    """What came of both, results or errors; the second begins *turns* turns of the loop after the first."""

    async def later() -> Any:
        await settled(turns)
        return await second

    async with asyncio.timeout(10):
        return await asyncio.gather(first, later(), return_exceptions=True)
