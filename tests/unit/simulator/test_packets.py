from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_app.simulator import packets
from station_app.simulator.packets import Message, PacketStream
from station_core.errors import Malformed

WILL = Message("t/w", b"bye", 1, False, 0)


def whole(data: bytes) -> list[tuple[int, bytes]]:
    return list(PacketStream().feed(data))


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (
            packets.connect("id", keep_alive=60, will=WILL),
            "10 18 00044d515454 04 0e 003c 0002 6964 0003 742f77 0003 627965",
        ),
        (
            packets.connect("id", keep_alive=300, will=WILL, username="u", password="p"),
            "10 1e 00044d515454 04 ce 012c 0002 6964 0003 742f77 0003 627965 0001 75 0001 70",
        ),
        (packets.subscribe(1, ["a", "b"], qos=1), "82 0a 0001 0001 61 01 0001 62 01"),
        (packets.publish(Message("a/b", b"x", 0, False, 0)), "30 06 0003 612f62 78"),
        (packets.publish(Message("a/b", b"x", 1, True, 513)), "33 08 0003 612f62 0201 78"),
        (packets.puback(258), "40 02 0102"),
        (packets.PINGREQ, "c0 00"),
        (packets.DISCONNECT, "e0 00"),
    ],
)
def test_packets_are_as_the_specification_has_them(packet: bytes, expected: str) -> None:
    assert packet == bytes.fromhex(expected)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_a_length_of_any_size_is_written_and_read(size: int) -> None:
    message = Message("t", b"x" * size, 0, False, 0)

    assert packets.published(*whole(packets.publish(message))[0]) == message


@given(
    st.lists(
        st.builds(
            Message, st.text(max_size=20), st.binary(max_size=300), st.just(1), st.booleans(), st.integers(1, 65_535)
        )
    ),
    st.integers(1, 50),
)
def test_a_stream_cut_anywhere_gives_the_same_messages(messages: list[Message], size: int) -> None:
    data = b"".join(packets.publish(message) for message in messages)
    stream = PacketStream()
    cut = [packet for start in range(0, len(data), size) for packet in stream.feed(data[start : start + size])]

    assert [packets.published(*packet) for packet in cut] == messages


@pytest.mark.parametrize(
    "data",
    ["30 00", "30 01 00", "30 03 0002 61", "32 04 0002 6162", "34 06 0001 61 0001 62", "30 04 0002 c328"],
    ids=["empty", "half a length", "short topic", "no id", "QoS 2", "not UTF-8"],
)
def test_a_message_that_contradicts_itself_is_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        packets.published(*whole(bytes.fromhex(data))[0])


def test_an_endless_length_is_malformed() -> None:
    with pytest.raises(Malformed):
        whole(b"\x30\xff\xff\xff\xff\x01")


@pytest.mark.parametrize(("body", "code"), [(b"\x00\x00", 0), (b"\x01\x00", 0), (b"\x00\x05", 5), (b"", 255)])
def test_a_welcome_has_return_code_0(body: bytes, code: int) -> None:
    assert packets.return_code(body) == code


def test_what_a_suback_grants_follows_its_id() -> None:
    assert packets.id_of(b"\x00\x01\x01\x80") == 1
    assert list(packets.granted(b"\x00\x01\x01\x80")) == [1, 0x80]
