"""Every message of the live socket with every credential: exactly those are heard whom docs/access.md names."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.http.live import UNAUTHENTICATED, LiveHub
from station_adapters.http.messages import Heard
from station_core.provisioning.model import Known, Sighting
from tests.contract.http_rig import HttpRig, until
from tests.unit.http.access import CREDENTIALS, MESSAGES, lets_in, refusal
from tests.unit.http.keys import Locksmith, signing_ports
from tests.unit.http.listening import GONE, Client, as_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

LAMP = Sighting(address="AA:00", external_id="lamp", device_type="light", known_by=Known.SERVICE_DATA, rssi=-60)


def test_every_message_that_a_client_may_say_has_a_row() -> None:
    assert set(MESSAGES) == {str(kind.__struct_config__.tag) for kind in Heard.__args__}


@asynccontextmanager
async def living() -> AsyncIterator[HttpRig]:
    """A hub at work, without a server."""
    ports = signing_ports()
    async with ports.running() as home, asyncio.TaskGroup() as group:
        hub = LiveHub(home)
        telling = group.create_task(hub.run())
        await asyncio.sleep(0)
        no_http: Any = None
        http: httpx.AsyncClient = no_http
        yield HttpRig(ports, home, hub, 0, http)
        telling.cancel()


async def told(rig: HttpRig, *said: dict[str, Any], cookie: str | None = None) -> Client:
    """The client, when all was answered that it said and it went."""
    client = Client(rig.home, rig.hub, cookie)
    client.say([as_text(json.dumps(one).encode()) for one in said])
    client.say([GONE])
    async with asyncio.timeout(10):
        await client.run()
    return client


def errors(client: Client) -> list[str]:
    return [one["code"] for one in client.told if one["type"] == "error"]


@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_a_socket_is_open_to_those_whom_the_page_names(credential: str) -> None:
    async with living() as rig:
        auth, cookie = await Locksmith(rig).auth(credential)
        client = await told(rig, auth, {"type": "ping"}, cookie=cookie)

    if lets_in(MESSAGES["auth"], credential):
        assert (client.code, errors(client)) == (None, [])
        assert {"type": "pong"} in client.told
    else:
        assert client.code == UNAUTHENTICATED
        assert errors(client) in ([], ["unauthenticated"])
        assert {one["type"] for one in client.told} <= {"error"}


@pytest.mark.parametrize("credential", [name for name in CREDENTIALS if lets_in(MESSAGES["auth"], name)])
@pytest.mark.parametrize("message", [name for name in MESSAGES if name != "auth"])
async def test_exactly_those_are_heard_whom_the_page_names(message: str, credential: str) -> None:
    async with living() as rig:
        auth, cookie = await Locksmith(rig).auth(credential)
        client = await told(rig, auth, {"type": message}, cookie=cookie)

    who = MESSAGES[message]
    assert errors(client) == ([] if lets_in(who, credential) else [refusal(who, credential)[1]])


@pytest.mark.parametrize("message", [name for name in MESSAGES if name != "auth"])
async def test_nobody_is_heard_before_it_has_shown_who_it_is(message: str) -> None:
    async with living() as rig:
        client = await told(rig, {"type": message})

    assert errors(client) == [refusal(MESSAGES[message], "none")[1]]


@pytest.mark.parametrize("credential", [name for name in CREDENTIALS if lets_in(MESSAGES["auth"], name)])
async def test_candidates_are_told_to_those_who_may_provision(credential: str) -> None:
    async with living() as rig:
        keys = Locksmith(rig)
        viewer = object()
        rig.home.lookout.take(viewer)
        await until(lambda: rig.ports.radio.scanning)
        rig.ports.radio.advertise(LAMP)
        await until(lambda: rig.home.lookout.candidates)
        auth, cookie = await keys.auth(credential)
        client = await told(rig, auth, {"type": "provisioning_start"}, cookie=cookie)

    seen = [one["candidates"] for one in client.told if one["type"] == "snapshot"]
    seen += [one for one in client.told if one["type"].startswith("provisioning_candidate")]
    assert any(seen) == lets_in(MESSAGES["provisioning_start"], credential)
