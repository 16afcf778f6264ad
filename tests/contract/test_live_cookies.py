"""Who may listen by a cookie, and which pages get no live socket (docs/protocols.md §4)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from tests.contract.http_rig import LiveClient, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


def own(rig: HttpRig) -> str:
    return f"http://127.0.0.1:{rig.port}"


@asynccontextmanager
async def socket(rig: HttpRig, **headers: str) -> AsyncIterator[LiveClient]:
    url = f"ws://127.0.0.1:{rig.port}/ws"
    async with websockets.connect(url, compression=None, proxy=None, additional_headers=headers) as connection:
        yield LiveClient(connection)


async def cookie(rig: HttpRig) -> dict[str, str]:
    return {"cookie": f"station_access={await rig.token()}"}


async def test_a_page_of_ours_listens_by_its_cookie(rig: HttpRig) -> None:
    async with socket(rig, **await cookie(rig), origin=own(rig)) as client:
        await client.say({"type": "auth", "batch": True})

        assert (await client.next())["type"] == "snapshot"


async def test_the_end_of_its_session_closes_a_socket_by_cookie_too(rig: HttpRig) -> None:
    said = await cookie(rig)
    async with socket(rig, **said, origin=own(rig)) as client:
        await client.say({"type": "auth"})
        await client.next()
        token = said["cookie"].partition("=")[2]
        await rig.home.access.log_out(rig.home.access.verify(token).session_id)

        assert await client.closed() == 4401


async def test_a_cookie_says_nothing_on_a_socket_of_no_known_page_or_before_auth(rig: HttpRig) -> None:
    said = await cookie(rig)
    async with socket(rig, **said) as unknown, socket(rig, **said, origin=own(rig)) as silent:
        await unknown.say({"type": "auth"})
        await silent.say({"type": "ping"})

        assert await unknown.next() == {"type": "error", "code": "malformed"}
        assert await silent.next() == {"type": "error", "code": "unauthenticated"}


async def test_a_cookie_that_is_there_twice_counts_as_none(rig: HttpRig, caplog: pytest.LogCaptureFixture) -> None:
    twice = {"cookie": "; ".join([(await cookie(rig))["cookie"]] * 2)}
    async with socket(rig, **twice, origin=own(rig)) as client:
        await client.say({"type": "auth"})

        assert await client.next() == {"type": "error", "code": "malformed"}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "OWN", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("bears", [True, False])
async def test_a_page_of_another_origin_gets_no_socket(
    rig: HttpRig, headers: dict[str, str], caplog: pytest.LogCaptureFixture, *, bears: bool
) -> None:
    said = {name: value.replace("OWN", own(rig)) for name, value in headers.items()}
    with pytest.raises(InvalidStatus) as refused:
        async with asyncio.timeout(10), socket(rig, **(await cookie(rig) if bears else {}), **said):
            pass

    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["x-content-type-options"] == "nosniff"
