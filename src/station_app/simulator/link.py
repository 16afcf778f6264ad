from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from station_app.simulator import packets
from station_app.simulator.packets import Message, PacketStream
from station_core.errors import LinkDown, Malformed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from station_app.simulator.speech import Publish

ANSWER: Final = 10.0  # seconds that the broker has for its part in connecting
FAREWELL: Final = 2.0  # seconds that the broker has to close after a DISCONNECT
UNSENT_BOUND: Final = 64 * 1024  # bytes; like the outbox of an ESP32 it's small
UNACKED_BOUND: Final = 256  # messages
SUBSCRIPTION_ID: Final = 1
LAST_ID: Final = 65_535
DUPLICATE: Final = "duplicate"
REFUSED: Final = 0x80  # of a subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a device belongs, as its provisioning told it; *keep_alive* in seconds, 0: no pings."""

    host: str
    port: int
    station_id: str
    tls: ssl.SSLContext | None = None
    keep_alive: int = 60


@dataclass(slots=True)
class Traffic:
    """Messages of one device, over all its connections."""

    sent: int = 0
    acknowledged: int = 0
    dropped: int = 0
    received: int = 0
    suffixes: Counter[str] = field(default_factory=Counter)
    """Of what was sent; what was sent again is `DUPLICATE`."""


async def open_link(
    home: Home,
    external_id: str,
    token: str | None,
    *,
    will: Publish,
    subscriptions: Sequence[str],
    traffic: Traffic,
    news: asyncio.Event,
) -> Link:
    """Connect and subscribe; raise `LinkDown`."""
    try:
        async with asyncio.timeout(ANSWER):
            transport, link = await asyncio.get_running_loop().create_connection(
                lambda: Link(home, external_id, traffic, news), home.host, home.port, ssl=home.tls
            )
            try:
                await link.join(token, will, subscriptions)
            except BaseException:
                transport.abort()
                raise
    except (OSError, TimeoutError) as error:
        raise LinkDown(f"The broker can't be reached: {str(error) or 'no answer'}") from error
    return link


class Link(asyncio.Protocol):
    """
    One MQTT 3.1.1 connection of one device.

    What comes waits in `inbox` as (suffix, payload); *news* is set when something does and when the connection is
    `lost`. What isn't acknowledged by then is not sent again: the next report says how things are.
    """

    def __init__(self, home: Home, external_id: str, traffic: Traffic, news: asyncio.Event) -> None:
        self.inbox: deque[tuple[str, bytes]] = deque()
        self.lost: LinkDown | None = None
        self._external_id = external_id
        self._prefix = f"station/{home.station_id}/device/{external_id}/"
        self._keep_alive = home.keep_alive
        self._ping_pause = home.keep_alive / 2 or math.inf
        self._traffic = traffic
        self._news = news
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._stream = PacketStream()
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._unacked: set[int] = set()
        self._last_id = SUBSCRIPTION_ID
        self._last_packet = b""
        self._pinged = False
        self.wakes_at = self._loop.time() + self._ping_pause

    async def join(self, token: str | None, will: Publish, subscriptions: Sequence[str]) -> None:
        """Introduce itself to the broker and subscribe; raise `LinkDown` when either is refused."""
        hello = packets.connect(
            self._external_id,
            keep_alive=self._keep_alive,
            will=self._addressed(will, 0),
            username=None if token is None else self._external_id,
            password=token,
        )
        code = packets.return_code(await self._asked(hello, packets.CONNACK))
        if code != 0:
            raise LinkDown(f"The broker refuses the connection: return code {code}.")
        topics = [self._prefix + suffix for suffix in subscriptions]
        granted = await self._asked(packets.subscribe(SUBSCRIPTION_ID, topics, qos=1), packets.SUBACK)
        if REFUSED in packets.granted(granted):
            raise LinkDown("The broker refuses a subscription.")

    def publish(self, message: Publish) -> None:
        """Send it; it's dropped when the broker has stopped taking anything."""
        if self.lost or len(self._unacked) >= UNACKED_BOUND or self._transport.get_write_buffer_size() > UNSENT_BOUND:
            self._traffic.dropped += 1
            return
        self._last_packet = packets.publish(self._addressed(message, self._next_id() if message.qos else 0))
        self._send(self._last_packet, message.suffix)

    def repeat(self) -> bool:
        """Send the last message again, as one whose receipt was lost; tell whether there was one."""
        if self._last_packet and self.lost is None:
            self._send(packets.again(self._last_packet), DUPLICATE)
            return True
        return False

    def tick(self, now: float) -> None:
        """Ask the broker for a sign of life; one that has given none since the last time is given up."""
        if now < self.wakes_at:
            return
        self.wakes_at = now + self._ping_pause
        if self._pinged:
            self.abort()
        else:
            self._pinged = True
            self._transport.write(packets.PINGREQ)

    async def close(self) -> None:
        """Disconnect in order: there will be no last will."""
        try:
            if self.lost is None:
                self._transport.write(packets.DISCONNECT)
                # It's the broker who closes: were it us, what it hasn't read yet might be lost.
                with suppress(TimeoutError):
                    async with asyncio.timeout(FAREWELL):
                        await asyncio.shield(self._ended)
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the connection without a word: the broker will publish the last will."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            for head, body in self._stream.feed(data):
                self._take(head, body)
        except Malformed:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.lost = LinkDown(f"The connection ended: {exc or 'closed by the broker'}")
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self.lost)
        self._ended.set_result(None)
        self._news.set()

    def _take(self, head: int, body: bytes) -> None:
        kind = head & 0xF0
        if kind == packets.PUBLISH:
            message = packets.published(head, body)
            if message.qos:
                self._transport.write(packets.puback(message.packet_id))
            if not message.retain:  # commands and answers are for now
                self._traffic.received += 1
                self.inbox.append((message.topic.removeprefix(self._prefix), message.payload))
                self._news.set()
        elif kind == packets.PUBACK:
            self._unacked.discard(packets.id_of(body))
            self._traffic.acknowledged += 1
        elif kind == packets.PINGRESP:
            self._pinged = False
        elif (answer := self._answers.pop(kind, None)) is not None and not answer.done():
            answer.set_result(body)

    def _send(self, packet: bytes, kind: str) -> None:
        self._traffic.sent += 1
        self._traffic.suffixes[kind] += 1
        self._transport.write(packet)

    async def _asked(self, packet: bytes, kind: int) -> bytes:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answers[kind] = answer
        self._transport.write(packet)
        return await answer

    def _addressed(self, message: Publish, packet_id: int) -> Message:
        topic = self._prefix + message.suffix if message.topic is None else message.topic
        return Message(topic, message.payload, message.qos, message.retain, packet_id)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % LAST_ID + 1
            if self._last_id not in self._unacked:
                self._unacked.add(self._last_id)
                return self._last_id
