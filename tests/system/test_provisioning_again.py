"""A device of the household that was reset gets its next token: a whole station, its own Mosquitto, a virtual radio."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.ble.virtual import Peripheral, Trouble
from station_adapters.mosquitto.files import Login
from station_adapters.mosquitto.probe import accepts
from station_app.simulator.firmware import Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home as MqttHome
from station_core.errors import StoreUnavailable
from tests.servers.ports import free_port
from tests.system.test_provisioning import NETWORK, WANTED, fresh, people, station, step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from station_app.container import Container

AGAIN = {"externalId": "a1b2c3"}


def payload(device: Peripheral) -> dict[str, Any]:
    """What was written to it last."""
    written: dict[str, Any] = json.loads(device.written[-1])
    return written


@asynccontextmanager
async def living(device: Peripheral) -> AsyncIterator[Fleet]:
    """The device with what was written to it last."""
    told = payload(device)
    home = MqttHome(host=told["mqtt_host"], port=told["mqtt_port"], station_id=told["station_id"])
    fleet = Fleet.of([(told["device_id"], "pir", told["device_token"])], home)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(fleet.run())
        try:
            yield fleet
        finally:
            running.cancel()


async def at_home(container: Container, client: httpx.AsyncClient) -> tuple[Peripheral, str]:
    """A device that has joined and was reset then: it advertises; and the token that it had."""
    device = fresh(container)
    await client.put("/api/wifi", json=NETWORK)
    begun = await client.post("/provisioning/add", json=WANTED)
    await step(client, begun, "waiting_for_handshake")
    async with living(device):
        await step(client, begun, "done")
    return device, payload(device)["device_token"]


async def enters(container: Container, token: str) -> bool:
    """Whether the broker takes it as the device's password."""
    return await accepts("127.0.0.1", container.settings().mqtt_port, Login(user="a1b2c3", password=token))


async def is_let_in(client: httpx.AsyncClient, token: str) -> bool:
    """Whether HTTP takes it."""
    headers = {"X-Device-Token": token}
    answer = await client.post("/api/device/state", json={"state": {"motion": True}}, headers=headers)
    assert answer.status_code in {202, 401}
    return answer.status_code == 202


async def test_it_keeps_all_but_its_token_and_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    async with station(tmp_path / "data", *ports) as container, people(ports[0]) as client:
        device, former = await at_home(container, client)
        [before] = (await client.get("/api/devices")).json()
        device.trouble = Trouble.REFUSES
        failed = await step(client, await client.post("/provisioning/add", json={**AGAIN, "again": True}), "failed")
        assert failed["code"] == "write_refused"
        assert [await enters(container, former), await is_let_in(client, former)] == [True, True]

        device.trouble = Trouble.NONE
        begun = await client.post("/provisioning/add", json={**AGAIN, "again": True})
        await step(client, begun, "waiting_for_handshake")
        following = payload(device)["device_token"]
        assert following != former
        assert [await enters(container, token) for token in (former, following)] == [False, True]
        assert [await is_let_in(client, token) for token in (former, following)] == [True, True]
        async with living(device):
            done = await step(client, begun, "done", "failed")
        assert done["step"] == "done"
        assert [await enters(container, token) for token in (former, following)] == [False, True]
        assert [await is_let_in(client, token) for token in (former, following)] == [False, True]
        [after] = (await client.get("/api/devices")).json()
        activities = (await client.get(f"/api/devices/{before['id']}/events")).json()["items"]

    assert [after[key] for key in ("id", "name", "createdAt")] == [before[key] for key in ("id", "name", "createdAt")]
    assert activities


async def test_who_is_still_connected_with_the_former_token_is_cut_by_the_write(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    async with station(tmp_path / "data", *ports) as container, people(ports[0]) as client:
        device, _ = await at_home(container, client)
        async with living(device) as impostor:
            await impostor.until_all(Phase.OPERATIONAL)
            begun = await client.post("/provisioning/add", json={**AGAIN, "again": True})
            await step(client, begun, "waiting_for_handshake")
            async with asyncio.timeout(10):
                await impostor["a1b2c3"].until(lambda one: one.phase is not Phase.OPERATIONAL)


@pytest.mark.parametrize("known", [True, False], ids=["kept", "lost"])
async def test_what_was_written_before_a_power_cut_still_joins(tmp_path: Path, known: bool) -> None:  # noqa: FBT001
    ports = free_port(), free_port()
    async with station(tmp_path / "data", *ports) as container, people(ports[0]) as client:
        device, former = await at_home(container, client)
        store = container.device_store()

        async def gone(*_: object) -> None:
            raise StoreUnavailable

        def cut(_: bytes) -> None:
            store.set_successor = gone  # type: ignore[method-assign,assignment]  # the station gets no further

        device.took = None if known else cut
        begun = await client.post("/provisioning/add", json={**AGAIN, "again": True})
        await step(client, begun, "waiting_for_handshake" if known else "written")
    async with station(tmp_path / "data", *ports) as container, people(ports[0], first=False) as client:
        following = payload(device)["device_token"]
        assert [await is_let_in(client, token) for token in (former, following)] == [True, True]
        async with living(device) as fleet:
            async with asyncio.timeout(20):
                await fleet.until_all(Phase.OPERATIONAL)
                while await is_let_in(client, former):
                    await asyncio.sleep(0.02)

        assert await enters(container, following)
