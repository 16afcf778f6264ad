"""A device whose credentials are revoked, or that is removed: a whole station with its own Mosquitto."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from station_adapters.mosquitto.files import Login
from station_adapters.mosquitto.probe import accepts
from tests.servers.ports import free_port
from tests.system.test_provisioning import people, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from station_app.container import Container


@asynccontextmanager
async def lamp(port: int, token: str, station_id: str) -> AsyncIterator[aiomqtt.Client]:
    """Firmware of the kind that retains all that it says, its will too."""
    topic = f"station/{station_id}/device/lamp"
    will = aiomqtt.Will(f"{topic}/heartbeat", b'{"status":"offline"}', qos=1, retain=True)
    client = aiomqtt.Client("127.0.0.1", port, username="lamp", password=token, identifier="lamp", will=will)
    async with client as device:
        hello = b'{"type":"light","firmwareVersion":"1"}'
        for suffix, payload in (("handshake", hello), ("state", b'{"state":{"on":true}}'), ("heartbeat", b"{}")):
            await device.publish(f"{topic}/{suffix}", payload, qos=1, retain=True)
        yield device


async def retained(folder: Path) -> bool:
    """Whether the broker's file, which it writes at its end, holds anything that the lamp said."""
    held = await asyncio.to_thread((folder / "mosquitto" / "held" / "mosquitto.db").read_bytes)
    return b"/device/lamp/" in held


def held_by(container: Container) -> Path:
    return container.settings().data_dir


@pytest.mark.parametrize("how", ["revoked", "removed", "kept"])
async def test_it_is_cut_at_once_and_nothing_of_it_is_retained(tmp_path: Path, how: str) -> None:
    ports = free_port(), free_port()
    async with station(tmp_path / "data", *ports) as container, people(ports[0]) as client:
        station_id = container.keys().station_id
        added = (await client.post("/api/devices", json={"externalId": "lamp", "name": "Lamp", "type": "light"})).json()
        async with asyncio.timeout(20):
            try:
                async with lamp(ports[1], added["deviceToken"], station_id) as device:
                    if how != "kept":
                        path = f"/api/devices/{added['id']}" + ("/credentials" if how == "revoked" else "")
                        assert (await client.delete(path)).status_code == 204
                        await anext(device.messages)
            except aiomqtt.MqttError:
                assert how != "kept"
        let_in = await accepts("127.0.0.1", ports[1], Login(user="lamp", password=added["deviceToken"]))

    assert let_in == (how == "kept")
    assert await retained(held_by(container)) == (how == "kept")
