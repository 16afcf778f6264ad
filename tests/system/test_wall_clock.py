"""A box whose clock is wrong, is set right, and jumps: nobody is logged out, nobody is called offline, all goes on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from station_app.simulator.driver import VirtualDevice
from station_app.simulator.firmware import Phase
from station_app.simulator.link import Home
from station_app.simulator.make import Make
from tests.servers.wall_clock import WallClock
from tests.system.living import OWNER, STATION_ID, station_in

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

EPOCH = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
PRESENT = datetime(2027, 3, 1, 12, tzinfo=UTC)
SUMMER_TIME_ENDS = datetime(2027, 10, 31, 1, tzinfo=UTC)  # in Berlin the hour from two to three comes twice
JUMPS = {
    "57 years later": PRESENT,
    "an hour back": PRESENT - timedelta(hours=1),
    "the end of summer time": SUMMER_TIME_ENDS - timedelta(seconds=1),
    "an hour that comes twice": SUMMER_TIME_ENDS + timedelta(minutes=59, seconds=59),
    "back to 1970": EPOCH,
    "72 years too late": PRESENT.replace(year=2099),
}


async def test_whatever_the_clock_shows_everything_goes_on(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    clock.show(EPOCH)
    environment = {**clock.environment, "TZ": "Europe/Berlin"}
    async with station_in(tmp_path, **environment) as station, asyncio.TaskGroup() as group:
        added = await station.add("lamp")
        token, command = station.token, f"/api/devices/{added['id']}/command?wait=5"
        home = Home(host="127.0.0.1", port=station.mqtt_port, station_id=STATION_ID)
        lamp = VirtualDevice(Make(external_id="lamp", type="light", tempo=0), home, added["deviceToken"])
        living = group.create_task(lamp.run())
        await lamp.until(lambda device: device.phase is Phase.OPERATIONAL)
        while not (await station.device(added["id"]))["lastKnownState"]:  # what it says of itself has come in
            await asyncio.sleep(0.05)
        seen = {}
        async with station.live() as live:
            for name, instant in JUMPS.items():
                clock.show(instant)
                sent = await station.call("POST", command, json={"action": "toggle"})
                told = await live.until("device_state_changed")
                seen[name] = (sent.json()["status"], told["state"]["on"])
        events = await station.events(added["id"])
        await station.stop()
        clock.show(EPOCH)
        await station.start()
        station.token = token
        kept = await station.call("GET", "/api/users/me")
        again = await station.call("POST", "/api/auth/login", json=OWNER)
        living.cancel()

    assert seen == {name: ("applied", n % 2 == 0) for n, name in enumerate(JUMPS)}
    assert (kept.status_code, again.status_code) == (200, 200)
    assert [e["payload"]["status"] for e in events if e["eventType"] == "status_changed"] == ["online"]
    assert [e["createdAt"][:4] for e in events if e["eventType"] == "command_sent"] == [
        str(instant.year) for instant in JUMPS.values()
    ]
