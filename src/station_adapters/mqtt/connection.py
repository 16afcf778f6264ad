"""
One MQTT 5 connection: the only file that knows aiomqtt, and paho below it.

aiomqtt connects, subscribes, publishes and keeps alive. Reading is ours: paho takes a packet apart with three system
calls and one packet each turn of the loop, and aiomqtt acknowledges before anybody has handled the message. What is
relied on below aiomqtt's surface is pinned by tests/contract/test_mqtt_canary.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from station_adapters.mqtt.packets import PUBACK, PacketCutter, pubacks
from station_core.errors import BrokerUnavailable, LinkDown, Malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

    from station_adapters.mqtt.address import BrokerAddress

log = logging.getLogger("station.mqtt")

KEEP_ALIVE: Final = 10  # seconds; a broker that hangs is found within 1.5 of them
CONNECT_WITHIN: Final = 5.0  # seconds
PUBLISH_WITHIN: Final = 5.0  # seconds until a command counts as not sent
SESSION_FOR: Final = 86_400  # seconds the broker keeps our session (docs/protocols.md §1)
COMMAND_FOR: Final = 30  # seconds the broker keeps a command for a device that is away; later it would surprise
RECEIVE_MAXIMUM: Final = 30_000  # unacknowledged messages; more than the intake and the journal hold together
READ_SIZE: Final = 65_536
OUTGOING_BOUND: Final = 10_000  # packets that wait for a slow broker; answers to handshakes are dropped beyond
_CHECKED_EVERY: Final = 1.0  # seconds

_EXPIRES: Final = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
_EXPIRES.MessageExpiryInterval = COMMAND_FOR


@contextlib.contextmanager
def link_errors() -> Iterator[None]:
    """What aiomqtt, paho and the socket raise, in the core's words."""
    try:
        yield
        _heed_cancellation()
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        # paho raises ValueError for a host that is none; its messages never hold the password.
        raise LinkDown(str(error) or type(error).__name__) from error


def _heed_cancellation() -> None:
    """Raise `CancelledError` when the task was cancelled but goes on."""
    # `asyncio.wait_for` of Python 3.11, in which aiomqtt waits, forgets one that comes together with the answer.
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Connection:
    """A session with the broker, from `connected` until the first error; its end is told by `ended`."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    @property
    def session_kept(self) -> bool:
        """Whether the broker still had our session from before."""
        return self._client.session_present

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe at QoS 1, without retained messages; raise `LinkDown` when one is refused."""
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
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

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return when the broker has it (QoS 1, not retained), or raise `BrokerUnavailable`."""
        try:
            with link_errors():
                await self._client.publish(topic, payload, qos=1, properties=_EXPIRES, timeout=PUBLISH_WITHIN)
        except LinkDown as error:
            raise BrokerUnavailable from error

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
    address: BrokerAddress, client_id: str, on_publish: Callable[[Connection, bytes, bytes, int, int], None]
) -> AsyncIterator[Connection]:
    """A connection that was accepted; *on_publish* gets what the cutter tells. Raise `LinkDown` when there is none."""
    client = _Client(address, client_id)
    connection = Connection(client)
    client.cutter = PacketCutter(partial(on_publish, connection), client.control)
    try:
        with link_errors():
            await client.__aenter__()
            client.check()
        yield connection
        with link_errors():
            await client.__aexit__(None, None, None)
    finally:
        client.abandon()


def _seen(ending: asyncio.Future[None]) -> None:
    # Its error may be of no interest any more.
    if not ending.cancelled():
        ending.exception()


class _Client(aiomqtt.Client):
    """aiomqtt's client with a reader of its own."""

    cutter: PacketCutter

    def __init__(self, address: BrokerAddress, client_id: str) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_FOR
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        super().__init__(
            address.host,
            address.port,
            username=address.user,
            password=address.password,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=properties,
            keepalive=KEEP_ALIVE,
            timeout=CONNECT_WITHIN,
            max_inflight_messages=1_000,
            max_queued_outgoing_messages=OUTGOING_BOUND,
            tls_context=ssl.create_default_context() if address.tls else None,
            logger=logging.getLogger("station.mqtt.client"),
        )
        self.pending_calls_threshold = OUTGOING_BOUND  # many commands at once are no trouble
        self.session_present = False
        self._control = bytearray()
        self._reading = True
        self._abandoned = False
        self._heard = self._loop.time()
        self._client.connect_timeout = CONNECT_WITHIN
        self._client.manual_ack_set(True)
        setattr(self._client, "_sock_recv", self._take_control)  # noqa: B010  # pinned by a canary
        self._connected.add_done_callback(_seen)
        self._disconnected.add_done_callback(_seen)

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        return self._disconnected.done()

    @property
    def outgoing(self) -> int:
        """How many packets wait for the socket."""
        return len(self._client._out_packet)  # noqa: SLF001  # pinned by a canary

    def check(self) -> None:
        """Raise `MqttError` when the broker left right behind its CONNACK, for aiomqtt forgets that."""
        if self._client.socket() is None:
            raise aiomqtt.MqttError("The broker closed the connection.")

    def send_raw(self, command: int, packets: bytes) -> None:
        """Send packets that are complete."""
        self._client._packet_queue(command, packets, 0, 0)  # noqa: SLF001  # pinned by a canary

    def stop_reading(self) -> None:
        """See `Connection`."""
        self._reading = False
        if (sock := self._client.socket()) is not None:
            self._loop.remove_reader(sock.fileno())

    def read_on(self) -> None:
        """See `Connection`."""
        if not self._reading:
            self._reading = True
            self._heard = self._loop.time()
            if (sock := self._client.socket()) is not None:
                self._loop.add_reader(sock.fileno(), self._readable)

    def abandon(self) -> None:
        """End the connection without a word, at once; again is no error."""
        self._abandoned = True
        self._client._sock_close()  # noqa: SLF001  # pinned by a canary
        self._connected.add_done_callback(_seen)
        self._disconnected.add_done_callback(_seen)

    def control(self, packet: bytes) -> None:
        """Let paho have a packet that is no PUBLISH."""
        self._control += packet
        self._client.loop_read()

    def _on_connect(
        self, client: Any, userdata: Any, flags: ConnectFlags, reason_code: ReasonCode, properties: Any = None
    ) -> None:
        self.session_present = flags.session_present
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        super()._on_socket_open(client, userdata, sock)  # in the thread that connects
        self._loop.call_soon_threadsafe(self._read_soon, sock)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ARG002  # paho's
        self._loop.call_soon_threadsafe(self._write_soon, sock)

    def _read_soon(self, sock: Any) -> None:
        descriptor = sock.fileno()
        if self._abandoned:
            self._client._sock_close()  # noqa: SLF001  # pinned by a canary
        elif sock is self._client.socket():
            self._loop.add_reader(descriptor, self._readable)  # in place of aiomqtt's: one a descriptor

    def _write_soon(self, sock: Any) -> None:
        descriptor = sock.fileno()
        if sock is self._client.socket():  # else it was closed meanwhile, and its descriptor may be another's
            self._loop.add_writer(descriptor, self._client.loop_write)

    def _readable(self) -> None:
        sock = self._client.socket()
        if sock is None:
            return
        try:
            data = sock.recv(READ_SIZE)
            while data:
                self._heard = self._loop.time()
                self.cutter.feed(data)
                # A TLS socket may hold decoded bytes that the selector doesn't know of.
                pending = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
                if not (pending and self._reading):
                    return
                data = sock.recv(pending)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except (OSError, Malformed, IndexError) as error:
            self._fail(error)
            return
        self._fail(ConnectionError("The broker closed the connection."))

    def _take_control(self, size: int) -> bytes:
        if not self._control:
            raise BlockingIOError
        taken = bytes(self._control[:size])
        del self._control[:size]
        return taken

    def _fail(self, error: Exception) -> None:
        ending = self._disconnected if self._connected.done() else self._connected
        if not ending.done():
            ending.set_exception(aiomqtt.MqttError(str(error)))
        self._client._sock_close()  # noqa: SLF001  # pinned by a canary

    async def _misc_loop(self) -> None:
        while True:
            silence = self._loop.time() - self._heard
            if not self._reading:
                self._client._ping_t = 0  # noqa: SLF001  # its answer waits in the socket with everything else
            elif silence >= 1.4 * KEEP_ALIVE:  # paho alone would take two keep-alives
                self._fail(TimeoutError(f"The broker is silent for {silence:.0f} seconds."))
                return
            if self._client.loop_misc() != 0:
                return
            await asyncio.sleep(_CHECKED_EVERY)
