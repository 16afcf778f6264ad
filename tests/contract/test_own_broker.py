"""The station's own Mosquitto, as hostile devices meet it: proven by what is delivered."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from station_core.devices.credentials import Account

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

from tests.contract.broker_park import DOOR, LAMP, STATION, Park, received, running, tried


@pytest.fixture
async def park(tmp_path: Path) -> AsyncIterator[Park]:
    park = Park(tmp_path)
    async with running(park.broker):
        await park.broker.admit(park.accounts)
        yield park


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
