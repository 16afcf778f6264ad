from __future__ import annotations

import asyncio

import pytest

from station_adapters.mqtt import outgoing as module
from station_adapters.mqtt.outgoing import Outgoing
from station_core.errors import BrokerUnavailable


def puback(packet_id: int, rest: bytes = b"") -> bytes:
    return bytes([0x40, 2 + len(rest)]) + packet_id.to_bytes(2, "big") + rest


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_message_is_with_the_broker_once_it_is_acknowledged() -> None:
    outgoing = Outgoing(10)
    first, one = await outgoing.begin()
    second, other = await outgoing.begin()
    outgoing.acknowledged(puback(second))

    assert first != second
    assert other.done()
    assert not one.done()


@pytest.mark.parametrize("rest", [b"\x00", b"\x10", b"\x10\x00"])
async def test_a_reason_below_128_is_success(rest: bytes) -> None:
    outgoing = Outgoing(10)
    packet_id, answer = await outgoing.begin()
    outgoing.acknowledged(puback(packet_id, rest))

    await answer


async def test_what_the_broker_refuses_is_an_error() -> None:
    outgoing = Outgoing(10)
    packet_id, answer = await outgoing.begin()
    outgoing.acknowledged(puback(packet_id, b"\x87"))

    with pytest.raises(BrokerUnavailable, match="refuses"):
        await answer


async def test_an_acknowledgement_of_nothing_changes_nothing() -> None:
    outgoing = Outgoing(1)
    outgoing.acknowledged(puback(7))
    packet_id, _ = await outgoing.begin()
    waiting = asyncio.create_task(outgoing.begin())
    await settled()

    assert packet_id == 1
    assert not waiting.done()
    waiting.cancel()


async def test_no_more_are_under_way_than_the_broker_takes() -> None:
    outgoing = Outgoing(2)
    first, _ = await outgoing.begin()
    await outgoing.begin()
    waiting = asyncio.create_task(outgoing.begin())
    await settled()
    assert not waiting.done()
    outgoing.acknowledged(puback(first))

    assert (await waiting)[0] == 3


async def test_one_that_nobody_waits_for_keeps_its_id_and_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKET_IDS", 3)
    outgoing = Outgoing(3)
    given_up, answer = await outgoing.begin()
    answer.cancel()
    for _ in range(4):
        packet_id, _ = await outgoing.begin()
        assert packet_id != given_up
        outgoing.acknowledged(puback(packet_id))
    outgoing.acknowledged(puback(given_up))

    assert {(await outgoing.begin())[0] for _ in range(3)} == {1, 2, 3}


async def test_the_end_of_a_connection_is_told_to_all_who_wait() -> None:
    outgoing = Outgoing(1)
    _, answer = await outgoing.begin()
    waiting = [asyncio.create_task(outgoing.begin()) for _ in range(3)]
    await settled()
    outgoing.end()
    outgoing.end()

    with pytest.raises(BrokerUnavailable):
        await answer
    for told in waiting:
        with pytest.raises(BrokerUnavailable):
            await told
    with pytest.raises(BrokerUnavailable):
        await outgoing.begin()
