from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.mqtt import packets
from station_adapters.mqtt.packets import DUP, LARGEST, RETAIN, PacketCutter, pubacks
from station_core.errors import Malformed


class Seen:
    def __init__(self) -> None:
        self.published: list[tuple[bytes, bytes, int, int]] = []
        self.control: list[bytes] = []
        self.cutter = PacketCutter(lambda *message: self.published.append(message[:4]), self.control.append, None)


def variable(number: int) -> bytes:
    encoded = b""
    while True:
        number, digit = divmod(number, 128)
        encoded += bytes([digit | (0x80 if number else 0)])
        if not number:
            return encoded


def publish(topic: bytes, payload: bytes, *, packet_id: int = 0, flags: int = 0, properties: bytes = b"") -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    if packet_id:
        body += packet_id.to_bytes(2, "big")
    body += variable(len(properties)) + properties + payload
    return bytes([0x30 | flags | (0x02 if packet_id else 0)]) + variable(len(body)) + body


@given(
    messages=st.lists(
        st.tuples(
            st.binary(max_size=40),
            st.binary(max_size=300),
            st.integers(0, 65_535),
            st.sampled_from([0, DUP, RETAIN, DUP | RETAIN]),
            st.sampled_from([b"", b"\x01\x00", b"\x26" + b"\x00\x80" + b"k" * 128 + b"\x00\x00"]),
        ),
        max_size=20,
    ),
    size=st.integers(1, 700),
)
def test_messages_come_out_as_they_went_in_however_the_stream_is_sliced(
    messages: list[tuple[bytes, bytes, int, int, bytes]], size: int
) -> None:
    seen = Seen()
    stream = b"\x20\x03\x00\x00\x00"
    for topic, payload, packet_id, flags, properties in messages:
        stream += publish(topic, payload, packet_id=packet_id, flags=flags, properties=properties) + b"\xd0\x00"
    for start in range(0, len(stream), size):
        seen.cutter.feed(stream[start : start + size])

    assert seen.published == [message[:4] for message in messages]
    assert seen.control == [b"\x20\x03\x00\x00\x00"] + [b"\xd0\x00"] * len(messages)


def test_a_megabyte_in_small_slices_comes_out_whole() -> None:
    seen = Seen()
    packet = publish(b"t", b"x" * 1_000_000, packet_id=7)
    for start in range(0, len(packet), 65_536):
        seen.cutter.feed(packet[start : start + 65_536])

    assert seen.published == [(b"t", b"x" * 1_000_000, 7, 0)]


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x32\x05\x00\x01t\x00\x00",  # QoS 1 with packet id 0, and no properties
        b"\x30\x04\x00\x01t\x05",  # properties that reach beyond the packet
        b"\x30\x02\x00\x09",  # a topic that does
        b"\x30\x04\x00\x01t\x80\xd0\x00",  # a length of properties that does
    ],
)
def test_bytes_that_are_no_mqtt_are_malformed(stream: bytes) -> None:
    with pytest.raises((Malformed, IndexError)):
        Seen().cutter.feed(stream)


def test_a_packet_that_is_larger_than_any_of_ours_is_refused_before_it_is_there() -> None:
    def begins(length: int) -> bytes:
        return bytes([0x32, length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])

    seen = Seen()
    seen.cutter.feed(begins(LARGEST))

    with pytest.raises(Malformed):
        Seen().cutter.feed(begins(LARGEST + 1))


def test_it_tells_whether_a_piece_held_messages() -> None:
    cutter = Seen().cutter
    told = [cutter.feed(piece) for piece in (b"\x20\x03\x00\x00\x00", b"\xd0\x00" + publish(b"t", b"p"), b"\x30", b"")]

    assert told == [False, True, False, False]


def test_acknowledgements_are_joined() -> None:
    assert pubacks([1, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"


@pytest.mark.parametrize("size", [0, 1, 100, 5_000, 70_000])
def test_a_message_that_is_published_is_cut_as_it_was_given(size: int) -> None:
    seen = Seen()
    seen.cutter.feed(packets.publish(b"a/b", b"x" * size, 258, expires=30))

    assert seen.published == [(b"a/b", b"x" * size, 258, 0)]


def test_a_message_is_published_to_be_retained() -> None:
    seen = Seen()
    seen.cutter.feed(packets.publish(b"t", b"p", 7, expires=30, retain=True))

    assert seen.published == [(b"t", b"p", 7, RETAIN)]


def test_a_message_that_is_published_expires() -> None:
    assert packets.publish(b"t", b"p", 7, expires=30).hex(" ") == "32 0c 00 01 74 00 07 05 02 00 00 00 1e 70"
