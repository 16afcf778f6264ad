"""A factory-fresh device becomes one of the household's: a whole station, its own broker, a virtual radio."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import websockets

from station_adapters.ble.virtual import Peripheral, Trouble
from station_app.container import prepared
from station_app.settings import load_settings
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home as MqttHome
from tests.servers.ports import free_port
from tests.system.living import OWNER, StationProcess, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from station_app.container import Container

NETWORK = {"ssid": "canary-network", "password": "canary-password"}
WANTED = {"externalId": "a1b2c3", "name": "Hall"}


@asynccontextmanager
async def station(folder: Path, http_port: int, mqtt_port: int) -> AsyncIterator[Container]:
    """A station in this process, so that its air is in reach."""
    given = {
        "STATION_DATA_DIR": str(folder),
        "STATION_HTTP_HOST": "127.0.0.1",
        "STATION_HTTP_PORT": str(http_port),
        "STATION_MQTT_HOST": "127.0.0.1",
        "STATION_MQTT_PORT": str(mqtt_port),
        "STATION_MQTT_PUBLIC_HOST": "127.0.0.1",
        "STATION_BLE_TRANSPORT": "virtual",
    }
    stop, serving = asyncio.Event(), asyncio.Event()
    with prepared(load_settings(given)) as container:
        async with asyncio.TaskGroup() as group:
            group.create_task(container.station().run(stop, serving))
            try:
                async with asyncio.timeout(30):
                    await serving.wait()
                yield container
            finally:
                stop.set()


@asynccontextmanager
async def people(port: int, *, first: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's client."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        answer = await client.post(f"/api/auth/{'register' if first else 'login'}", json=OWNER)
        client.headers["authorization"] = f"Bearer {answer.json()['accessToken']}"
        yield client


async def step(client: httpx.AsyncClient, begun: httpx.Response, *wanted: str) -> dict[str, Any]:
    """The provisioning, once it has come to one of these steps."""
    async with asyncio.timeout(30):
        while True:
            told: dict[str, Any] = (await client.get(f"/api/device/provisioning/{begun.json()['id']}")).json()
            if told["step"] in wanted:
                return told
            await asyncio.sleep(0.02)


def fresh(container: Container, **more: Any) -> Peripheral:
    """A device in range that waits for a home."""
    data = {container.settings().ble_service_uuid: b"pir:a1b2c3"}
    device = Peripheral(address="F0:00:00:00:00:01", service_data=data, **more)
    container.air().place(device)
    return device


async def test_what_is_written_over_the_air_is_all_a_device_needs_and_nothing_of_it_is_kept_in_clear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="station")
    http_port, mqtt_port = free_port(), free_port()
    data = tmp_path / "data"
    heard: list[str] = []
    async with station(data, http_port, mqtt_port) as container, people(http_port) as client:
        device = fresh(container)
        await client.put("/api/wifi", json=NETWORK)
        async with websockets.connect(f"ws://127.0.0.1:{http_port}/ws", proxy=None) as socket:
            await socket.send(json.dumps({"type": "auth", "token": client.headers["authorization"][7:]}))
            begun = await client.post("/provisioning/add", json=WANTED)
            await step(client, begun, "waiting_for_handshake")
            [payload] = [json.loads(written) for written in device.written]
            home = MqttHome(host=payload["mqtt_host"], port=payload["mqtt_port"], station_id=payload["station_id"])
            fleet = Fleet.of([(payload["device_id"], "pir", payload["device_token"])], home)
            async with asyncio.TaskGroup() as group:
                living = group.create_task(fleet.run())
                done = await step(client, begun, "done", "failed")
                while not heard or '"done"' not in heard[-1]:
                    async with asyncio.timeout(10):
                        heard.append(str(await socket.recv()))
                living.cancel()
        answers = [(await client.get(path)).text for path in ("/api/devices", "/api/wifi", "/api/device-events")]

    assert done["step"] == "done"
    assert (payload["ssid"], payload["password"]) == ("canary-network", "canary-password")
    secrets = [payload["password"], payload["device_token"]]
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert files
    for secret in secrets:
        assert [path.name for path, content in files.items() if secret.encode() in content] == []
        assert secret not in caplog.text
        assert secret not in "".join([*heard, *answers, begun.text, json.dumps(done)])


async def test_a_device_that_hangs_up_leaves_nothing_and_a_retry_works(tmp_path: Path) -> None:
    http_port, mqtt_port = free_port(), free_port()
    async with station(tmp_path / "data", http_port, mqtt_port) as container, people(http_port) as client:
        device = fresh(container, trouble=Trouble.HANGS_UP_DURING)
        await client.put("/api/wifi", json=NETWORK)
        failed = await step(client, await client.post("/provisioning/add", json=WANTED), "failed", "done")
        assert (failed["code"], (await client.get("/api/devices")).json()) == ("link_lost", [])
        device.trouble = Trouble.NONE
        again = await client.post("/provisioning/add", json=WANTED)

        assert (await step(client, again, "waiting_for_handshake", "failed"))["step"] == "waiting_for_handshake"
        await client.delete(f"/api/device/provisioning/{again.json()['id']}")
        await step(client, again, "cancelled")
        await eventually(lambda: container.air().scans == 0)
        assert container.air().links == 0


async def test_what_is_reserved_at_a_power_cut_still_gets_its_time_after_it(tmp_path: Path) -> None:
    http_port, mqtt_port = free_port(), free_port()
    async with station(tmp_path / "data", http_port, mqtt_port) as container, people(http_port) as client:
        device = fresh(container)
        await client.put("/api/wifi", json=NETWORK)
        await step(client, await client.post("/provisioning/add", json=WANTED), "waiting_for_handshake")
    payload = json.loads(device.written[0])
    async with station(tmp_path / "data", http_port, mqtt_port) as container, people(http_port, first=False) as client:
        store = container.provisioning_store()
        assert len(await store.reserved()) == 1
        home = MqttHome(host=payload["mqtt_host"], port=payload["mqtt_port"], station_id=payload["station_id"])
        fleet = Fleet.of([("a1b2c3", "pir", payload["device_token"])], home)
        async with asyncio.TaskGroup() as group:
            living = group.create_task(fleet.run())
            async with asyncio.timeout(20):
                while await store.reserved():
                    await asyncio.sleep(0.02)
            living.cancel()

        assert [found["externalId"] for found in (await client.get("/api/devices")).json()] == ["a1b2c3"]


@pytest.mark.parametrize("transport", ["bleak", "bridge"])
async def test_a_station_without_bluetooth_starts_all_the_same_and_says_so(tmp_path: Path, transport: str) -> None:
    nowhere = f"unix:path={tmp_path}/no-bus"
    given = {"STATION_BLE_TRANSPORT": transport, "DBUS_SYSTEM_BUS_ADDRESS": nowhere}
    station = StationProcess(tmp_path, given)
    await station.start()
    try:
        async with people(station.http_port) as client:
            async with asyncio.timeout(30):
                while "ble" not in (ready := (await client.get("/health/ready")).json())["parts"]:
                    await asyncio.sleep(0.02)
    finally:
        await station.stop()

    assert ready["status"] == "ok"
    assert not ready["parts"]["ble"]["up"]
    assert ready["parts"]["ble"]["detail"]
