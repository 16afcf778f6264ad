"""Bodies that are too large, and what comes behind an answer: nobody's connection is held for ever."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from station_adapters.http import protocols
from station_core.values import MAX_MESSAGE
from tests.contract.http_rig import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig

HEAD = b"POST /api/auth/login HTTP/1.1\r\nHost: station\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"400\r\n" + b"x" * 0x400 + b"\r\n"
TOO_MANY = MAX_MESSAGE // 0x400 + 1
LAST = b"GET /health HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


async def said(rig: HttpRig, *parts: bytes) -> bytes:
    """All that is answered to this up to the end of the connection, of which this side says nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    heard = b""
    async with asyncio.timeout(10):
        for part in parts:
            writer.write(part)
            await writer.drain()
            if part is not parts[-1]:
                heard += await reader.readuntil(b"}")
        heard += await reader.read()
    writer.close()
    await writer.wait_closed()
    return heard


def refused(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 413 ") and json.loads(body)["code"] == "too_large"


async def test_chunks_without_end_are_refused_once_they_are_too_many(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "REST_WITHIN", 0.05)

    assert refused(await said(rig, CHUNKED + TOO_MANY * CHUNK))


async def test_chunks_that_end_after_all_leave_the_connection_to_the_next_request(rig: HttpRig) -> None:
    answer = await said(rig, CHUNKED + TOO_MANY * CHUNK, 10 * CHUNK + b"0\r\n\r\n" + LAST)

    first, _, second = answer.partition(b"HTTP/1.1 200 ")
    assert refused(first)
    assert second.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(("length", "status"), [(b"2", 400), (b"99999999", 413), (b"18446744073709551616", 400)])
async def test_zeros_before_a_length_change_nothing(rig: HttpRig, length: bytes, status: int) -> None:
    answer = await said(rig, HEAD + b"Content-Length: " + b"0" * 5_000 + length + b"\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_chunks_that_are_not_too_many_are_taken(rig: HttpRig) -> None:
    answer = await said(rig, CHUNKED + b"2\r\n{}\r\n0\r\n\r\n" + LAST)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"missing required field" in answer


@pytest.mark.parametrize(
    ("first", "behind"),
    [
        (HEAD + b"Content-Length: 99999999\r\n\r\n", b"x"),
        (CHUNKED + TOO_MANY * CHUNK, CHUNK),
        (b"GET /health HTTP/1.1\r\nHost: station\r\n\r\n", b"\r\n"),
    ],
    ids=["a body that was too large", "chunks that were too many", "an empty line"],
)
async def test_what_comes_behind_an_answer_and_is_no_request_is_not_waited_for_for_ever(
    rig: HttpRig, monkeypatch: pytest.MonkeyPatch, first: bytes, behind: bytes
) -> None:
    monkeypatch.setattr(protocols, "REST_WITHIN", 0.2)

    answer = await said(rig, first, behind)

    assert answer.count(b"HTTP/1.1 ") == 1
