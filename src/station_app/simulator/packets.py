"""
As much of MQTT 3.1.1 as an ESP32 uses, as bytes (OASIS MQTT 3.1.1 §2, §3); no I/O.

The simulator's own, because hundreds of devices in one loop want a client without a thread to connect and one that can
be cancelled at any moment; and because it isn't the client that the station uses, so that both prove each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CONNACK: Final = 0x20
PUBLISH: Final = 0x30
PUBACK: Final = 0x40
SUBACK: Final = 0x90
PINGRESP: Final = 0xD0

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"

_PROTOCOL: Final = b"\x00\x04MQTT\x04"  # name and level of 3.1.1
_LONGEST_LENGTH: Final = 4  # bytes of a remaining length


@dataclass(frozen=True, slots=True)
class Message:
    """A PUBLISH packet; *packet_id* is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int


def connect(
    client_id: str, *, keep_alive: int, will: Message, username: str | None = None, password: str | None = None
) -> bytes:
    """CONNECT with a clean session."""
    flags = 0x02 | 0x04 | will.qos << 3 | will.retain << 5
    fields = [_text(client_id), _text(will.topic), _sized(will.payload)]
    if username is not None:
        flags |= 0x80
        fields.append(_text(username))
        if password is not None:
            flags |= 0x40
            fields.append(_text(password))
    return _packet(0x10, _PROTOCOL + bytes([flags]) + keep_alive.to_bytes(2, "big") + b"".join(fields))


def subscribe(packet_id: int, topics: Iterable[str], *, qos: int) -> bytes:
    """SUBSCRIBE to these topics."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + b"".join(_text(topic) + bytes([qos]) for topic in topics))


def publish(message: Message) -> bytes:
    """PUBLISH."""
    packet_id = message.packet_id.to_bytes(2, "big") if message.qos else b""
    return _packet(PUBLISH | message.qos << 1 | message.retain, _text(message.topic) + packet_id + message.payload)


def again(packet: bytes) -> bytes:
    """A PUBLISH packet as it's sent once more: with DUP, where there's a packet id to know it by."""
    return bytes([packet[0] | 0x08]) + packet[1:] if packet[0] & 0x06 else packet


def puback(packet_id: int) -> bytes:
    """PUBACK, the receipt for a QoS 1 message."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def published(head: int, body: bytes) -> Message:
    """The message that a PUBLISH packet carries; raise `Malformed`."""
    at = 2 + int.from_bytes(body[:2], "big")
    qos = head >> 1 & 0x03
    start = at + 2 if qos else at
    if len(body) < start or qos > 1:  # nobody subscribes at QoS 2
        raise Malformed("A PUBLISH packet contradicts itself.")
    try:
        topic = body[2:at].decode()
    except UnicodeDecodeError:
        raise Malformed("A topic isn't UTF-8.") from None
    return Message(topic, body[start:], qos, bool(head & 0x01), int.from_bytes(body[at:start], "big"))


def id_of(body: bytes) -> int:
    """The packet id that a PUBACK or SUBACK begins with."""
    return int.from_bytes(body[:2], "big")


def return_code(body: bytes) -> int:
    """The return code of a CONNACK; 0 is a welcome."""
    return body[1] if len(body) == 2 else 255


def granted(body: bytes) -> Sequence[int]:
    """What a SUBACK says of each topic, in order; 0x80 is a refusal."""
    return body[2:]


class PacketStream:
    """Cuts the stream of bytes into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The packets that are whole now: first byte and body; raise `Malformed` when it can't be MQTT."""
        buffer = self._rest + data
        start = 0
        while (cut := _cut(buffer, start)) is not None:
            body, end = cut
            yield buffer[start], buffer[body:end]
            start = end
        self._rest = buffer[start:]


def _cut(buffer: bytes, start: int) -> tuple[int, int] | None:
    """Where the body of the packet at *start* begins and ends; None when it isn't whole."""
    length = 0
    for n in range(_LONGEST_LENGTH):
        at = start + 1 + n
        if at >= len(buffer):
            return None
        length |= (buffer[at] & 0x7F) << (7 * n)
        if not buffer[at] & 0x80:
            end = at + 1 + length
            return (at + 1, end) if end <= len(buffer) else None
    raise Malformed("A length has over 4 bytes.")


def _packet(head: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length.append(digit | 0x80 if rest else digit)
        if not rest:
            return bytes([head]) + length + body


def _text(text: str) -> bytes:
    return _sized(text.encode())


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content
