"""
A station with virtual devices, for somebody who wants to see it before believing it.

Everything is as in a household: the station's own broker, devices with credentials of their own that speak MQTT. What
the demo knows besides, the devices' tokens, lies beside the station's data.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from station_adapters.system.files import private_folder, read_private, write_atomically
from station_app.cli.fresh import FRESH, FreshDevices
from station_app.cli.running import run_station
from station_app.logs import set_up
from station_app.settings import load_settings
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home as MqttHome
from station_core.provisioning.model import Wifi

if TYPE_CHECKING:
    from station_app.container import Container
    from station_app.settings import Settings
    from station_core.home import Home

OF_THE_DEMO: Final = {
    "STATION_LOG_LEVEL": "warning",
    "STATION_BLE_TRANSPORT": "virtual",
    "STATION_MQTT_PUBLIC_HOST": "127.0.0.1",
    "STATION_CLOUD_HOST": "ws://127.0.0.1:3100",
}
"""Settings, as long as the environment says nothing else."""
WIFI: Final = Wifi(ssid="demo", password="demo-network")  # noqa: S106  # of a network that there is not
OWNER: Final = "owner@station.local"
DEVICES: Final = {
    "demo-light": ("light", "Ceiling light"),
    "demo-climate": ("climate", "Living room climate"),
    "demo-pir": ("pir", "Hall motion"),
    "demo-switch": ("switch-pir", "Stairs switch"),
}
"""External id → type and name."""


def demo() -> None:
    """See `station demo --help`."""
    folder = Path(os.environ.get("STATION_DATA_DIR") or ".demo").absolute()
    settings = load_settings({**OF_THE_DEMO, **os.environ, "STATION_DATA_DIR": str(folder)})
    set_up(level=settings.log_level, form=settings.log_format)
    uvloop.run(run_station(settings, _live))
    print("The demo has ended; its data stays in", settings.data_dir, flush=True)


async def _live(container: Container, serving: asyncio.Event, stop: asyncio.Event) -> None:
    """Once the station serves: an owner, devices, and what to try."""
    await serving.wait()
    home, settings = container.home(), container.settings()
    password = await _owner(home)
    tokens = await _devices(home, settings.data_dir / "demo")
    fleet = Fleet.of(
        [(external_id, DEVICES[external_id][0], token) for external_id, token in tokens.items()],
        MqttHome(host="127.0.0.1", port=settings.mqtt_port, station_id=container.keys().station_id),
    )
    await home.provisioning_store.keep_wifi(WIFI)
    fresh = FreshDevices(container.air(), fleet, settings.data_dir / "demo", settings.ble_service_uuid)
    _tell(settings, home, password)
    fresh.wake([device.external_id for device in home.household.devices()])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(fleet.run())
        await stop.wait()
        running.cancel()


async def _owner(home: Home) -> str:
    """The owner with a new password; sessions of earlier starts end."""
    password = secrets.token_urlsafe(12)
    if home.access.registration_open:
        await home.access.register(email=OWNER, password=password, name="Owner")
    else:
        await home.accounts.reset_password(email=OWNER, password=password)
    return password


async def _devices(home: Home, folder: Path) -> dict[str, str]:
    """The demo's devices and their tokens; one whose token is lost is added anew."""
    private_folder(folder)
    path = folder / "tokens.json"
    kept: dict[str, str] = json.loads(read_private(path)) if path.exists() else {}
    present = {device.external_id: device.id for device in home.household.devices()}
    tokens: dict[str, str] = {}
    for external_id, (type_id, name) in DEVICES.items():
        if external_id in present and external_id in kept:
            tokens[external_id] = kept[external_id]
            continue
        if external_id in present:
            await home.household.remove(present[external_id])
        _, tokens[external_id] = await home.household.add(external_id=external_id, name=name, type_id=type_id)
    write_atomically(path, json.dumps(tokens).encode())
    return tokens


def _tell(settings: Settings, home: Home, password: str) -> None:
    light = next(d.id for d in home.household.devices() if d.external_id == "demo-light")
    url = f"http://127.0.0.1:{settings.http_port}"
    cloud = f"{Path(sys.argv[0]).parent / 'station'} simulate cloud --plain"
    print(
        f"""
station runs at {url} with {len(DEVICES)} virtual devices; MQTT on port {settings.mqtt_port}.
Owner: {OWNER}   password of this start: {password}

Log in, list the devices, toggle the light (paste into another terminal):

  TOKEN=$(curl -s {url}/api/auth/login --json '{{"email":"{OWNER}","password":"{password}"}}' | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')
  curl -s {url}/api/devices -H "Authorization: Bearer $TOKEN"
  curl -s "{url}/api/devices/{light}/command?wait=3" -H "Authorization: Bearer $TOKEN" --json '{{"action":"toggle"}}'

Two factory-fresh devices are in (virtual) radio range: {" and ".join(FRESH)}. Give one a home, and see it join:

  curl -s {url}/provisioning/add -H "Authorization: Bearer $TOKEN" --json '{{"externalId":"{next(iter(FRESH))}","name":"Fresh lamp"}}'
  curl -s {url}/api/devices -H "Authorization: Bearer $TOKEN"

Let a stand-in cloud claim the station (within a minute of its start), and see what they say:

  {cloud}

Ctrl-C ends it.
""",  # noqa: E501  # a line to paste is a line
        file=sys.stdout,
        flush=True,
    )
