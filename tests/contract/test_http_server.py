"""The server itself: where it listens, how it ends, what it does to who is slow."""

from __future__ import annotations

import asyncio
import inspect
import re
import signal
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from uvicorn import Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from station_adapters.http import protocols
from station_adapters.http.app import create_app
from station_adapters.http.joined import Joined
from station_adapters.http.live import LiveHub
from station_adapters.http.server import HttpServer
from station_adapters.http.subscriber import QUEUE_BOUND
from station_adapters.memory.clock import settled
from station_adapters.memory.home import MemoryPorts
from station_core.errors import SettingInvalid
from tests.contract.http_rig import problem, serving, under_way, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

END_WITHIN = 5.0  # seconds; far more than it takes


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


def server(host: str = "127.0.0.1", port: int = 0) -> HttpServer:
    ports = MemoryPorts()
    home = ports.home()
    return HttpServer(create_app(home, ports.store, LiveHub(home)), host, port)


async def answers(port: int, host: str = "127.0.0.1") -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://{host}:{port}/health/live")).status_code == 200


async def test_a_port_that_somebody_else_has_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(SettingInvalid, match=f"can't listen on 127.0.0.1, port {port}: Address already in use"):
            await server(port=port).run()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
async def test_an_address_that_is_none_of_ours_is_told_in_a_sentence(host: str) -> None:
    with pytest.raises(SettingInvalid, match=host):
        await server(host).run()


@pytest.mark.parametrize(("host", "where"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")])
async def test_it_listens_where_it_is_told_again_and_again(host: str, where: str) -> None:
    serving = server(host)
    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(serving.run())
            await serving.listening.wait()
            assert await answers(serving.port, where)
            running.cancel()

        assert not serving.listening.is_set()


async def test_signals_stay_with_whom_they_belong_to() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with serving():
        during = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    assert during == before


async def test_what_is_sent_goes_at_once(rig: HttpRig) -> None:
    async with AsyncExitStack() as stack:
        await rig.opened(stack, await rig.token())
        [connection] = connections(rig)
        with socket.fromfd(connection.fd, connection.family, connection.type) as served:
            nodelay = served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

        assert nodelay != 0


async def test_an_answer_that_the_end_does_not_wait_for_says_so() -> None:
    async with AsyncExitStack() as stack, serving() as rig:
        await rig.log_in()
        device_id, _ = await rig.add()
        rig.home.devices.report_state("lamp", {"on": False})
        path = f"/api/devices/{device_id}/command?wait=30"
        answer = await stack.enter_async_context(under_way(rig, "POST", path, json={"action": "toggle"}))
        await until(lambda: rig.ports.link.commands)

        await ended(rig)
        async with asyncio.timeout(END_WITHIN):
            assert problem(await answer) == (503, "unavailable")


async def test_an_answer_that_comes_soon_still_comes() -> None:
    async with serving() as rig:
        _, token = await rig.add()
        goes_on, commit = asyncio.Event(), rig.ports.store.commit
        asked = asyncio.Event()

        async def slowly(*arguments: object) -> None:
            asked.set()
            await goes_on.wait()
            await commit(*arguments)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rig.ports.store, "commit", slowly)
            report = {"state": {"on": True}}
            async with under_way(rig, "POST", "/api/device/state", json=report, headers=token) as answer:
                await asked.wait()
                rig.stop()
                goes_on.set()

    assert answer.result().status_code == 202


async def test_an_end_that_is_cut_short_lets_go_of_everything(rig: HttpRig) -> None:
    await rig.log_in()
    assert (await rig.http.get("/api/devices")).status_code == 200
    rig.stop()
    await settled()

    await ended(rig)

    await until(lambda: connections(rig) == [])
    with socket.create_server(("127.0.0.1", rig.port)) as next_one:
        assert next_one.getsockname()[1] == rig.port


async def test_who_takes_nothing_does_not_hold_up_the_end() -> None:
    async with AsyncExitStack() as clients, serving() as rig:
        await rig.add()
        deaf = await rig.opened(clients, await rig.token())
        deaf.connection.transport.pause_reading()
        flood(rig)

        await ended(rig)
        await until(lambda: connections(rig) == [])
        deaf.connection.transport.abort()


async def test_a_revoked_socket_is_closed_though_its_client_takes_nothing(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "GOOD_BYE_WITHIN", 0.05)
    await rig.add()
    token = await rig.token()
    async with AsyncExitStack() as clients:
        deaf = await rig.opened(clients, token)
        deaf.connection.transport.pause_reading()
        flood(rig)
        await rig.home.journal.drained()
        await rig.home.access.log_out(rig.home.access.verify(token).session_id)
        await rig.ports.clock.advance(1)

        await until(lambda: connections(rig) == [])
        deaf.connection.transport.abort()


async def test_who_never_says_what_they_want_is_left(rig: HttpRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "HEAD_WITHIN", 0.05)
    for beginning in (b"", b"GET /health HT"):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(beginning)

        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_who_begins_a_second_request_and_says_no_more_is_left(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "HEAD_WITHIN", 0.05)
    request = b"GET /health HTTP/1.1\r\nHost: station\r\n\r\n"
    for first, more in ((request, b"GET /hea"), (request + b"GET /hea", b"")):  # alone, and with the first
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(first)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.write(more)

        async with asyncio.timeout(4):  # before anybody takes it for idle
            await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_a_head_without_end_is_refused(rig: HttpRig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(b"GET /health HTTP/1.1\r\nX-Ballast: ")
    async with asyncio.timeout(5):
        try:
            for _ in range(100):
                writer.write(b"x" * 65_536)
                await writer.drain()
            answer = await reader.read()
        except ConnectionError:
            answer = b"HTTP/1.1 400 "  # it was closed before we had said everything
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_uvicorn_still_has_what_is_overridden_here() -> None:
    assert all(
        callable(getattr(kind, name))
        for kind, names in {
            Server: ["capture_signals", "startup"],
            HttpToolsProtocol: [
                "connection_made", "connection_lost", "data_received", "on_message_begin", "on_headers_complete",
                "on_response_complete", "send_400_response", "handle_websocket_upgrade",
            ],
            WebSocketsSansIOProtocol: ["handle_connect", "shutdown", "keepalive_timeout", "send", "run_asgi"],
        }.items()
        for name in names
    )  # fmt: skip


def test_uvicorn_still_answers_through_no_more_of_a_transport_than_is_handed_to_it() -> None:
    asked = re.findall(r"self\.transport\.(\w+)", inspect.getsource(RequestResponseCycle))

    assert set(asked) == {"write", "close", "is_closing"} <= set(vars(Joined))


async def ended(rig: HttpRig) -> None:
    """The server was told to end, and has."""
    rig.stop()
    async with asyncio.timeout(END_WITHIN):
        await asyncio.wait(rig.workers[:1])


def connections(rig: HttpRig) -> list[Any]:
    """The server's ends of what is connected to it."""
    open_ones = psutil.Process().net_connections("tcp")
    return [one for one in open_ones if one.status == "ESTABLISHED" and one.laddr.port == rig.port]


def flood(rig: HttpRig) -> None:
    """More than any buffer takes."""
    for value in range(2 * QUEUE_BOUND // 4_000):
        rig.home.devices.report_state("lamp", {"brightness": value, "note": "x" * 4_000})
