"""Virtual ESP32s over a real Mosquitto, met by a station that a script plays."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiomqtt
import pytest

from station_adapters.mosquitto.broker import MosquittoBroker
from station_adapters.mosquitto.files import Listener, Login
from station_app.simulator.driver import VirtualDevice
from station_app.simulator.firmware import Phase
from station_app.simulator.fleet import Fleet
from station_app.simulator.link import Home
from station_app.simulator.make import Make
from station_app.simulator.models import MODELS
from station_core.devices.credentials import Account
from tests.servers.fault_proxy import FaultProxy
from tests.servers.mosquitto import Mosquitto
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 20  # seconds that anything is waited for
STATION = "st-1"
OK, UNKNOWN = {"status": "ok"}, {"status": "unknown_device"}
LAMP = Make(external_id="lamp-1", type="light")


class ScriptedStation:
    """Answers every handshake by *answer*, keeps what devices say, commands them."""

    def __init__(self, client: aiomqtt.Client, answer: dict[str, str]) -> None:
        self.answer = answer
        self._client = client
        self._heard: list[tuple[str, str, Any]] = []
        self._more = asyncio.Event()

    async def listen(self) -> None:
        async for message in self._client.messages:
            _, _, _, device, suffix = str(message.topic).split("/", 4)
            if suffix == "handshake":
                await self._client.publish(self._topic(device, "handshake/ack"), json.dumps(self.answer))
            assert isinstance(message.payload, bytes)
            self._heard.append((device, suffix, json.loads(message.payload)))
            self._more.set()

    async def command(self, device: str, command: dict[str, Any]) -> None:
        await self._client.publish(self._topic(device, "command"), json.dumps(command), qos=1)

    async def hears(self, device: str, suffix: str, payload: Any) -> None:
        """Return once the device has said this; what was said before it is passed over."""
        while True:
            while self._heard:
                if self._heard.pop(0) == (device, suffix, payload):
                    return
            self._more.clear()
            await self._more.wait()

    @staticmethod
    def _topic(device: str, suffix: str) -> str:
        return f"station/{STATION}/device/{device}/{suffix}"


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with Mosquitto() as broker:
        yield broker


@asynccontextmanager
async def station(broker: Mosquitto, answer: dict[str, str] = OK) -> AsyncIterator[ScriptedStation]:
    async with (
        asyncio.timeout(PATIENCE),
        aiomqtt.Client(broker.host, broker.port) as client,
        asyncio.TaskGroup() as group,
    ):
        await client.subscribe("station/+/device/+/#", qos=1)
        station = ScriptedStation(client, answer)
        listening = group.create_task(station.listen())
        yield station
        listening.cancel()


@asynccontextmanager
async def alive(device: VirtualDevice | Fleet) -> AsyncIterator[asyncio.Task[None]]:
    async with asyncio.TaskGroup() as group:
        life = group.create_task(device.run())
        yield life
        life.cancel()


def home(broker: Mosquitto | FaultProxy) -> Home:
    return Home(host=broker.host, port=broker.port, station_id=STATION)


async def test_a_device_joins_when_the_station_answers_and_says_how_it_is(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, home(broker))
    async with station(broker) as st, alive(lamp):
        await st.hears("lamp-1", "handshake", {"type": "light", "firmwareVersion": "1.4.0", "chip": "esp32"})
        await st.hears("lamp-1", "heartbeat", {"status": "online"})
        await st.hears("lamp-1", "state", {"state": {"on": False, "brightness": 100}})

        assert lamp.phase is Phase.OPERATIONAL


async def test_a_device_obeys_a_command_and_reports(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, home(broker))
    async with station(broker) as st, alive(lamp):
        await lamp.until(lambda lamp: lamp.phase is Phase.OPERATIONAL)
        await st.command("lamp-1", {"action": "toggle"})
        await st.hears("lamp-1", "state", {"state": {"on": True, "brightness": 100}})
        await st.command("lamp-1", {"action": "set_brightness", "brightness": 30})
        await st.hears("lamp-1", "state", {"state": {"on": True, "brightness": 30}})

        assert lamp.firmware.tally.obeyed == 2


async def test_newer_firmware_acknowledges_commands(broker: Mosquitto) -> None:
    lamp = VirtualDevice(Make(external_id="lamp-1", type="light", newer=True), home(broker))
    async with station(broker) as st, alive(lamp):
        await st.hears("lamp-1", "heartbeat", {"status": "online", "session": 1})
        await st.command("lamp-1", {"action": "fly", "commandId": "c-1"})

        await st.hears("lamp-1", "command/ack", {"commandId": "c-1", "status": "rejected", "error": "unknown action"})


async def test_five_unknown_device_answers_make_it_forget_its_owner(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, home(broker))
    async with station(broker, UNKNOWN) as st, alive(lamp) as life:
        for _ in range(4):  # beside the answer to its handshake: it need not wait for its own retries
            await lamp.until(lambda lamp: lamp.phase is Phase.INTRODUCING)
            await st._client.publish(st._topic("lamp-1", "handshake/ack"), json.dumps(UNKNOWN))
        await st.hears("lamp-1", "heartbeat", {"status": "offline"})
        await life

        assert (lamp.phase, lamp.forgot) == (Phase.UNPROVISIONED, "unknown_device")


async def test_the_last_will_comes_when_its_connection_breaks_and_the_device_comes_back(broker: Mosquitto) -> None:
    async with FaultProxy(broker.host, broker.port) as proxy:
        lamp = VirtualDevice(LAMP, home(proxy))
        async with station(broker) as st, alive(lamp):
            await st.hears("lamp-1", "heartbeat", {"status": "online"})
            await proxy.reset()
            await st.hears("lamp-1", "heartbeat", {"status": "offline"})
            await st.hears("lamp-1", "heartbeat", {"status": "online"})

            assert lamp.firmware.tally.disconnections == 1


async def test_a_device_says_good_bye_when_it_is_switched_off(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, home(broker))
    async with station(broker) as st:
        async with alive(lamp):
            await st.hears("lamp-1", "heartbeat", {"status": "online"})
        await st.hears("lamp-1", "heartbeat", {"status": "offline"})

        assert lamp.phase is Phase.OFF


async def test_a_reboot_is_a_new_session(broker: Mosquitto) -> None:
    lamp = VirtualDevice(Make(external_id="lamp-1", type="light", newer=True), home(broker))
    async with station(broker) as st, alive(lamp):
        await st.hears("lamp-1", "heartbeat", {"status": "online", "session": 1})
        await st.command("lamp-1", {"action": "reboot", "commandId": "c-1"})
        await st.hears("lamp-1", "command/ack", {"commandId": "c-1", "status": "ok"})
        await st.hears("lamp-1", "heartbeat", {"status": "offline", "session": 1})

        await st.hears("lamp-1", "heartbeat", {"status": "online", "session": 2})


async def test_devices_come_back_after_the_broker_was_killed(broker: Mosquitto) -> None:
    fleet = Fleet.of([(f"{kind}-1", kind, None) for kind in MODELS], home(broker))
    async with alive(fleet):
        async with station(broker):
            await fleet.until_all(Phase.OPERATIONAL)
        await broker.kill()
        async with asyncio.timeout(PATIENCE):
            await fleet.until_all(Phase.CONNECTING)
        await broker.start()
        async with station(broker):
            await fleet.until_all(Phase.OPERATIONAL)

        assert fleet.tally().disconnections == len(fleet) == 4


async def test_a_broker_that_hangs_is_given_up(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, Home(host=broker.host, port=broker.port, station_id=STATION, keep_alive=1))
    async with alive(lamp):
        async with station(broker):
            await lamp.until(lambda lamp: lamp.phase is Phase.OPERATIONAL)
        broker.pause()
        async with asyncio.timeout(PATIENCE):
            await lamp.until(lambda lamp: lamp.firmware.tally.disconnections == 1)
        broker.resume()


async def test_a_device_that_is_refused_says_why_and_tries_on() -> None:
    async with Mosquitto("allow_anonymous false") as broker:
        lamp = VirtualDevice(LAMP, home(broker))
        async with asyncio.timeout(PATIENCE), alive(lamp):
            await lamp.until(lambda lamp: lamp.trouble is not None)

            assert lamp.phase is Phase.CONNECTING
            assert "return code 5" in str(lamp.trouble)


async def test_switched_off_while_a_dumb_broker_keeps_it_waiting_it_just_ends(broker: Mosquitto) -> None:
    async with FaultProxy(broker.host, broker.port) as proxy:
        proxy.down.swallowing = True
        lamp = VirtualDevice(LAMP, home(proxy))
        async with asyncio.timeout(PATIENCE), alive(lamp):
            while proxy.up.passed == 0:  # noqa: ASYNC110  # a plain counter
                await asyncio.sleep(0.001)

    assert lamp.phase is Phase.OFF
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_stream_may_come_in_any_pieces(broker: Mosquitto) -> None:
    async with FaultProxy(broker.host, broker.port) as proxy:
        proxy.up.slices = proxy.down.slices = 1
        lamp = VirtualDevice(LAMP, home(proxy))
        async with station(broker) as st, alive(lamp):
            await lamp.until(lambda lamp: lamp.phase is Phase.OPERATIONAL)
            await st.command("lamp-1", {"action": "turn_on"})

            await st.hears("lamp-1", "state", {"state": {"on": True, "brightness": 100}})


async def test_a_refused_port_is_tried_until_somebody_listens(broker: Mosquitto) -> None:
    async with FaultProxy(broker.host, broker.port) as proxy:
        await proxy.refuse()
        lamp = VirtualDevice(LAMP, home(proxy))
        async with station(broker), alive(lamp):
            await lamp.until(lambda lamp: lamp.trouble is not None)
            proxy.accept()
            await lamp.until(lambda lamp: lamp.phase is Phase.OPERATIONAL)

            assert (lamp.trouble, proxy.accepted) == (None, 1)


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def test_a_device_shows_its_token_to_the_stations_own_broker(tmp_path: Path) -> None:
    login, ready = Login(user="station/s", password="the station's own"), asyncio.Event()
    listener = Listener(host="127.0.0.1", port=free_port(), anonymous=False)
    own = MosquittoBroker(listener=listener, station=login, folder=tmp_path, write=write)
    there = Home(host=listener.host, port=listener.port, station_id=STATION)
    fleet = Fleet.of([("lamp-1", "light", "right"), ("lamp-2", "light", "wrong")], there)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        running = group.create_task(own.run(ready))
        await ready.wait()
        await own.admit([Account(external_id=device.external_id, digest=own.digest("right")) for device in fleet])
        async with alive(fleet):
            await fleet["lamp-1"].until(lambda lamp: lamp.phase is Phase.INTRODUCING)
            await fleet["lamp-2"].until(lambda lamp: lamp.trouble is not None)
        running.cancel()

    assert "return code 5" in str(fleet["lamp-2"].trouble)


async def test_what_somebody_changes_at_the_device_is_reported(broker: Mosquitto) -> None:
    lamp = VirtualDevice(LAMP, home(broker))
    async with station(broker) as st, alive(lamp):
        await lamp.until(lambda lamp: lamp.phase is Phase.OPERATIONAL)
        lamp.touch({"on": True})

        await st.hears("lamp-1", "state", {"state": {"on": True}})


async def test_all_reports_of_a_busy_fleet_arrive(broker: Mosquitto) -> None:
    fleet = Fleet.of([(f"c-{n}", "climate", None) for n in range(50)], home(broker), tempo=300.0)
    async with station(broker) as st:
        async with alive(fleet):
            await fleet.until_all(Phase.OPERATIONAL)
            for device in fleet:
                await device.until(lambda device: device.firmware.tally.reports >= 3)
        for n in range(50):
            assert fleet[f"c-{n}"].traffic.dropped == 0
        states = 0
        while states < fleet.tally().reports:
            states += sum(suffix == "state" for _, suffix, _ in st._heard)
            st._heard.clear()
            st._more.clear()
            if states < fleet.tally().reports:
                await st._more.wait()

        assert states == fleet.tally().reports
