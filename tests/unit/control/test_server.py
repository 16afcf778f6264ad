"""The control socket as its callers meet it: a real socket in a real folder."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.control import server as control
from station_adapters.control.frames import LINE_BOUND, SOCKET_NAME
from station_adapters.control.place import address
from station_adapters.control.server import ControlServer
from station_core.errors import DeviceUnknown, SettingInvalid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WITHIN = 10.0  # seconds; far more than it takes


async def carry_out(order: str, arguments: dict[str, Any]) -> Any:
    match order:
        case "echo":
            return arguments
        case "fail":
            raise DeviceUnknown
        case "hang":
            return await asyncio.Event().wait()
        case _:
            raise ZeroDivisionError


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Path]:
    server = ControlServer(folder, carry_out)
    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await server.listening.wait()
        yield folder / SOCKET_NAME
        running.cancel()


@asynccontextmanager
async def caller(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    with address(path) as where:
        reader, writer = await asyncio.open_unix_connection(where)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def asked(path: Path, *lines: bytes) -> list[Any]:
    """The answers until the station closes, which it does once the caller has ended."""
    async with caller(path) as (reader, writer):
        writer.write(b"".join(lines))
        writer.write_eof()
        return [json.loads(line) async for line in reader]


async def test_orders_are_carried_out_one_after_the_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        answers = await asked(path, b'{"order": "echo", "arguments": {"a": 1}}\n', b'{"order": "fail"}\n', b"rubbish\n")

    assert answers[0] == {"result": {"a": 1}}
    assert answers[1] == {"error": {"code": "device_unknown", "detail": "The station has no such device."}}
    assert answers[2]["error"]["code"] == "malformed"


async def test_a_bug_in_an_order_is_internal_and_ends_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        first = await asked(path, b'{"order": "bug"}\n')
        second = await asked(path, b'{"order": "echo"}\n')

    assert first[0]["error"]["code"] == "internal"
    assert second == [{"result": {}}]


async def test_the_socket_is_its_users_alone_and_goes_with_the_station(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        mode = path.stat().st_mode & 0o777

    assert mode == 0o600
    assert not path.exists()


async def test_a_socket_that_a_killed_station_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / SOCKET_NAME))
    async with serving(tmp_path) as path:
        answers = await asked(path, b'{"order": "echo"}\n')

    assert answers == [{"result": {}}]


async def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / SOCKET_NAME).write_text("mine")
    with pytest.raises(SettingInvalid):
        await ControlServer(tmp_path, carry_out).run()

    assert (tmp_path / SOCKET_NAME).read_text() == "mine"


async def test_a_folder_whose_path_is_too_long_for_a_socket_serves_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    folder.mkdir(parents=True)
    async with serving(folder) as path:
        answers = await asked(path, b'{"order": "echo"}\n')

    assert answers == [{"result": {}}]
    assert not path.exists()


async def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match="gone"):
        await ControlServer(tmp_path / "gone", carry_out).run()


async def test_a_line_over_the_bound_is_refused_and_the_next_caller_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        async with caller(path) as (reader, writer):
            writer.write(b"x" * (LINE_BOUND + 1))
            refusal = json.loads(await reader.readline())
        answers = await asked(path, b'{"order": "echo"}\n')

    assert refusal["error"]["code"] == "too_large"
    assert answers == [{"result": {}}]


async def test_a_line_that_does_not_end_is_no_order(tmp_path: Path) -> None:
    async with serving(tmp_path) as path:
        assert await asked(path, b'{"order": "echo"}') == []


async def test_more_callers_than_it_has_room_for_are_told_so_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "CONNECTIONS", 1)
    async with serving(tmp_path) as path:
        async with caller(path) as (reader, writer):
            writer.write(b'{"order": "echo"}\n')
            await reader.readline()
            async with caller(path) as (second, _):
                told = json.loads(await second.readline())
        while (again := await asked(path, b'{"order": "echo"}\n'))[0].get("error"):  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0)

    assert told["error"]["code"] == "rate_limited"
    assert again == [{"result": {}}]


async def test_a_caller_who_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "READ_WITHIN", 0.05)
    async with serving(tmp_path) as path, caller(path) as (reader, _):
        assert await reader.read() == b""


async def test_an_order_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "DONE_WITHIN", 0.05)
    async with serving(tmp_path) as path:
        answers = await asked(path, b'{"order": "hang"}\n')

    assert answers[0]["error"]["code"] == "unavailable"


async def test_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ROOT", -1)
    uid = os.geteuid()
    async with serving(tmp_path) as path:
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
        async with caller(path) as (reader, _):
            told = json.loads(await reader.readline())

    assert told["error"]["code"] == "forbidden"


async def test_a_caller_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as path, caller(path) as (reader, writer):
        writer.write(b'{"order": "echo"}\n{"order": "hang"}\n')
        await reader.readline()

    assert not path.exists()
