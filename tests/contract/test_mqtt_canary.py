"""What is relied on below the surface of aiomqtt and paho; a new version that changes it must fail here first."""

from __future__ import annotations

import asyncio
import inspect
import re

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from station_adapters.mqtt.address import BrokerAddress
from station_adapters.mqtt.connection import connected
from tests.servers.mosquitto import Mosquitto


async def test_aiomqtt_calls_the_methods_that_are_overridden() -> None:
    source = inspect.getsource(aiomqtt.Client.__init__)

    assert "self._client.on_connect = self._on_connect" in source
    assert "self._client.on_socket_open = self._on_socket_open" in source
    assert "self._client.on_socket_register_write = self._on_socket_register_write" in source
    assert "self._misc_loop()" in inspect.getsource(aiomqtt.Client._on_socket_open)


async def test_aiomqtt_holds_its_state_in_two_futures() -> None:
    client = aiomqtt.Client("127.0.0.1")

    assert isinstance(client._connected, asyncio.Future)
    assert isinstance(client._disconnected, asyncio.Future)
    assert isinstance(client._client, paho.Client)
    assert client._loop is asyncio.get_running_loop()


def test_paho_reads_through_one_method_and_queues_packets_by_another() -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)

    assert list(inspect.signature(client._sock_recv).parameters) == ["bufsize"]
    assert list(inspect.signature(client._packet_queue).parameters)[:4] == ["command", "packet", "mid", "qos"]
    assert len(client._out_packet) == 0
    assert client._ping_t == 0
    assert client._sock_close() is None  # type: ignore[func-returns-value]  # no socket, no error


def test_paho_has_to_know_when_a_message_at_qos_0_and_a_goodbye_were_written_and_nothing_else() -> None:
    source = inspect.getsource(paho.Client._packet_write)

    assert re.findall(r"if \(packet\['command'\] & 0xF0\) == (.*):", source) == [
        "PUBLISH and packet['qos'] == 0",
        "DISCONNECT",
    ]


async def test_a_packet_queued_by_hand_acknowledges_what_the_broker_sent() -> None:
    came: list[int] = []
    got = asyncio.Event()

    def take(_topic: bytes, _payload: bytes, packet_id: int, _flags: int, _: object) -> None:
        came.append(packet_id)
        got.set()

    async with Mosquitto() as broker:
        address = BrokerAddress(host=broker.host, port=broker.port)
        for acknowledge in (False, True, False):
            async with connected(address, "canary", take) as connection:
                await connection.subscribe(["t"])
                if not came:
                    async with aiomqtt.Client(broker.host, broker.port) as other:
                        await other.publish("t", b"x", qos=1)
                if acknowledge or len(came) < 2:
                    async with asyncio.timeout(5):
                        await got.wait()
                got.clear()
                if acknowledge:
                    connection.acknowledge([came[-1]])

    assert len(came) == 2  # again while it wasn't acknowledged, never after that


async def test_the_station_does_not_hear_itself() -> None:
    came: list[bytes] = []
    got = asyncio.Event()

    def take(_topic: bytes, payload: bytes, _packet_id: int, _flags: int, _: object) -> None:
        came.append(payload)
        got.set()

    async with (
        Mosquitto() as broker,
        connected(BrokerAddress(host=broker.host, port=broker.port), "canary", take) as connection,
    ):
        await connection.subscribe(["t"])
        await connection.publish("t", b"", retain=True)
        async with aiomqtt.Client(broker.host, broker.port) as other:
            await other.publish("t", b"theirs", qos=1)
        async with asyncio.timeout(5):
            await got.wait()

    assert came == [b"theirs"]
