"""What is no device's token opens nothing, and nothing that is presented as one breaks anything (over real HTTP)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.contract.http_rig import problem, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.contract.http_rig import HttpRig

Headers = list[tuple[bytes, bytes]]
REPORT = {"state": {"on": True}}

SPOILT: dict[str, Callable[[bytes], Headers]] = {
    "none": lambda _: [],
    "empty": lambda _: [(b"X-Device-Token", b"")],
    "a prefix": lambda token: [(b"X-Device-Token", token[:-1])],
    "a suffix": lambda token: [(b"X-Device-Token", token[1:])],
    "more": lambda token: [(b"X-Device-Token", token + b"x")],
    "padded": lambda token: [(b"X-Device-Token", token + b"=")],
    "in another case": lambda token: [(b"X-Device-Token", token.swapcase())],
    "quoted": lambda token: [(b"X-Device-Token", b'"' + token + b'"')],
    "as a bearer's": lambda token: [(b"X-Device-Token", b"Bearer " + token)],
    "twice": lambda token: [(b"X-Device-Token", token)] * 2,
    "twice in one": lambda token: [(b"X-Device-Token", token + b", " + token)],
    "twice under the older name": lambda token: [(b"Device-Token", token)] * 2,
    "empty beside one of the older name": lambda token: [(b"X-Device-Token", b""), (b"Device-Token", token)],
    "UTF-8": lambda _: [(b"X-Device-Token", "päté 🔑".encode())],
    "no UTF-8": lambda _: [(b"X-Device-Token", b"\xff\xfe\x80")],
    "one letter of another alphabet": lambda token: [(b"X-Device-Token", token[:-1] + "а".encode())],
    "60 kB": lambda _: [(b"X-Device-Token", b"x" * 60_000)],
    "1 MB": lambda _: [(b"X-Device-Token", b"x" * 1_000_000)],
    "1 MB, the token first": lambda token: [(b"X-Device-Token", token + b"x" * 1_000_000)],
    "1 MB under the older name": lambda _: [(b"Device-Token", b"x" * 1_000_000)],
}


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("path", ["/api/device/state", "/api/device/events"])
async def test_what_is_no_token_is_401_and_the_next_request_is_answered(rig: HttpRig, path: str, spoilt: str) -> None:
    _, token = await rig.add()
    refused = await rig.http.post(path, json=REPORT, headers=SPOILT[spoilt](token["X-Device-Token"].encode()))
    taken = await rig.http.post("/api/device/state", json=REPORT, headers=token)

    assert problem(refused) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert taken.status_code == 202


async def test_a_token_is_its_own_devices_whatever_the_body_says(rig: HttpRig) -> None:
    lamp, _ = await rig.add("lamp")
    door, token = await rig.add("door")
    report = {**REPORT, "deviceId": lamp, "externalId": "lamp", "id": lamp}
    answer = await rig.http.post("/api/device/state", json=report, headers=token)

    assert answer.status_code == 202
    assert rig.home.household.device(lamp).state == {}
    assert rig.home.household.device(door).state == {"on": True}


async def test_the_token_of_a_device_that_was_removed_is_401(rig: HttpRig) -> None:
    lamp, token = await rig.add("lamp")
    await rig.home.household.remove(lamp)
    again, _ = await rig.add("lamp")

    assert problem(await rig.http.post("/api/device/state", json=REPORT, headers=token)) == (401, "unauthenticated")
    assert rig.home.household.device(again).state == {}


async def test_a_person_s_and_the_agent_s_words_are_no_device_s(rig: HttpRig) -> None:
    for credential in (await rig.token(), "the agent's"):
        answer = await rig.http.post("/api/device/state", json=REPORT, headers={"X-Device-Token": credential})

        assert problem(answer) == (401, "unauthenticated")


async def test_a_head_that_is_too_large_without_a_credential_is_malformed(rig: HttpRig) -> None:
    answer = await rig.http.get("/health", headers={"x-noise": "x" * 1_000_000})

    assert problem(answer) == (400, "malformed")
    assert answer.headers["connection"] == "close"


async def test_who_never_ends_a_head_that_was_refused_is_let_go(rig: HttpRig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(b"POST /api/device/state HTTP/1.1\r\nhost: x\r\nx-device-token: " + b"x" * 400_000)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 401 ")
