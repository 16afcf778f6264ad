"""One MQTT 5 connection: this file and the client below it are the only ones that know aiomqtt, and paho below that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from station_adapters.mqtt.client import OUTGOING_BOUND, Client
from station_adapters.mqtt.packets import PUBACK, PacketCutter, pubacks, publish
from station_core.errors import BrokerUnavailable, LinkDown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from station_adapters.mqtt.address import BrokerAddress

log = logging.getLogger("station.mqtt")

PUBLISH_WITHIN: Final = 5.0  # seconds until a command counts as not sent
COMMAND_FOR: Final = 30  # seconds the broker keeps a command for a device that is away; later it would surprise


@contextlib.contextmanager
def link_errors() -> Iterator[None]:
    """What aiomqtt, paho and the socket raise, in the core's words."""
    try:
        yield
        _heed_cancellation()
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        _heed_cancellation()
        # paho raises ValueError for a host that is none; its messages never hold the password.
        raise LinkDown(str(error) or type(error).__name__) from error


def _heed_cancellation() -> None:
    """Raise `CancelledError` when the task was cancelled but goes on."""
    # `asyncio.wait_for` of Python 3.11, in which aiomqtt waits, forgets one that comes with an answer or error.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Connection:
    """A session with the broker, from `connected` until the first error; its end is told by `ended`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe at QoS 1, without retained messages and our own; raise `LinkDown` when one is refused."""
        options = SubscribeOptions(qos=1, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        with link_errors():
            codes = await self._client.subscribe([(topic, options) for topic in topics])
        values = [getattr(code, "value", code) for code in codes]
        if refused := [topic for topic, value in zip(topics, values, strict=True) if value >= 0x80]:
            raise LinkDown(f"The broker refuses the subscription to {refused[0]}.")

    async def ended(self) -> None:
        """Raise `LinkDown` when the connection ends."""
        with link_errors():
            await asyncio.shield(self._client._disconnected)  # noqa: SLF001  # aiomqtt's own iterator waits for it too
        raise LinkDown("The broker ended the connection.")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Return when the broker has it (QoS 1), or raise `BrokerUnavailable`."""
        try:
            async with asyncio.timeout(PUBLISH_WITHIN):
                packet_id, acknowledged = await self._client.sent.begin()
                packet = publish(topic.encode(), payload, packet_id, expires=COMMAND_FOR, retain=retain)
                self._client.send_raw(PUBACK, packet)
                await acknowledged
        except TimeoutError:
            raise BrokerUnavailable from None

    def post(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0; lost when the broker doesn't take it now."""
        if self._client.outgoing < OUTGOING_BOUND and not self._client.over:
            self._client._client.publish(topic, payload, 0)  # noqa: SLF001  # aiomqtt's publish is a coroutine

    def acknowledge(self, packet_ids: list[int]) -> None:
        """Send PUBACKs on this connection and no other: ids mean something else on the next one."""
        if not self._client.over:
            self._client.send_raw(PUBACK, pubacks(packet_ids))

    def stop_reading(self) -> None:
        """Leave what comes in the socket."""
        self._client.stop_reading()

    def read_on(self) -> None:
        """Read again; no error when it isn't stopped."""
        self._client.read_on()


@contextlib.asynccontextmanager
async def connected(
    address: BrokerAddress,
    client_id: str,
    on_publish: Callable[[bytes, bytes, int, int, Connection], None],
    on_read: Callable[[Connection], None] | None = None,
    on_session: Callable[[bool], None] | None = None,
    *,
    lasting: bool = True,
) -> AsyncIterator[Connection]:
    """
    A connection that was accepted; *on_publish* gets what the cutter tells. Raise `LinkDown` when there is none.

    *on_read* is called behind all messages of a piece of the stream, of up to 64 KiB, if there are any. The broker
    keeps a *lasting* session beyond the connection; *on_session* is told whether it had kept one, before anything else
    is said, also when nothing comes of the connection.
    """
    client = Client(address, client_id, lasting=lasting)
    connection = Connection(client)
    client.cutter = PacketCutter(on_publish, client.control, connection)
    client.on_read = None if on_read is None else partial(on_read, connection)
    client.on_session = on_session
    try:
        with link_errors():
            await client.__aenter__()
            client.check()
        yield connection
        with link_errors():
            await client.__aexit__(None, None, None)
    finally:
        client.abandon()
