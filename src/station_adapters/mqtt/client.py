"""
aiomqtt's client with a reader and a writer of its own.

paho takes a packet apart with three system calls and one packet each turn of the loop, writes each by itself after it
asked whether it may, and aiomqtt acknowledges before anybody has handled the message. What is relied on below aiomqtt's
surface is pinned by tests/contract/test_mqtt_canary.py.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from station_adapters.mqtt.outgoing import Outgoing
from station_adapters.mqtt.packets import LARGEST, PUBACK, PacketCutter
from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from paho.mqtt.client import ConnectFlags
    from paho.mqtt.reasoncodes import ReasonCode

    from station_adapters.mqtt.address import BrokerAddress

KEEP_ALIVE: Final = 10  # seconds; a broker that hangs is found within 1.5 of them
CONNECT_WITHIN: Final = 5.0  # seconds
SESSION_FOR: Final = 86_400  # seconds the broker keeps our session (docs/protocols.md §1)
RECEIVE_MAXIMUM: Final = 30_000  # unacknowledged messages; more than the intake and the journal hold together
READ_SIZE: Final = 65_536
WINDOW: Final = 1_000  # messages at QoS 1 that we send before the broker acknowledges the first of them
OUTGOING_BOUND: Final = 10_000  # packets that wait for a slow broker; answers to handshakes are dropped beyond
_CHECKED_EVERY: Final = 1.0  # seconds


class Client(aiomqtt.Client):
    """
    aiomqtt's client, which reads and writes in its own way.

    `cutter` has to be set before it connects; `on_read` is called after each piece in which it found PUBLISHes.
    """

    cutter: PacketCutter[Any]
    on_read: Callable[[], None] | None = None
    on_session: Callable[[bool], None] | None = None

    def __init__(self, address: BrokerAddress, client_id: str, *, lasting: bool = True) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if lasting:
            properties.SessionExpiryInterval = SESSION_FOR
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = LARGEST  # the broker drops what is larger, as if sent (MQTT 5.0 §3.1.2.11.4)
        super().__init__(
            address.host,
            address.port,
            username=address.user,
            password=address.password,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=not lasting,
            properties=properties,
            keepalive=KEEP_ALIVE,
            timeout=CONNECT_WITHIN,
            tls_context=ssl.create_default_context() if address.tls else None,
            logger=logging.getLogger("station.mqtt.client"),
        )
        self.sent = Outgoing(WINDOW)
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
        self.sent.end()
        self._client._sock_close()  # noqa: SLF001  # pinned by a canary
        self._connected.add_done_callback(_seen)
        self._disconnected.add_done_callback(_seen)
        # Messages that still wait hold the connection that brought them, and the collector doesn't see that.
        self.cutter, self.on_read, self.on_session = PacketCutter(_unheard, _unheard, None), None, None

    def control(self, packet: bytes) -> None:
        """Take a packet that is no PUBLISH; paho gets it, unless it acknowledges one of ours."""
        if packet[0] == PUBACK:
            self.sent.acknowledged(packet)
        else:
            self._control += packet
            self._client.loop_read()

    def _on_connect(
        self, client: Any, userdata: Any, flags: ConnectFlags, reason_code: ReasonCode, properties: Any = None
    ) -> None:
        if self.on_session is not None and not reason_code.is_failure:
            self.on_session(flags.session_present)
        self.sent = Outgoing(min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW)))
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        super()._on_socket_open(client, userdata, sock)  # in the thread that connects
        self._loop.call_soon_threadsafe(self._read_soon, sock)

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ARG002  # paho's
        # Another thread only connects; waking the loop of one's own costs system calls.
        soon = self._loop.call_soon if self._connected.done() else self._loop.call_soon_threadsafe
        soon(self._write, sock)

    def _read_soon(self, sock: Any) -> None:
        descriptor = sock.fileno()
        if self._abandoned:
            self._client._sock_close()  # noqa: SLF001  # pinned by a canary
        elif sock is self._client.socket():
            self._loop.add_reader(descriptor, self._readable)  # in place of aiomqtt's: one a descriptor

    def _write(self, sock: Any) -> None:
        # The socket nearly always takes it at once, and what was queued meanwhile in one system call.
        descriptor = sock.fileno()
        if sock is self._client.socket():  # else it was closed meanwhile, and its descriptor may be another's
            _join(self._client._out_packet)  # noqa: SLF001  # pinned by a canary
            self._client.loop_write()
            if self._client.want_write() and sock is self._client.socket():
                self._loop.add_writer(descriptor, self._client.loop_write)

    def _readable(self) -> None:
        sock = self._client.socket()
        if sock is None:
            return
        try:
            data = sock.recv(READ_SIZE)
            while data:
                self._heard = self._loop.time()
                if self.cutter.feed(data) and self.on_read is not None:
                    self.on_read()
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


def _join(packets: deque[Any]) -> None:
    """Make one of several packets of which nothing was sent yet, unless paho has to know when one of them was."""
    if len(packets) > 1 and all(p["pos"] == 0 and (p["qos"] or p["command"] == PUBACK) for p in packets):
        joined = b"".join([packet["packet"] for packet in packets])
        first = packets[0] | {"command": PUBACK, "packet": joined, "to_process": len(joined)}
        packets.clear()
        packets.append(first)


def _unheard(*_: object) -> None:
    """What comes behind the end."""


def _seen(ending: asyncio.Future[None]) -> None:
    # Its error may be of no interest any more.
    if not ending.cancelled():
        ending.exception()
