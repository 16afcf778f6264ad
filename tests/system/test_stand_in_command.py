"""`station simulate cloud` as it's started: from a terminal's pipe, with a file, in the background."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING

from station_app.cli.stand_in import LINE_BOUND

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

LISTENS = b"A stand-in cloud listens."


@asynccontextmanager
async def stand_in(stdin: IO[bytes] | int) -> AsyncIterator[Process]:
    """One that listens; it's ended by SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "station_app", "simulate", "cloud", "--plain", "--port", "0"),
        stdin=stdin,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            assert (await process.stderr.readline()).startswith(LISTENS)
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def told(process: Process) -> tuple[int | None, bytes]:
    """How it ends when it's told to, and what it said until then."""
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    return process.returncode, err


async def test_in_the_background_it_listens_without_orders() -> None:
    async with stand_in(asyncio.subprocess.DEVNULL) as process:
        ended = await told(process)

    assert ended == (0, b"")


async def test_orders_in_a_file_are_carried_out(tmp_path: Path) -> None:
    orders = tmp_path / "orders.txt"
    orders.write_text("claim off\nclaim perhaps\ndance\n")
    with orders.open("rb") as file:
        async with stand_in(file) as process:
            assert process.stderr is not None
            said = [await process.stderr.readline(), await process.stderr.readline()]
            ended = await told(process)

    assert said[0] == b"claim on|off\n"
    assert b"dance" in said[1]
    assert ended == (0, b"")


async def test_a_line_without_an_end_is_the_last_one() -> None:
    reading, writing = os.pipe()
    try:
        async with stand_in(reading) as process:
            os.close(reading)
            await asyncio.to_thread(_fill, writing, b"send " + b"9" * (LINE_BOUND + 2**16))
            assert process.stderr is not None
            said = await process.stderr.readline()
            ended = await told(process)
    finally:
        os.close(writing)

    assert b"no more orders are read" in said
    assert ended == (0, b"")


def _fill(pipe: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(pipe, rest) :]
