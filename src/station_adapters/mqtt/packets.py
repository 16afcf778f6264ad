"""
The byte stream of an MQTT 5 connection, cut into packets (MQTT 5.0 §2.1, §3.3); no I/O.

PUBLISH is taken apart here, because there are tens of thousands of them a second; all others are handed on whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from station_core.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")

PUBLISH: Final = 0x30
PUBACK: Final = 0x40
DUP: Final = 0x08
RETAIN: Final = 0x01
_FLAGS: Final = DUP | RETAIN
_EXPIRES: Final = b"\x05\x02"  # 5 bytes of properties: Message Expiry Interval and its value (MQTT 5.0 §3.3.2.3.3)
LARGEST: Final = 1_114_112  # bytes of a packet: 1 MiB of payload and 64 KiB around it (docs/operating.md)
_LONGEST_LENGTH: Final = 4  # bytes of a variable byte integer (MQTT 5.0 §1.5.5)


class PacketCutter(Generic[S]):
    """
    Takes bytes as they come and calls *on_publish* (topic, payload, packet id or 0, flags, *source*) and *on_control*
    (packet).

    The flags are `DUP` and `RETAIN`. `feed` raises `Malformed` for bytes that are no MQTT, and for a packet over
    `LARGEST`: the stream is lost then.
    """

    def __init__(
        self, on_publish: Callable[[bytes, bytes, int, int, S], None], on_control: Callable[[bytes], None], source: S
    ) -> None:
        self._on_publish = on_publish
        self._on_control = on_control
        self._source = source
        self._rest = b""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes of the stream; tell whether there were PUBLISHes among them."""
        # One function, for a call takes as long as all that is done here for a packet.
        buffer = self._rest + data if self._rest else data
        on_publish, source = self._on_publish, self._source
        published = False
        start, end = 0, len(buffer)
        while end - start >= 2:  # the shortest packet: type and length 0
            head, length, body = buffer[start], buffer[start + 1], start + 2
            if length & 0x80:
                if end - start > 2 and buffer[body] < 0x80:  # two bytes, as of nearly all
                    length += (buffer[body] << 7) - 0x80
                    body += 1
                else:
                    length, body = _variable(buffer, start + 1, end)
                    if body == 0:
                        break
            after = body + length
            if after > end:
                if length > LARGEST:
                    raise Malformed(f"A packet has over {LARGEST} bytes.")
                break
            if head & 0xF0 == PUBLISH:
                topic = body + 2
                at = topic_end = topic + (buffer[body] << 8 | buffer[body + 1])
                packet_id = 0
                if head & 0x06:
                    packet_id = buffer[at] << 8 | buffer[at + 1]
                    at += 2
                at = at + 1 if buffer[at] == 0 else _behind_properties(buffer, at, after)
                if at > after or (head & 0x06 and packet_id == 0):
                    raise Malformed("A PUBLISH packet contradicts its own lengths.")
                on_publish(buffer[topic:topic_end], buffer[at:after], packet_id, head & _FLAGS, source)
                published = True
            else:
                self._on_control(buffer[start:after])
            start = after
        self._rest = buffer[start:]
        return published


def _behind_properties(buffer: bytes, at: int, after: int) -> int:
    if buffer[at] < 0x80:
        return at + 1 + buffer[at]
    length, behind = _variable(buffer, at, after)
    return behind + length if behind else after + 1  # beyond the packet, where nothing may be


def _variable(buffer: bytes, start: int, end: int) -> tuple[int, int]:
    """A variable byte integer and where it ends; (0, 0) when the buffer ends before it."""
    value = 0
    for n in range(_LONGEST_LENGTH):
        if start + n >= end:
            return 0, 0
        byte = buffer[start + n]
        value |= (byte & 0x7F) << (7 * n)
        if not byte & 0x80:
            return value, start + n + 1
    raise Malformed("A length has over 4 bytes.")


def pubacks(packet_ids: list[int]) -> bytes:
    """PUBACK packets, reason Success, for these ids, in order (MQTT 5.0 §3.4)."""
    return b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


def publish(topic: bytes, payload: bytes, packet_id: int, *, expires: int, retain: bool = False) -> bytes:
    """A PUBLISH at QoS 1, which the broker drops after so many seconds (MQTT 5.0 §3.3)."""
    rest = (
        len(topic).to_bytes(2, "big")
        + topic
        + packet_id.to_bytes(2, "big")
        + _EXPIRES
        + expires.to_bytes(4, "big")
        + payload
    )
    return (b"\x33" if retain else b"\x32") + _length(len(rest)) + rest


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
