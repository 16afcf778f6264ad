"""A day of a home in a moment: the climate is told each minute, and in the evening the lamp follows who comes by."""

import asyncio
from collections.abc import Mapping

from station_adapters.memory.home import MemoryPorts
from station_core.audit.model import SYSTEM
from station_core.devices.events import DeviceStateTransition
from station_core.home import Home
from station_core.values import Value

HOUR = 3600.0


class Wires:
    """A link of our own: the lamp hangs on it, and does what it's told."""

    home: Home

    async def send(self, station_id: str, external_id: str, command: Mapping[str, Value]) -> None:
        self.home.devices.report_state(external_id, {"on": command["action"] == "turn_on"})

    def answer_handshake(self, station_id: str, external_id: str, *, known: bool) -> None:
        pass  # nobody introduces himself here

    async def clear(self, station_id: str, external_id: str) -> None:
        pass  # nothing is retained here


async def each_minute(home: Home) -> None:
    minute = 0
    while True:
        warmth = 18 + 6 * min(minute, 1440 - minute) / 720  # coldest at midnight
        home.devices.report_state("climate-1", {"temperature": round(warmth, 2)})
        home.devices.heartbeat("lamp-1")
        home.devices.heartbeat("pir-1")
        await home.clock.sleep(60)
        minute += 1


async def family(home: Home) -> None:
    for hour in (7.5, 18.25, 22.0):  # somebody comes by the hall, for ten minutes each time
        await home.clock.sleep(hour * HOUR - home.clock.monotonic())
        home.devices.report_state("pir-1", {"motion": True})
        await home.clock.sleep(600)
        home.devices.report_state("pir-1", {"motion": False})


async def evening_light(home: Home, lamp_id: str) -> None:
    async for event in home.bus.subscribe(DeviceStateTransition, bound=100):
        print(f"{event.timestamp:%H:%M} {event.device_name}: {event.capability_key} {event.new_value}")
        if event.capability_key == "motion" and event.timestamp.hour >= 17:
            action = "turn_on" if event.new_value else "turn_off"
            await home.commands.send(lamp_id, {"action": action}, actor=SYSTEM)


async def a_day() -> None:
    ports, wires = MemoryPorts(), Wires()
    async with ports.running(link=wires) as home, asyncio.TaskGroup() as group:
        wires.home = home
        lamp, _ = await home.household.add(external_id="lamp-1", name="Lamp", type_id="light")
        await home.household.add(external_id="pir-1", name="Hall", type_id="pir")
        await home.household.add(external_id="climate-1", name="Climate", type_id="climate")
        home.devices.report_state("lamp-1", {"on": False})
        home.devices.report_state("pir-1", {"motion": False})
        lives = [group.create_task(life) for life in (each_minute(home), family(home), evening_light(home, lamp.id))]

        await ports.clock.advance(24 * HOUR)

        print({device.name: dict(device.state) for device in home.household.devices()})
        print(f"{ports.clock.now():%d %B, %H:%M}")
        for life in lives:
            life.cancel()


asyncio.run(a_day())
