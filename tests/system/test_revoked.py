"""What has lost its credentials is out at once, as the real broker has it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiomqtt
import httpx
import pytest

from tests.system.living import STATION_ID, StationProcess, station_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

ON = '{"state":{"on":true}}'


async def test_two_devices_whose_credentials_are_revoked_are_cut_at_once_and_nobody_else(tmp_path: Path) -> None:
    async with station_in(tmp_path) as station:
        added = {name: await station.add(name) for name in ("lamp", "door", "hall")}

        def client(name: str) -> aiomqtt.Client:
            login = {"username": name, "password": added[name]["deviceToken"], "identifier": name}
            return aiomqtt.Client("127.0.0.1", station.mqtt_port, timeout=5, **login)

        async with client("hall") as hall:
            for name in ("lamp", "door"):
                path = f"/api/devices/{added[name]['id']}/credentials"
                async with cut(client(name)) as device:
                    await device.publish(topic(name), ON, qos=1)
                    assert (await station.call("DELETE", path)).status_code == 204
                    with pytest.raises(aiomqtt.MqttError):
                        await asyncio.wait_for(anext(device.messages), 5)
                with pytest.raises(aiomqtt.MqttError):
                    await client(name).__aenter__()
                assert await status_of_a_report(station, added[name]["deviceToken"]) == 401
            await hall.publish(topic("hall"), ON, qos=1)
            renewed = await station.call("POST", f"/api/devices/{added['lamp']['id']}/credentials")
            added["lamp"]["deviceToken"] = renewed.json()["deviceToken"]
            async with client("lamp"):
                pass
        async with asyncio.timeout(10):
            while [one["lastKnownState"] for one in await listed(station)] != [{"on": True}] * 3:
                await asyncio.sleep(0.02)


async def listed(station: StationProcess) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = (await station.call("GET", "/api/devices")).json()
    return devices


def topic(name: str) -> str:
    return f"station/{STATION_ID}/device/{name}/state"


@asynccontextmanager
async def cut(client: aiomqtt.Client) -> AsyncIterator[aiomqtt.Client]:
    """A client whose connection the broker ends: there is nobody left to say goodbye to."""
    with suppress(aiomqtt.MqttError):
        async with client:
            yield client


async def status_of_a_report(station: StationProcess, token: str) -> int:
    async with httpx.AsyncClient(base_url=station.url) as http:
        answer = await http.post("/api/device/state", json={"state": {"on": False}}, headers={"X-Device-Token": token})
    return answer.status_code
