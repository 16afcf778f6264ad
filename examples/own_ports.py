"""A home over a store, a link, a clock and a source of ids of one's own."""

import asyncio
import secrets
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.identity import MemoryIdentityStore, MemoryPasswords, MemoryTokens
from station_adapters.memory.link import MemoryDoor
from station_core.audit.model import SYSTEM
from station_core.devices.events import DeviceStateChanged
from station_core.devices.model import Introduction
from station_core.devices.ports import DeviceChange
from station_core.home import Home
from station_core.journal import Batch
from station_core.values import Value

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
LAMP = Introduction(type="light", firmware_version="1.0")


class QuickClock:
    """A `Clock` whose minute takes a second."""

    pace = 60.0

    def now(self) -> datetime:
        return NEW_YEAR + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() * self.pace

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.pace)


class SystemIds:
    """A `Randomness`."""

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def token(self) -> str:
        return secrets.token_urlsafe(32)


class LoggedStore(MemoryDeviceStore):
    """A `DeviceStore` that, before it promises anything, writes what was reported to a log."""

    async def commit(self, batch: Batch[DeviceChange]) -> None:
        for event in (event for change in batch.changes for event in change.events):
            if isinstance(event, DeviceStateChanged):
                print(f"kept: {dict(event.state)}")
        await super().commit(batch)


class Wires:
    """A `DeviceLink`: where MQTT, Zigbee or a serial line would be. What hangs on it obeys at once."""

    home: Home

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        print(f"sent to {external_id}: {dict(command)}")
        self.home.devices.report_state(external_id, {"on": command["action"] == "turn_on"})

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        print(f"{external_id} is {'known' if known else 'unknown'}")

    async def clear(self, station_id: str, external_id: str) -> None:
        print(f"nothing is left of {external_id}")


async def main() -> None:
    wires, ids = Wires(), SystemIds()
    wires.home = home = Home(
        store=LoggedStore(ids),
        identities=MemoryIdentityStore(),
        link=wires,
        door=MemoryDoor(),
        passwords=MemoryPasswords(),
        tokens=MemoryTokens(),
        clock=QuickClock(),
        randomness=ids,
        station_id="my-home",
    )
    await home.load()
    home.presence.hearing()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(home.run())
        lamp, _token = await home.household.add(external_id="lamp-1", name="Lamp", type_id="light")
        await home.journal.kept(home.devices.handshake("lamp-1", LAMP, station_id="my-home"))
        await home.journal.kept(home.devices.report_state("lamp-1", {"on": False}))
        _, effect = await home.watch.send(lamp.id, {"action": "turn_on"}, actor=SYSTEM, within=60)
        print(effect)
        running.cancel()


asyncio.run(main())
