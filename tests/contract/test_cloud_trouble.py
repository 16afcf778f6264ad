from __future__ import annotations

import asyncio
import json
import socket
import ssl
from functools import partial
from typing import Any, Final

import pytest

from station_adapters.cloud import connection
from station_adapters.cloud.exchange import Exchange
from station_app.simulator.cloud.certificates import ThrowAwayAuthority
from station_app.simulator.cloud.record import Record
from station_app.simulator.cloud.stand_in import TOKEN, StandInCloud
from station_core.cloud.status import Mode
from station_core.errors import Unavailable
from tests.contract.cloud_rig import KNOWN, StationEnd, pair
from tests.contract.golden import WIRE
from tests.servers.fault_proxy import FaultProxy

# Bytes that an unclaimed or a claimed station hears, and says, until it's authenticated: upgrade and frames.
HEARD: Final = 300
SAID: Final = 420
AT_ONCE: Final = 24  # stations whose links are cut: they wait for the next attempt most of the time
WRONG: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "x" * 5_000,
    "\0",
    [],
    [[]],
    {},
    {"a": {}},
    {"cloudUserId": 5},
)


EXCHANGES: Final = pytest.mark.parametrize(
    "claimed", [False, True], ids=["while it's claimed", "while it authenticates"]
)
ENDS: Final = pytest.mark.parametrize(("end", "last"), [("cut_after", HEARD), ("cut_after_heard", SAID)])


@EXCHANGES
@ENDS
async def test_a_link_that_is_cut_at_any_byte_is_there_again(claimed: bool, end: str, last: int) -> None:  # noqa: FBT001  # a table
    turns = asyncio.Semaphore(AT_ONCE)

    async def is_there_again(cut: int) -> None:
        async with turns, pair(claimed=claimed, factor=50, prepare=partial(setting, end, cut)) as p:
            await p.station.until(p.tried)
            p.cloud.mend()
            await p.linked()

            config = p.station.claim.standing.config
            assert config is not None
            assert config.station_token.startswith(KNOWN if claimed else TOKEN)
            assert p.cloud.most_at_once == 1

    async with asyncio.TaskGroup() as group:
        for cut in range(1, last + 1):
            group.create_task(is_there_again(cut))


@EXCHANGES
@ENDS
async def test_these_bytes_are_all_that_an_exchange_has(claimed: bool, end: str, last: int) -> None:  # noqa: FBT001  # as above
    async with pair(claimed=claimed, factor=1, prepare=partial(setting, end, last)) as p:
        await p.linked()

        assert p.cloud.connections == (1 if claimed else 2)


async def test_a_link_that_is_cut_at_any_byte_of_a_call_is_there_again() -> None:
    for cut in range(1, 60, 3):
        async with pair(factor=100) as p:
            await p.linked()
            p.cloud.link.cut_after(cut)
            with pytest.raises(Unavailable):  # noqa: PT012  # short ones come through
                await p.cloud.link.call("echo", {"some": "parameters"})
                await p.cloud.link.call("echo", {"some": "parameters"})
            await p.cloud.until(lambda p=p: p.cloud.connections == 2)  # type: ignore[misc]  # mypy can't tell of a default
            await p.linked()

            assert (await p.cloud.link.call("echo"))["result"] == {"params": None}


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_link_whose_tls_is_cut_at_any_byte_is_there_again(way: str) -> None:
    authority, record = ThrowAwayAuthority(), Record()
    tls = ssl.create_default_context(cadata=authority.pem.decode())
    cloud = StandInCloud(record, authority.server())
    async with cloud.serving() as port, FaultProxy("127.0.0.1", port) as proxy:
        flow = proxy.up if way == "up" else proxy.down
        for cut in range(1, 2_400, 80):
            station = StationEnd(f"wss://127.0.0.1:{proxy.port}", tls, 100, verified=True)
            await station.claim.load()
            flow.breaks_at = flow.passed + cut
            async with asyncio.TaskGroup() as group:
                running = group.create_task(station.link.run())
                await station.until(partial(claimed_or_tried, station))
                flow.breaks_at = None
                await proxy.reset()
                await station.authenticated()
                running.cancel()

            config = station.claim.standing.config
            assert config is not None
            assert config.station_token in {frame["stationToken"] for frame in record.frames("said") if len(frame) > 1}


async def test_an_end_that_is_gone_without_a_word_is_missed_within_a_minute() -> None:
    cloud = StandInCloud(Record())
    async with cloud.serving() as port, FaultProxy("127.0.0.1", port) as proxy:
        station = StationEnd(f"ws://127.0.0.1:{proxy.port}", None, 60, verified=False)
        await station.claim.load()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(station.link.run())
            await station.authenticated()
            began = station.clock.monotonic()
            proxy.half_open("upstream")
            await station.until(lambda: station.mode is not Mode.AUTHENTICATED)
            took = station.clock.monotonic() - began
            assert station.board.status.last_error == "The cloud is silent: no pong came."
            await station.until(lambda: station.mode is Mode.AUTHENTICATED)
            running.cancel()

    assert took > 20  # at 60 times the speed the other bound would judge the machine: two heartbeats of 30 s
    assert station.board.status.reconnects == 2


def claimed_or_tried(station: StationEnd) -> bool:
    return station.mode is Mode.AUTHENTICATED or bool(station.liaison._session.attempts)


def setting(name: str, value: int, cloud: StandInCloud) -> None:
    setattr(cloud, name, value)


async def test_a_cloud_that_takes_the_connection_and_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPEN_WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        station = StationEnd(f"ws://127.0.0.1:{black_hole.getsockname()[1]}", None, 100, verified=False)
        await station.claim.load()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(station.link.run())
            await station.until(lambda: station.liaison._session.attempts >= 3)
            running.cancel()

    assert station.board.status.last_error == "timed out during opening handshake"
    assert station.mode is Mode.UNCLAIMED


async def test_a_cloud_that_is_not_there_is_asked_again_and_nothing_else_happens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    station = StationEnd(f"ws://127.0.0.1:{port}", None, 200, verified=False)
    await station.claim.load()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(station.link.run())
        await station.until(lambda: station.liaison._session.attempts >= 4)
        running.cancel()

    assert station.claim.standing.config is None


async def test_wrong_types_in_every_field_break_nothing() -> None:
    frames = [
        json.loads(json.loads(path.read_text())["frame"]) for path in sorted((WIRE / "cloud/heard").glob("*.json"))
    ]
    wrong = [
        {**frame, key: value}
        for frame in frames
        for key in frame
        if key != "type" and (key == "code" or frame["type"] != "auth_error")  # that's a right one, with its code
        for value in WRONG
    ]
    assert len(wrong) > 200
    malformed = 0
    for begin in range(
        0, len(wrong), 60
    ):  # a few of each hold what no JSON may hold here, and 20 of these are too many
        async with pair(factor=1) as p:
            await p.linked()
            for frame in wrong[begin : begin + 60]:
                await p.cloud.link.say(frame)
            assert (await p.cloud.link.call("echo"))["result"] == {"params": None}
            assert p.station.mode is Mode.AUTHENTICATED
            malformed += p.station.link.oddities.ignored["malformed"]
    assert malformed > 100


async def test_unknown_types_are_logged_once_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    async with pair() as p:
        await p.linked()
        for _ in range(50):
            await p.cloud.link.say({"type": "weather", "sunny": True})
        assert (await p.cloud.link.call("echo"))["result"] == {"params": None}

    assert [record.name_met for record in caplog.records if hasattr(record, "name_met")] == ["weather"]
    assert p.station.link.oddities.types.counts == {"weather": 50}


async def send_without_end(line: Exchange) -> None:
    while True:
        await line.room()
        line.notify("device.stateChanged", {"text": "x" * 4_000})


async def test_what_waits_for_a_cloud_that_reads_nothing_is_bounded() -> None:
    async with pair(factor=1) as p:
        line = await p.station.authenticated()
        assert isinstance(line, Exchange)
        p.cloud.link.fall_silent()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(send_without_end(line))
            await p.station.until(lambda: len(line.outlet._waiting) >= 1_000)
            await asyncio.sleep(0.1)  # were it unbounded, there would be more by then
            sending.cancel()

        assert len(line.outlet._waiting) == 1_000


async def test_what_goes_up_and_does_not_hear_that_the_link_has_ended_holds_up_no_other_link() -> None:
    async with pair() as p:
        p.station.deaf = 2
        await p.linked()
        p.cloud.link.cut()
        await p.station.until(lambda: len(p.station.lines) == 2)
        await p.linked()
