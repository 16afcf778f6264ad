"""The station's own Mosquitto, as hostile devices and a dying station meet it: proven by what is delivered."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiomqtt
import psutil
import pytest

from station_adapters.mosquitto.broker import MosquittoBroker
from station_adapters.mosquitto.files import Listener, Login
from station_core.devices.credentials import Account
from station_core.errors import BrokerUnavailable, LinkDown
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STATION = Login(user="station/s", password="the station's own")
LAMP, DOOR = "lamp", "door"


def write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def broker_in(folder: Path, port: int, *, anonymous: bool = False) -> MosquittoBroker:
    return MosquittoBroker(
        listener=Listener(host="127.0.0.1", port=port, anonymous=anonymous),
        station=STATION,
        folder=folder,
        write=write,
    )


@asynccontextmanager
async def running(broker: MosquittoBroker) -> AsyncIterator[asyncio.Task[None]]:
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(broker.run(ready))
        async with asyncio.timeout(10):
            await ready.wait()
        try:
            yield task
        finally:
            task.cancel()


class Park:
    """A broker with two devices admitted."""

    def __init__(self, folder: Path, *, anonymous: bool = False) -> None:
        self.port = free_port()
        self.folder = folder
        self.broker = broker_in(folder, self.port, anonymous=anonymous)
        self.accounts = [
            Account(external_id=name, digest=self.broker.digest(f"token of {name}")) for name in (LAMP, DOOR)
        ]

    def client(self, user: str | None, password: str | None = None, *, client_id: str | None = None) -> aiomqtt.Client:
        return aiomqtt.Client("127.0.0.1", self.port, username=user, password=password, identifier=client_id, timeout=5)

    def device(self, name: str) -> aiomqtt.Client:
        return self.client(name, f"token of {name}", client_id=name)

    def station(self) -> aiomqtt.Client:
        return self.client(STATION.user, STATION.password, client_id=STATION.user)


@pytest.fixture
async def park(tmp_path: Path) -> AsyncIterator[Park]:
    park = Park(tmp_path)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        yield park


async def tried(client: aiomqtt.Client, topic: str, *, connected: bool = False) -> None:
    """Publish; some versions of Mosquitto end the connection for a topic that isn't allowed, some pass it over."""
    with suppress(aiomqtt.MqttError):
        if connected:
            await client.publish(topic, b"x", qos=1)
        else:
            async with client:
                await client.publish(topic, b"x", qos=1)


async def received(client: aiomqtt.Client, last: str) -> list[str]:
    """The topics that come in until *last*."""
    topics: list[str] = []
    async with asyncio.timeout(5):
        async for message in client.messages:
            topics.append(str(message.topic))
            if topics[-1] == last:
                return topics
    raise AssertionError(topics)


async def test_a_device_speaks_to_the_station_under_its_own_name_only(park: Park) -> None:
    async with park.station() as station:
        await station.subscribe("station/+/device/+/+", qos=1)
        for topic in (
            f"station/s/device/{DOOR}/state",
            f"station/s/device/{DOOR}/heartbeat",
            f"station/s/device/{LAMP}/command",
            f"station/s/device/{LAMP}/handshake/ack",
            f"station/s/device/{DOOR}/command",
            "elsewhere",
            f"station/s/device/{LAMP}/state",
        ):
            await tried(park.device(LAMP), topic)
        topics = await received(station, f"station/s/device/{LAMP}/state")

    assert topics == [f"station/s/device/{LAMP}/state"]


async def test_a_device_hears_what_is_meant_for_it_only(park: Park) -> None:
    async with park.station() as station, park.device(DOOR) as door, park.device(LAMP) as lamp:
        for topic in ("#", "station/#", "station/+/device/+/command", f"station/s/device/{DOOR}/command", "$SYS/#"):
            await lamp.subscribe(topic, qos=1)
        await lamp.subscribe(f"station/s/device/{LAMP}/command", qos=1)
        await door.publish(f"station/s/device/{DOOR}/state", b"x", qos=1)
        await station.publish(f"station/s/device/{DOOR}/command", b"x", qos=1)
        await station.publish(f"station/s/device/{DOOR}/handshake/ack", b"x", qos=1)
        await station.publish(f"station/s/device/{LAMP}/command", b"x", qos=1)
        topics = await received(lamp, f"station/s/device/{LAMP}/command")

    assert set(topics) == {f"station/s/device/{LAMP}/command"}


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (LAMP, "token of door"),
        (LAMP, ""),
        ("nobody", "token of lamp"),
        (STATION.user, "token of lamp"),
        (None, None),
        ("", ""),
    ],
)
async def test_nobody_enters_without_the_password_of_their_name(
    park: Park, user: str | None, password: str | None
) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with park.client(user, password):
            pass


@pytest.mark.parametrize("victim", [STATION.user, DOOR])
async def test_a_device_that_takes_another_s_client_id_throws_nobody_off(park: Park, victim: str) -> None:
    async with park.station() as station, park.device(DOOR) as door:
        await station.subscribe("station/+/device/+/state", qos=1)
        async with park.client(LAMP, "token of lamp", client_id=victim) as lamp:
            await lamp.publish(f"station/s/device/{LAMP}/state", b"x", qos=1)
            await door.publish(f"station/s/device/{DOOR}/state", b"x", qos=1)
            topics = await received(station, f"station/s/device/{DOOR}/state")

    assert topics[-1] == f"station/s/device/{DOOR}/state"


async def test_a_new_device_can_enter_when_it_was_admitted_and_disturbs_nobody(park: Park) -> None:
    async with park.device(LAMP) as lamp:
        newcomer = Account(external_id="new", digest=park.broker.digest("token of new"))
        await park.broker.admit([*park.accounts, newcomer])
        async with park.device("new"):
            await lamp.publish(f"station/s/device/{LAMP}/state", b"x", qos=1)


async def test_a_removed_device_is_cut_and_cannot_come_back(park: Park) -> None:
    async with park.device(DOOR) as door:
        async with park.device(LAMP) as lamp:
            await park.broker.admit([a for a in park.accounts if a.external_id == DOOR])
            with pytest.raises(aiomqtt.MqttError):
                async with asyncio.timeout(5):
                    await anext(lamp.messages)
        await door.publish(f"station/s/device/{DOOR}/state", b"x", qos=1)
        with pytest.raises(aiomqtt.MqttError):
            async with park.device(LAMP):
                pass


async def test_an_id_that_the_password_file_cannot_name_opens_nothing_for_others(park: Park) -> None:
    await park.broker.admit([*park.accounts, Account(external_id=f"{LAMP}:x", digest=park.broker.digest("token of x"))])
    async with park.device(LAMP):
        pass

    with pytest.raises(aiomqtt.MqttError):
        async with park.client(f"{LAMP}:x", "token of x"):
            pass


async def test_files_with_digests_are_for_the_station_alone_and_hold_no_token(park: Park) -> None:
    held = {path.name: path.read_text() for path in park.folder.iterdir() if path.is_file()}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in park.folder.iterdir() if path.is_file()}

    assert modes == {0o600}
    assert not [name for name, text in held.items() if "token of" in text or STATION.password in text]


async def test_older_firmware_without_a_password_enters_only_where_that_is_allowed(tmp_path: Path) -> None:
    park = Park(tmp_path, anonymous=True)
    async with running(park.broker), park.station() as station:
        await park.broker.admit(park.accounts)
        await station.subscribe("station/+/device/+/+", qos=1)
        async with park.client(None, client_id=STATION.user + "x") as old, park.device(LAMP) as lamp:
            await old.publish("station/s/device/old/state", b"x", qos=1)
            await tried(old, "station/s/device/old/command", connected=True)
            await lamp.publish(f"station/s/device/{LAMP}/state", b"x", qos=1)
            topics = await received(station, f"station/s/device/{LAMP}/state")
        with pytest.raises(aiomqtt.MqttError):
            async with park.client(LAMP, "wrong"):
                pass

    assert topics == ["station/s/device/old/state", f"station/s/device/{LAMP}/state"]


async def test_what_it_held_for_the_station_survives_its_restart(tmp_path: Path) -> None:
    park = Park(tmp_path)
    durable = aiomqtt.Client(
        "127.0.0.1",
        park.port,
        username=STATION.user,
        password=STATION.password,
        identifier=STATION.user,
        clean_session=False,
    )
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        async with durable as station:
            await station.subscribe("station/+/device/+/state", qos=1)
        async with park.device(LAMP) as lamp:
            await lamp.publish(f"station/s/device/{LAMP}/state", b"x", qos=1)
    async with running(park.broker), durable as station:
        topics = await received(station, f"station/s/device/{LAMP}/state")

    assert topics == [f"station/s/device/{LAMP}/state"]


async def test_a_broker_that_ends_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    park = Park(tmp_path)
    ready = asyncio.Event()

    async def kill() -> None:
        await ready.wait()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    with pytest.raises(LinkDown):
        await asyncio.wait_for(asyncio.gather(park.broker.run(ready), kill()), 10)

    assert not (tmp_path / "pid").exists()
    with pytest.raises(BrokerUnavailable):
        await park.broker.admit([])


async def test_a_port_that_is_taken_is_told_in_words(tmp_path: Path) -> None:
    park = Park(tmp_path)
    (tmp_path / "second").mkdir()
    async with running(park.broker):
        with pytest.raises(LinkDown, match="Address already in use"):
            await broker_in(tmp_path / "second", park.port).run(asyncio.Event())


LIFE = """
import asyncio, sys
from pathlib import Path
from tests.contract.test_own_broker import broker_in

async def live():
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(broker_in(Path(sys.argv[1]), int(sys.argv[2])).run(ready))
        await ready.wait()
        print("ready", flush=True)

asyncio.run(live())
"""


async def until_ended(broker: MosquittoBroker, ready: asyncio.Event) -> None:
    with pytest.raises(LinkDown):
        await broker.run(ready)


async def test_it_is_gone_when_the_station_is_killed(tmp_path: Path) -> None:
    port = free_port()
    station = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIFE, str(tmp_path), str(port), stdout=subprocess.PIPE
    )
    assert station.stdout is not None
    async with asyncio.timeout(10):
        await station.stdout.readline()
    broker = psutil.Process(int((tmp_path / "pid").read_text()))
    station.kill()
    await station.wait()

    assert await asyncio.to_thread(psutil.wait_procs, [broker], timeout=5) == ([broker], [])


async def test_one_that_was_left_behind_is_ended_before_the_next_starts(tmp_path: Path) -> None:
    park = Park(tmp_path)
    left_behind = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(until_ended(park.broker, left_behind))
        async with asyncio.timeout(10):
            await left_behind.wait()
            async with running(broker_in(tmp_path, park.port)):
                await asyncio.wait([first])

    assert first.done()
