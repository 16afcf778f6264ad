from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from station_adapters.memory.agent import MemoryAgentStore
from station_adapters.memory.audit import Ledger, MemoryAuditStore
from station_adapters.memory.clock import MemoryClock, MemoryRandomness, settled
from station_adapters.memory.cloud import MemoryCloudStore
from station_adapters.memory.devices import MemoryDeviceStore
from station_adapters.memory.identity import MemoryIdentityStore, MemoryPasswords, MemoryTokens
from station_adapters.memory.link import MemoryDoor, MemoryLink
from station_adapters.memory.outbox import MemoryOutbox
from station_adapters.memory.provisioning import MemoryProvisioningStore
from station_adapters.memory.radio import MemoryRadio
from station_core.health import MQTT, Phase
from station_core.home import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.devices.ports import DeviceLink


class MemoryPorts:
    """Every port in memory: keep one over several homes to see what a restart does."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.randomness = MemoryRandomness()
        ledger = Ledger()
        self.outbox = MemoryOutbox()
        self.store = MemoryDeviceStore(self.randomness, ledger, self.outbox)
        self.identities = MemoryIdentityStore(ledger, self.outbox)
        self.audit = MemoryAuditStore(ledger)
        self.passwords = MemoryPasswords()
        self.tokens = MemoryTokens()
        self.link = MemoryLink()
        self.door = MemoryDoor()
        self.radio = MemoryRadio()
        self.provisioning = MemoryProvisioningStore(ledger)
        self.agent = MemoryAgentStore(ledger)
        self.cloud = MemoryCloudStore(self.outbox, ledger)

    def home(self, station_id: str = "memory", *, link: DeviceLink | None = None) -> Home:
        """The core over these ports, or over a *link* of your own."""
        return Home(
            store=self.store,
            identities=self.identities,
            link=self.link if link is None else link,
            door=self.door,
            passwords=self.passwords,
            tokens=self.tokens,
            clock=self.clock,
            randomness=self.randomness,
            station_id=station_id,
            audit_store=self.audit,
            provisioning_store=self.provisioning,
            agent_store=self.agent,
            cloud_store=self.cloud,
            outbox=self.outbox,
            radio=self.radio,
        )

    @asynccontextmanager
    async def running(self, *, link: DeviceLink | None = None) -> AsyncIterator[Home]:
        """A home that was loaded, hears and runs; ended at once on leaving, as by a power cut."""
        home = self.home(link=link)
        await home.load()
        home.presence.hearing()
        home.health.tell(MQTT, up=True)
        home.health.phase = Phase.SERVING
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            running = group.create_task(home.run())
            await settled()  # its workers have begun
            try:
                yield home
            except Exception as error:  # noqa: BLE001  # raised again below: the group would wrap it
                failure = error
            finally:
                running.cancel()
        if failure is not None:
            raise failure
