from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from station_adapters.mqtt import topics
from station_adapters.mqtt.connection import Connection, connected
from station_adapters.mqtt.payloads import HANDSHAKE_OK, HANDSHAKE_UNKNOWN, write_command
from station_core.errors import BrokerUnavailable, LinkDown

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from station_adapters.mqtt.address import BrokerAddress
    from station_adapters.mqtt.inbound import Inbound
    from station_core.values import Value

CLEAR_WITHIN: Final = 1.0  # seconds


SPEAKER: Final = "/speaker"  # behind the name of the connection that hears


class MqttLink:
    """
    The `DeviceLink` over MQTT, and the worker that holds the session with the broker; `sessions` counts these.

    It hears on one connection and speaks on another: what acknowledges a command must not wait in a socket that isn't
    read, behind all that devices have to say. *speaker* is who we are on the other one, if somebody else.
    """

    def __init__(self, address: BrokerAddress, client_id: str, speaker: BrokerAddress | None = None) -> None:
        self._address = address
        self._speaker_address = address if speaker is None else speaker
        self._client_id = client_id
        self._connection: Connection | None = None
        self._speaker: Connection | None = None
        self._reader: _Reader | None = None
        self._bare = False  # the session was begun anew, and nothing is subscribed to in it yet
        self.sessions = 0

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        """See `DeviceLink`."""
        if self._speaker is None:
            raise BrokerUnavailable
        await self._speaker.publish(topics.command(station_id, external_id), write_command(command))

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        """See `DeviceLink`."""
        if self._speaker is not None:
            answer = HANDSHAKE_OK if known else HANDSHAKE_UNKNOWN
            self._speaker.post(topics.handshake_ack(station_id, external_id), answer)

    async def clear(self, station_id: str, external_id: str) -> None:
        """See `DeviceLink`."""
        speaker = self._speaker
        if speaker is None:
            raise BrokerUnavailable
        try:
            async with asyncio.timeout(CLEAR_WITHIN):
                for topic in topics.said(station_id, external_id):
                    await speaker.publish(topic, b"", retain=True)  # nothing: what is retained goes
        except TimeoutError:
            raise BrokerUnavailable from None

    async def run(self, inbound: Inbound, subscribed: asyncio.Event) -> None:
        """Hold one session with the broker; set *subscribed* once it's there; raise `LinkDown` when it ends."""
        reader = _Reader(inbound)

        def on_session(kept: bool) -> None:  # noqa: FBT001  # a callback's
            # Told at once: should this connection fail before it is of use, the next one finds the session it made.
            if not kept:
                self._bare = True
                inbound.begun_anew()

        async with (
            connected(self._address, self._client_id, inbound.offer, reader.heed, on_session) as connection,
            connected(self._speaker_address, self._client_id + SPEAKER, _unasked, lasting=False) as speaker,
        ):
            inbound.connected(on_roomy=lambda: reader.read_on(connection))
            why = "The station ends the connection."
            self._connection, self._reader = connection, reader
            if not self._bare:
                self._speaker = speaker  # without subscriptions a command's effect would be told to nobody yet
            try:
                await _first_failed(
                    self._listen(connection, speaker, reader, inbound, subscribed), connection.ended(), speaker.ended()
                )
            except LinkDown as error:
                why = str(error)
                raise
            finally:
                self._connection = self._speaker = self._reader = None
                subscribed.clear()
                inbound.lost(why)

    async def _listen(
        self,
        connection: Connection,
        speaker: Connection,
        reader: _Reader,
        inbound: Inbound,
        subscribed: asyncio.Event,
    ) -> None:
        while not subscribed.is_set():
            try:
                await connection.subscribe(topics.SUBSCRIPTIONS)
            except LinkDown:
                if reader.reading.is_set():
                    raise
                # The answer waits in the socket, behind what the session held and nobody has room for. What devices say
                # goes to the session by subscriptions that it has, and commands go out meanwhile.
                self._bare = False
                self._speaker = speaker
                await reader.reading.wait()
            else:
                self._bare = False
                self._speaker = speaker
                self.sessions += 1
                inbound.hears()
                subscribed.set()

    def stop_reading(self) -> None:
        """Read nothing more on this connection, but go on to acknowledge and to send."""
        if self._connection is not None and self._reader is not None:
            self._reader.end(self._connection)


async def _first_failed(*works: Coroutine[Any, Any, None]) -> None:
    """Do them all at once; raise what the first raises, and end the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _unasked(topic: bytes, payload: bytes, packet_id: int, flags: int, connection: Connection) -> None:
    """Who subscribed to nothing is told nothing."""


class _Reader:
    """Stops reading from a connection while the intake is full."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound
        self._intake = inbound.intake
        self._ended = False
        self.reading = asyncio.Event()
        self.reading.set()

    def heed(self, connection: Connection) -> None:
        if self._intake.full and self.reading.is_set():
            self.reading.clear()
            connection.stop_reading()
            self._inbound.deaf()

    def read_on(self, connection: Connection) -> None:
        if not self.reading.is_set() and not self._ended:
            self.reading.set()
            connection.read_on()
            self._inbound.hears()

    def end(self, connection: Connection) -> None:
        """Stop reading for good."""
        self._ended = True
        connection.stop_reading()
