"""The way in over the core in memory, and a connection that remembers; no socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_adapters.mqtt.inbound import Inbound

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home


class Wire:
    """A connection that remembers what it acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    def acknowledge(self, packet_ids: list[int]) -> None:
        self.acknowledged += packet_ids


class Broker:
    def __init__(self, ports: MemoryPorts, home: Home) -> None:
        self.ports = ports
        self.home = home
        self.inbound = Inbound(home)
        self.wire = Wire()

    def reconnect(self, *, session_kept: bool) -> None:
        self.inbound.lost()
        self.wire = Wire()
        if not session_kept:
            self.inbound.begun_anew()
        self.inbound.connected(on_roomy=lambda: None)
        self.inbound.hears()

    def send(self, suffix: str, payload: bytes, packet_id: int = 0, flags: int = 0, device: str = "lamp") -> None:
        topic = f"station/s/device/{device}/{suffix}".encode()
        self.inbound.offer(topic, payload, packet_id, flags, self.wire)

    async def feed(self) -> list[str]:
        page = await self.ports.store.activities()
        return [item.event_type for item in reversed(page.items)]
