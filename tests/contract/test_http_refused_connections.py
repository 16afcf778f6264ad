"""What is no request, or no handshake of a socket, is refused as everything else is (docs/protocols.md §4)."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from station_adapters.http.door import HEADERS
from tests.contract.http_rig import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

UPGRADE = b"Host: station\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"

REFUSED = {
    "no request": (b"rubbish\r\n\r\n", 400, "malformed"),
    "a token without end": (b"GET /health HTTP/1.1\r\nAuthorization: " + b"x" * 600_000, 401, "unauthenticated"),
    "no key": (b"GET /ws?canary HTTP/1.1\r\n" + UPGRADE + VERSION + b"\r\n", 400, "malformed"),
    "another version": (
        b"GET /ws HTTP/1.1\r\n" + UPGRADE + KEY + b"Sec-WebSocket-Version: 12\r\n\r\n", 400, "malformed",
    ),
    "another method": (b"POST /ws HTTP/1.1\r\n" + UPGRADE + KEY + VERSION + b"\r\n", 405, "method_not_allowed"),
    "where there is nothing": (b"GET /nothing HTTP/1.1\r\n" + UPGRADE + KEY + VERSION + b"\r\n", 404, "not_found"),
    "where there is no socket": (
        b"GET /api/devices HTTP/1.1\r\n" + UPGRADE + KEY + VERSION + b"\r\n", 404, "not_found",
    ),
}  # fmt: skip


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


async def answered(rig: HttpRig, said: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, header fields and content of the one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(said)
    async with asyncio.timeout(10):
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *lines = head.decode().split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return int(first.split(" ")[1]), [(name.lower(), value) for name, _, value in pairs], content


@pytest.mark.parametrize("what", REFUSED)
async def test_it_is_told_why_under_the_headers_that_every_answer_bears(rig: HttpRig, what: str) -> None:
    said, status, code = REFUSED[what]
    got, fields, content = await answered(rig, said)

    assert got == status
    assert sorted(set(fields)) == sorted(fields)
    headers = dict(fields)
    assert len(headers) == len(fields)
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(content))
    assert [headers[name.decode()] for name, _ in HEADERS] == [value.decode() for _, value in HEADERS]
    body = json.loads(content)
    assert (body["status"], body["code"]) == (status, code)
    assert b"canary" not in content
    assert re.fullmatch(r"[0-9a-f]{16}", body["requestId"])
    assert body["requestId"] == headers["x-request-id"]


async def test_another_method_is_told_which_there_is(rig: HttpRig) -> None:
    _, fields, _ = await answered(rig, REFUSED["another method"][0])

    assert ("allow", "GET") in fields


@pytest.mark.parametrize("path", [b"/ws/", b"/api/ws"])
async def test_a_socket_is_found_where_it_is(rig: HttpRig, path: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(b"GET " + path + b" HTTP/1.1\r\n" + UPGRADE + KEY + VERSION + b"\r\n")
    async with asyncio.timeout(10):
        first = await reader.readline()
    writer.close()

    assert first.startswith(b"HTTP/1.1 101 ")
