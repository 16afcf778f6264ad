"""A broker that had no session of ours, and whose connection fails before it is of any use."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.home import MemoryPorts
from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.inbound import Inbound
from station_adapters.mqtt.link import MqttLink
from station_core.errors import BrokerUnavailable, LinkDown
from tests.contract.http_rig import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TerseBroker:
    """It welcomes everybody and says nothing more; the first *rude* times it hangs up at once."""

    def __init__(self, rude: int) -> None:
        self._rude = rude
        self.sessions = 0
        self.said = b""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_024)
        kept = self.sessions > 0  # which the first CONNECT has made
        self.sessions += 1
        writer.write(bytes([0x20, 3, kept, 0, 0]))  # CONNACK, MQTT 5.0 §3.2
        if self.sessions > self._rude:
            while said := await reader.read(1_024):
                self.said += said
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[BrokerAddress]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        async with server:
            host, port = server.sockets[0].getsockname()
            yield BrokerAddress(host=host, port=port)


async def test_the_next_connection_finds_the_session_that_it_made_and_believes_nothing_of_the_former() -> None:
    home = MemoryPorts().home()
    home.journal.append(None, (1, 7))  # type: ignore[arg-type]  # nothing is kept here
    broker = TerseBroker(rude=1)
    async with broker.listening() as address:
        link = MqttLink(address, "station/s")
        with pytest.raises(LinkDown):
            await link.run(Inbound(home), asyncio.Event())
        known = home.journal.delivered((1, 7))
        again = asyncio.create_task(link.run(Inbound(home), asyncio.Event()))
        await until(lambda: link._connection)
        with pytest.raises(BrokerUnavailable):
            await link.send("s", "lamp", {"action": "toggle"})
        again.cancel()
        await asyncio.wait([again])

    assert not known
    assert b"toggle" not in broker.said  # nothing is subscribed to: its effect would be told to nobody
