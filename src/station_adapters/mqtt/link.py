from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from station_adapters.mqtt import topics
from station_adapters.mqtt.connection import Connection, connected
from station_adapters.mqtt.payloads import HANDSHAKE_OK, HANDSHAKE_UNKNOWN, write_command
from station_core.errors import BrokerUnavailable, LinkDown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_adapters.mqtt.address import BrokerAddress
    from station_adapters.mqtt.inbound import Inbound
    from station_core.values import Value

CLEAR_WITHIN: Final = 1.0  # seconds


class MqttLink:
    """The `DeviceLink` over MQTT, and the worker that holds the session with the broker; `sessions` counts these."""

    def __init__(self, address: BrokerAddress, client_id: str) -> None:
        self._address = address
        self._client_id = client_id
        self._connection: Connection | None = None
        self.sessions = 0

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        """See `DeviceLink`."""
        if self._connection is None:
            raise BrokerUnavailable
        await self._connection.publish(topics.command(station_id, external_id), write_command(command))

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        """See `DeviceLink`."""
        if self._connection is not None:
            answer = HANDSHAKE_OK if known else HANDSHAKE_UNKNOWN
            self._connection.post(topics.handshake_ack(station_id, external_id), answer)

    async def clear(self, station_id: str, external_id: str) -> None:
        """See `DeviceLink`."""
        connection = self._connection
        if connection is None:
            raise BrokerUnavailable
        try:
            async with asyncio.timeout(CLEAR_WITHIN):
                for topic in topics.said(station_id, external_id):
                    await connection.publish(topic, b"", retain=True)  # nothing: what is retained goes
        except TimeoutError:
            raise BrokerUnavailable from None

    async def run(self, inbound: Inbound, subscribed: asyncio.Event) -> None:
        """Hold one session with the broker; set *subscribed* once it's there; raise `LinkDown` when it ends."""
        reader = _Reader(inbound)
        async with connected(self._address, self._client_id, reader.take) as connection:
            inbound.connected(session_kept=connection.session_kept, on_roomy=lambda: reader.read_on(connection))
            why = "The station ends the connection."
            try:
                await connection.subscribe(topics.SUBSCRIPTIONS)
                self._connection = connection
                self.sessions += 1
                inbound.hears()
                subscribed.set()
                await connection.ended()
            except LinkDown as error:
                why = str(error)
                raise
            finally:
                self._connection = None
                subscribed.clear()
                inbound.lost(why)

    def stop_reading(self) -> None:
        """Read nothing more on this connection, but go on to acknowledge and to send."""
        if self._connection is not None:
            self._connection.stop_reading()


class _Reader:
    """Hands what one connection brings to the intake, and stops reading while that is full."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound
        self._intake = inbound.intake
        self._reading = True

    def take(self, connection: Connection, topic: bytes, payload: bytes, packet_id: int, flags: int) -> None:
        self._inbound.offer(topic, payload, packet_id, flags, connection)
        if self._intake.full and self._reading:
            self._reading = False
            connection.stop_reading()
            self._inbound.deaf()

    def read_on(self, connection: Connection) -> None:
        if not self._reading:
            self._reading = True
            connection.read_on()
            self._inbound.hears()
