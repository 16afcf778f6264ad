"""The stand-in against the golden frames, not against the station: each end is held to the page by itself."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import websockets

from station_app.simulator.cloud.certificates import ThrowAwayAuthority
from station_app.simulator.cloud.orders import Orders
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import TOKEN, StandInCloud
from station_core.errors import Malformed, Unavailable
from tests.contract.golden import WIRE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.client import ClientConnection


def golden(path: str) -> str:
    frame: str = json.loads((WIRE / "cloud" / f"{path}.json").read_text())["frame"]
    return frame


def shape(frame: str | dict[str, Any]) -> dict[str, type]:
    message = json.loads(frame) if isinstance(frame, str) else frame
    return {key: type(value) for key, value in message.items()}


@asynccontextmanager
async def met() -> AsyncIterator[tuple[StandInCloud, ClientConnection, Orders]]:
    cloud = StandInCloud(Record())
    async with (
        cloud.serving() as port,
        websockets.connect(f"ws://127.0.0.1:{port}/ws/station", proxy=None) as station,
    ):
        yield cloud, station, Orders(cloud)


async def hear(station: ClientConnection) -> Any:
    async with asyncio.timeout(5):
        return json.loads(await station.recv())


async def test_it_claims_and_accepts_in_the_frames_of_the_page() -> None:
    async with met() as (_, station, _):
        await station.send(golden("said/claim_handshake"))
        claimed = await hear(station)
        await station.send(
            json.dumps({**json.loads(golden("said/station_auth")), "stationToken": claimed["stationToken"]})
        )
        accepted = await hear(station)

    assert shape(claimed) == shape(golden("heard/claim_success"))
    assert claimed["stationToken"].startswith(TOKEN)
    assert accepted == json.loads(golden("heard/auth_ok"))


async def test_it_refuses_a_token_that_no_stand_in_gave_and_what_it_is_told_to() -> None:
    async with met() as (cloud, station, orders):
        await station.send(golden("said/station_auth"))
        assert await hear(station) == json.loads(golden("heard/auth_error"))

        await orders.carry_out("refuse pending_reset")
        await station.send(golden("said/station_auth"))
        assert await hear(station) == json.loads(golden("heard/auth_error_pending_reset"))

        await orders.carry_out("ignore")
        await orders.carry_out("claim off")
        await station.send(golden("said/station_auth"))
        await station.send(golden("said/claim_handshake"))
        await orders.carry_out("wait claim_handshake")
        assert not cloud.link.authenticated


async def test_it_calls_and_sends_as_it_is_told() -> None:
    async with met() as (cloud, station, orders), asyncio.TaskGroup() as group:
        await cloud.until(lambda: bool(cloud.links))
        calling = group.create_task(orders.carry_out('call device.command {"deviceId": "d", "command": "toggle"}'))
        call = await hear(station)
        assert call == {"id": 1, "method": "device.command", "params": {"deviceId": "d", "command": "toggle"}}
        await station.send('{"jsonrpc":"2.0","result":{"status":"ok"},"id":1}')
        await calling

        await orders.carry_out('send {"type":"station_reset"}')
        assert await hear(station) == json.loads(golden("heard/station_reset"))
        await orders.carry_out("text {")
        await orders.carry_out("bytes 00ff")
        assert [await station.recv(), await station.recv()] == ["{", b"\x00\xff"]
        await orders.carry_out("close 4401")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await station.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_it_waits_for_each_message_once() -> None:
    async with met() as (_, station, orders):
        await station.send(golden("said/claim_handshake"))
        await orders.carry_out("wait claim_handshake 5")
        with pytest.raises(Unavailable):
            await orders.carry_out("wait claim_handshake 0.01")


@pytest.mark.parametrize(
    "line", ["dance", "call", "send {", "bytes xy", "claim maybe", "close soon", "pause long", "cut a"]
)
async def test_an_order_that_is_none_is_refused(line: str) -> None:
    async with met() as (cloud, _, orders):
        await cloud.until(lambda: bool(cloud.links))
        with pytest.raises(Malformed):
            await orders.carry_out(line)


@pytest.mark.parametrize("line", ["call m", "send {}", "close", "cut", "silent"])
async def test_an_order_about_a_station_needs_one(line: str) -> None:
    with pytest.raises(Unavailable):
        await Orders(StandInCloud(Record())).carry_out(line)


@pytest.mark.parametrize("line", ["", "   ", "# nothing", "accept", "whole", "cut 5", "pause 0"])
async def test_an_order_about_nobody_needs_none(line: str) -> None:
    await Orders(StandInCloud(Record())).carry_out(line)


async def test_its_certificates_hold_for_its_names_and_no_others() -> None:
    authority = ThrowAwayAuthority()
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    async with StandInCloud(Record(), authority.server(["localhost"])).serving("localhost") as port:
        async with websockets.connect(f"wss://localhost:{port}/ws/station", ssl=trust, proxy=None):
            pass
        with pytest.raises(ssl.SSLCertVerificationError):
            await websockets.connect(f"wss://127.0.0.1:{port}/ws/station", ssl=trust, proxy=None)


async def test_another_path_is_none() -> None:
    async with StandInCloud(Record()).serving() as port:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://127.0.0.1:{port}/ws", proxy=None)

    assert refused.value.response.status_code == 404
