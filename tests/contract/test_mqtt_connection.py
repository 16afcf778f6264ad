"""A connection with the broker that ends at an awkward moment: it's told as `LinkDown`, and nothing is left over."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.connection import connected
from station_adapters.mqtt.merging import Message
from station_adapters.mqtt.packets import LARGEST
from station_adapters.mqtt.topics import parse
from station_core.errors import BrokerUnavailable, LinkDown
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_adapters.mqtt.connection import Connection

MANY = 3_000  # of 4 KB: more than sockets hold
CONNACK = b"\x20\x03\x00\x00\x00"  # MQTT 5: no session, success, no properties


@pytest.fixture
async def complaints() -> AsyncIterator[list[str]]:
    """What the loop was told that nobody took care of."""
    told: list[str] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        told.append(f"{context['message']}: {context.get('exception')!r}")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(note)
    yield told
    loop.set_exception_handler(None)


@asynccontextmanager
async def rude_broker() -> AsyncIterator[BrokerAddress]:
    """A broker that lets everybody in and hangs up in the same breath."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_024)
        writer.write(CONNACK)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield BrokerAddress(host=host, port=port)


async def settled() -> None:
    """Let everything happen that was due."""
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()


async def test_a_broker_that_leaves_behind_its_welcome_is_no_connection(complaints: list[str]) -> None:
    async with rude_broker() as address:
        for _ in range(20):
            with pytest.raises(LinkDown):
                async with connected(address, "canary", _ignore) as connection:
                    await connection.ended()
        await settled()

    assert complaints == []


async def test_that_the_broker_knew_of_no_session_is_told_though_nothing_comes_of_the_connection() -> None:
    kept: list[bool] = []
    async with rude_broker() as address:
        with pytest.raises(LinkDown):
            async with connected(address, "canary", _ignore, on_session=kept.append) as connection:
                await connection.ended()

    assert kept == [False]


async def test_a_message_that_is_too_large_is_not_brought_and_what_follows_is() -> None:
    came: list[bytes] = []
    got = asyncio.Event()

    def take(_topic: bytes, payload: bytes, _packet_id: int, _flags: int, _connection: Connection) -> None:
        came.append(payload[:1])
        got.set()

    async with Mosquitto() as broker:
        address = BrokerAddress(host=broker.host, port=broker.port)
        async with connected(address, "reader", take) as reader, connected(address, "canary", _ignore) as connection:
            await reader.subscribe(["t"])
            await connection.publish("t", b"x" * (2 * LARGEST))
            await connection.publish("t", b"y")
            async with asyncio.timeout(10):
                await got.wait()

    assert came == [b"y"]


async def test_what_is_to_be_sent_is_dropped_with_the_connection(complaints: list[str]) -> None:
    async with Mosquitto() as broker:
        address = BrokerAddress(host=broker.host, port=broker.port)
        with suppress(BrokerUnavailable):
            async with connected(address, "canary", _ignore) as connection:
                connection.post("t", b"x")
                raise BrokerUnavailable
        await settled()

    assert complaints == []


async def test_what_a_slow_broker_does_not_take_at_once_is_sent_later_and_in_order() -> None:
    came: list[int] = []
    got_all = asyncio.Event()

    def take(_topic: bytes, payload: bytes, _packet_id: int, _flags: int, _connection: Connection) -> None:
        came.append(int(payload[:4]))
        if len(came) == MANY:
            got_all.set()

    async with Mosquitto() as broker, FaultProxy(broker.host, broker.port) as proxy:
        direct = BrokerAddress(host=broker.host, port=broker.port)
        slow = BrokerAddress(host=proxy.host, port=proxy.port)
        async with connected(direct, "reader", take) as reader, connected(slow, "canary", _ignore) as connection:
            await reader.subscribe(["t"])
            proxy.up.stalled = True
            for n in range(MANY):
                connection.post("t", b"%04d" % n + bytes(4_096))
            await settled()
            proxy.up.stalled = False
            async with asyncio.timeout(10):
                await got_all.wait()

    assert came == list(range(MANY))


async def test_messages_that_wait_for_ever_keep_nothing_alive_once_their_connection_is_over() -> None:
    waiting = Waiting()
    async with Mosquitto() as broker:
        address = BrokerAddress(host=broker.host, port=broker.port)
        async with connected(address, "canary", waiting.take, waiting.heed) as connection:
            waiting.take(b"station/s/device/d/state", b'{"state":{}}', 0, 0, connection)
    gone = weakref.ref(waiting)
    del waiting, connection
    await settled()

    assert gone() is None


class Waiting:
    """Who hears on a connection, and hasn't handled what came by it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def take(self, topic: bytes, payload: bytes, packet_id: int, flags: int, connection: Connection) -> None:
        self.messages.append(Message(parse(topic), payload, len(payload), packet_id, flags, connection))

    def heed(self, _: Connection) -> None:
        """Nothing stops the reading."""


def _ignore(_topic: bytes, _payload: bytes, _packet_id: int, _flags: int, _connection: Connection) -> None:
    """Nothing is subscribed to."""
