"""A type of device of the operator's own: from station.toml to a valve's commands and events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from tests.system.living import STATION_ID, station_in
from tests.unit.app.test_protocol_tables import PAGE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

TOML = PAGE.partition("```toml\n[[device_types]]")[2].partition("```")[0]
"""As docs/protocols.md §7 prints it."""


async def test_a_valve_is_what_the_settings_say_it_is(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "station.toml").write_text(f"[[device_types]]{TOML}")
    topic = f"station/{STATION_ID}/device/valve-1"
    async with station_in(tmp_path) as station:
        types = {one["id"]: one for one in (await station.call("GET", "/api/device-types")).json()}
        added = await station.add("valve-1", "valve")
        command = f"/api/devices/{added['id']}/command"
        login = {"username": "valve-1", "password": added["deviceToken"], "identifier": "valve-1"}
        async with aiomqtt.Client("127.0.0.1", station.mqtt_port, **login) as valve:
            await valve.subscribe([(f"{topic}/command", 1), (f"{topic}/handshake/ack", 1)])
            await valve.publish(f"{topic}/handshake", json.dumps({"type": "valve", "firmwareVersion": "1"}), qos=1)
            greeted = await heard(valve)
            await valve.publish(f"{topic}/state", '{"state":{"open":false,"flow":0}}', qos=1)
            async with asyncio.TaskGroup() as group:
                flow = group.create_task(
                    station.call("POST", f"{command}?wait=10", json={"action": "set_flow", "flow": 2.5})
                )
                told = await heard(valve)
                await valve.publish(f"{topic}/state", '{"state":{"open":true,"flow":2.5}}', qos=1)
            too_much = await station.call("POST", command, json={"action": "set_flow", "flow": 13})
            unheard_of = await station.call("POST", command, json={"action": "turn_on"})
        await station.stop()
        await station.start()
        again = {one["id"]: one for one in (await station.call("GET", "/api/device-types")).json()}
        told_events = await station.events(added["id"])

    events = [item["payload"] for item in told_events if item["eventType"] == "event_received"]
    assert {"climate", "pir", "switch-pir", "light", "valve"} == set(types)
    assert [one["key"] for one in types["valve"]["capabilities"]] == ["open", "flow"]
    assert types["valve"]["events"] == ["opened", "closed"]
    assert greeted == {"status": "ok"}
    assert told == {"action": "set_flow", "flow": 2.5}
    assert (flow.result().json()["status"], flow.result().json()["effect"]) == (
        "applied",
        {"capability": "flow", "value": 2.5},
    )
    assert [answer.json()["code"] for answer in (too_much, unheard_of)] == ["command_invalid"] * 2
    assert [payload["data"]["action"] for payload in events] == ["opened"]
    assert again == types


async def heard(client: aiomqtt.Client) -> object:
    """What the next message says."""
    async with asyncio.timeout(10):
        message = await anext(client.messages)
    assert isinstance(message.payload, bytes)
    return json.loads(message.payload)
