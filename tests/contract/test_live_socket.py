"""Who may listen on the live socket and what they may say (docs/protocols.md §4), from a real server."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import websockets

from station_core.health import Phase
from station_core.identity.model import Role
from tests.contract.http_rig import LiveClient, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contract.http_rig import HttpRig


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving() as rig:
        yield rig


# Who listens


async def test_who_shows_who_they_are_gets_a_snapshot_first(rig: HttpRig) -> None:
    token = await rig.token(Role.MEMBER)
    device_id, _ = await rig.add()
    rig.home.devices.report_state("lamp", {"on": True})
    await rig.home.journal.drained()

    async with rig.socket(token) as client:
        snapshot = await client.next()

    assert set(snapshot) == {"type", "devices", "candidates", "seq"}
    assert (snapshot["type"], snapshot["candidates"]) == ("snapshot", [])
    [lamp] = snapshot["devices"]
    assert (lamp["id"], lamp["status"], lamp["lastKnownState"]) == (device_id, "online", {"on": True})
    assert set(lamp) == {
        "id", "externalId", "name", "type", "status", "lastKnownState", "zoneId", "firmwareVersion", "chip",
        "lastHeartbeatAt", "createdAt", "updatedAt",
    }  # fmt: skip


async def test_the_other_path_leads_to_the_same(rig: HttpRig) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{rig.port}/api/ws", proxy=None) as connection:
        client = LiveClient(connection)
        await client.say({"type": "auth", "token": await rig.token()})

        assert (await client.next())["type"] == "snapshot"


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "pâté", "\0", "x" * 10_000])
async def test_a_wrong_token_ends_it(rig: HttpRig, token: str) -> None:
    async with rig.socket(token) as client:
        assert await client.closed() == 4401


async def test_who_does_not_show_who_they_are_is_sent_away_within_ten_seconds(rig: HttpRig) -> None:
    async with AsyncExitStack() as stack:
        silent = await rig.opened(stack)
        known = await rig.opened(stack, await rig.token())
        for _ in range(10):
            await rig.ports.clock.advance(1)

        assert await silent.closed() == 4401
        await known.say({"type": "ping"})
        assert await known.next() == {"type": "pong"}


async def test_before_that_nothing_is_answered_but_how(rig: HttpRig) -> None:
    await rig.add()
    async with rig.socket() as client:
        for message in ({"type": "ping"}, {"type": "provisioning_start"}):
            await client.say(message)
            assert await client.next() == {"type": "error", "code": "unauthenticated"}
        rig.home.devices.report_state("lamp", {"on": True})
        await rig.home.journal.drained()
        await client.say({"type": "auth", "token": await rig.token()})

        assert (await client.next())["type"] == "snapshot"


async def test_when_a_session_ends_so_do_its_sockets_and_no_others(rig: HttpRig) -> None:
    mine, theirs = await rig.token(Role.OWNER), await rig.token(Role.MEMBER)
    async with AsyncExitStack() as stack:
        ended = [await rig.opened(stack, mine) for _ in range(2)]
        other = await rig.opened(stack, theirs)
        bearer = {"authorization": f"Bearer {mine}"}
        assert (await rig.http.post("/api/auth/logout", headers=bearer)).status_code == 204

        await rig.ports.clock.advance(5)

        assert [await client.closed() for client in ended] == [4401, 4401]
        await other.say({"type": "ping"})
        assert await other.next() == {"type": "pong"}


async def test_a_socket_outlives_its_access_token_while_the_session_goes_on(rig: HttpRig) -> None:
    token = await rig.token()
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, token)
        await rig.ports.clock.advance(3_600)

        assert (await rig.http.get("/api/users/me", headers={"authorization": f"Bearer {token}"})).status_code == 401
        await client.say({"type": "ping"})
        assert await client.next() == {"type": "pong"}


async def test_to_show_again_who_one_is_begins_anew(rig: HttpRig) -> None:
    await rig.add()
    token = await rig.token()
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, token)
        await client.say({"type": "auth", "token": token, "batch": True})
        assert (await client.frame())["type"] == "snapshot"
        rig.home.devices.report_state("lamp", {"on": True})

        assert [m["type"] for m in await client.frame()] == ["device_status_changed", "device_state_changed"]


# What clients say


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "ping",
        "[]",
        "null",
        '{"type":"shout"}',
        '{"type":5}',
        '{"type":"auth"}',
        '{"type":"auth","token":"t","batch":"yes"}',
        "[" * 60_000,
        '{"type":"ping","ballast":"' + "x" * 70_000 + '"}',
        '{"type":"ping","ballast":"' + "ä" * 40_000 + '"}',
        b'{"type":"ping"}',
        b"\xff\xfe",
    ],
    ids=lambda frame: repr(frame)[:30],
)
async def test_what_is_no_message_is_told_so_and_the_socket_stays(rig: HttpRig, frame: str | bytes) -> None:
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, await rig.token())
        await client.connection.send(frame)

        assert await client.next() == {"type": "error", "code": "malformed"}
        await client.say({"type": "ping"})
        assert await client.next() == {"type": "pong"}


@pytest.mark.parametrize("message", ["provisioning_start", "provisioning_stop"])
async def test_only_who_may_add_devices_looks_for_them(rig: HttpRig, message: str) -> None:
    async with AsyncExitStack() as stack:
        member = await rig.opened(stack, await rig.token(Role.MEMBER))
        await member.say({"type": message})
        assert await member.next() == {"type": "error", "code": "forbidden"}

        for role in (Role.ADMIN, Role.OWNER):
            client = await rig.opened(stack, await rig.token(role))
            await client.say({"type": message})
            await client.say({"type": "ping"})
            assert await client.next() == {"type": "pong"}


async def test_an_owner_s_socket_looks_for_devices_from_its_auth_until_it_stops_or_closes(rig: HttpRig) -> None:
    radio = rig.ports.radio
    async with AsyncExitStack() as stack:
        await rig.opened(stack, await rig.token(Role.MEMBER))
        assert not radio.scanning
        client = await rig.opened(stack, await rig.token(Role.OWNER))
        await until(lambda: radio.scanning)
        await client.say({"type": "provisioning_stop"})
        await until(lambda: not radio.scanning)
        await client.say({"type": "provisioning_start"})
        await until(lambda: radio.scanning)
        await client.connection.close()

        await until(lambda: not radio.scanning)


# Beginning and end


async def test_before_the_station_serves_there_is_no_socket(rig: HttpRig) -> None:
    rig.home.health.phase = Phase.STARTING

    with pytest.raises(websockets.InvalidStatus) as refused:
        async with rig.socket():
            pass

    assert refused.value.response.status_code == 503
    assert json.loads(refused.value.response.body)["code"] == "starting"
    assert refused.value.response.headers["retry-after"] == "1"


async def test_when_the_station_ends_sockets_hear_so() -> None:
    async with AsyncExitStack() as clients:
        async with serving() as rig:
            token = await rig.token()
            listening = [await rig.opened(clients, token), await rig.opened(clients)]
            deaf = await rig.opened(clients, token)
            deaf.connection.transport.pause_reading()
        deaf.connection.transport.abort()

        assert [await client.closed() for client in listening] == [1001, 1001]


async def test_a_hub_that_ends_takes_its_sockets_along_and_begins_again(rig: HttpRig) -> None:
    token = await rig.token()
    async with AsyncExitStack() as stack:
        client = await rig.opened(stack, token)
        rig.stop_hub()
        assert await client.closed() == 1001
        early = await stack.enter_async_context(rig.socket())
        assert await early.closed() == 1013

        async with asyncio.TaskGroup() as group:
            again = group.create_task(rig.hub.run())
            await until(lambda: rig.hub.follows)
            await rig.opened(stack, token)
            again.cancel()
