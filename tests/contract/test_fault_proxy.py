"""The fault proxy does what it says: tests that rely on it judge the station, not the proxy."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.servers.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 5  # seconds that a condition is waited for


class Far:
    """An upstream that keeps what it reads and shows its connections."""

    def __init__(self) -> None:
        self.met: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.met.put_nowait((reader, writer))


class Line:
    """A connection through the proxy, both of its ends in hand."""

    def __init__(self, proxy: FaultProxy, far: Far) -> None:
        self.proxy = proxy
        self.far = far

    async def join(self) -> None:
        async with asyncio.timeout(PATIENCE):
            self.reader, self.writer = await asyncio.open_connection(self.proxy.host, self.proxy.port)
            self.far_reader, self.far_writer = await self.far.met.get()

    async def heard(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.far_reader.readexactly(size)

    async def answered(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)


async def until(proxy: FaultProxy, *, taken: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while proxy.up.taken < taken:  # noqa: ASYNC110  # plain counters
            await asyncio.sleep(0.001)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    far = Far()
    server = await asyncio.start_server(far.meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with FaultProxy("127.0.0.1", port) as proxy:
        line = Line(proxy, far)
        await line.join()
        yield line
        for writer in (line.writer, *far.writers):
            writer.close()
    server.close()
    assert proxy.open == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_it_passes_both_ways_and_counts(line: Line) -> None:
    line.writer.write(b"hello")
    line.far_writer.write(b"good day")

    assert await line.heard(5) == b"hello"
    assert await line.answered(8) == b"good day"
    assert (line.proxy.up.passed, line.proxy.down.passed) == (5, 8)
    assert (line.proxy.accepted, line.proxy.open) == (1, 1)


async def test_the_end_of_one_direction_passes_and_the_other_goes_on(line: Line) -> None:
    line.writer.write_eof()
    async with asyncio.timeout(PATIENCE):
        assert await line.far_reader.read() == b""
    line.far_writer.write(b"still here")

    assert await line.answered(10) == b"still here"


async def test_slow_narrow_and_sliced_it_loses_and_disorders_nothing(line: Line) -> None:
    line.proxy.up.latency = 0.02
    line.proxy.up.bandwidth = 1_000_000
    line.proxy.up.slices = 7
    sent = bytes(range(256)) * 20
    line.writer.write(sent)

    assert await line.heard(len(sent)) == sent


@pytest.mark.parametrize("way", [{"latency": 0.1}, {"bandwidth": 10_000.0}], ids=["latency", "bandwidth"])
async def test_no_byte_is_there_before_its_time(line: Line, way: dict[str, float]) -> None:
    for name, value in way.items():
        setattr(line.proxy.up, name, value)
    began = asyncio.get_running_loop().time()
    line.writer.write(b"x" * 1_000)
    await line.heard(1_000)

    assert asyncio.get_running_loop().time() - began > 0.08


async def test_slices_arrive_apart(line: Line) -> None:
    line.proxy.up.slices = 3
    line.proxy.up.bandwidth = 300  # ten milliseconds each
    line.writer.write(b"abcdef")
    async with asyncio.timeout(PATIENCE):
        first = await line.far_reader.read(100)

    assert first == b"abc"


async def test_a_cut_is_an_end_at_both_ends(line: Line) -> None:
    await line.proxy.cut()
    async with asyncio.timeout(PATIENCE):
        ends = await line.reader.read(), await line.far_reader.read()

    assert ends == (b"", b"")
    assert line.proxy.open == 0


async def test_a_reset_breaks_both_ends(line: Line) -> None:
    await line.proxy.reset()
    async with asyncio.timeout(PATIENCE):
        for reader in (line.reader, line.far_reader):
            with pytest.raises(ConnectionResetError):
                await reader.read()


async def test_what_breaks_at_one_end_breaks_at_the_other(line: Line) -> None:
    sock = line.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    line.writer.transport.abort()

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ConnectionResetError):
            await line.far_reader.read()


async def test_a_swallowing_direction_takes_all_and_passes_nothing(line: Line) -> None:
    line.proxy.up.swallowing = True
    line.writer.write(b"into the void")
    await until(line.proxy, taken=13)
    line.far_writer.write(b"the other way")

    assert await line.answered(13) == b"the other way"
    assert line.proxy.up.passed == 0


async def test_a_stalled_direction_passes_all_once_it_flows_again(line: Line) -> None:
    line.proxy.up.stalled = True
    line.writer.write(b"patience")
    line.far_writer.write(b"the other way")
    assert await line.answered(13) == b"the other way"
    assert line.proxy.up.passed == 0
    line.proxy.up.stalled = False

    assert await line.heard(8) == b"patience"


async def test_a_half_open_connection_is_over_at_one_end_only(line: Line) -> None:
    line.proxy.half_open(gone="client")
    async with asyncio.timeout(PATIENCE):
        assert await line.reader.read() == b""
    line.far_writer.write(b"is anybody there?")
    await line.far_writer.drain()

    assert not line.far_reader.at_eof()
    assert line.proxy.open == 1


async def test_refused_and_accepted_again_on_the_same_port(line: Line) -> None:
    await line.proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(line.proxy.host, line.proxy.port)
    line.writer.write(b"the old one stays")
    assert await line.heard(17) == b"the old one stays"
    line.proxy.accept()
    other = Line(line.proxy, line.far)
    await other.join()
    other.writer.write(b"anew")

    assert await other.heard(4) == b"anew"
    other.writer.close()


async def test_it_may_refuse_from_the_start() -> None:
    async with FaultProxy("127.0.0.1", 9) as proxy:
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(proxy.host, proxy.port)


async def test_no_upstream_is_a_reset() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with FaultProxy("127.0.0.1", nobody.getsockname()[1]) as proxy, asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()


async def test_a_connection_breaks_at_the_byte_that_was_said(line: Line) -> None:
    line.proxy.up.breaks_at = 5
    line.writer.write(b"0123456789")

    assert await line.heard(5) == b"01234"
    with pytest.raises(ConnectionError):
        await line.heard(1)
    with pytest.raises(ConnectionError):
        await line.answered(1)
