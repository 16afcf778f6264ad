"""What the state machine of test_redelivery.py found, or wouldn't: each as a story."""

from __future__ import annotations

from typing import Final

from station_adapters.memory.clock import settled
from station_core.errors import StoreUnavailable
from tests.unit.mqtt.scripted_broker import ScriptedBroker, Station

EVENT: Final = b"station/s/device/lamp/event"
HEARTBEAT: Final = b"station/s/device/lamp/heartbeat"


async def test_a_message_without_effect_has_none_when_it_comes_again_after_what_followed_on_it() -> None:
    station, broker = Station(), ScriptedBroker()
    await station.start()
    await station.home.household.add(external_id="lamp", name="Lamp", type_id="light")
    broker.connect(station.inbound)
    broker.publish(HEARTBEAT, b'{"status":"offline"}')
    broker.publish(HEARTBEAT, b'{"status":"online"}')
    broker.publish(HEARTBEAT, b'{"status":"online","session":null}')
    broker.publish(HEARTBEAT, b'{"status":"offline","session":null}')
    broker.repeat()
    await settled(50)
    await station.kill()

    told = [item.payload["status"] for item in station.store._feed]
    assert told == ["online", "offline"]
    assert broker.queue == []


async def test_what_a_broker_forgot_is_not_believed_after_a_restart_either() -> None:
    press = b'{"event":"user_event","data":{"action":"press"}}'
    station, broker = Station(), ScriptedBroker()
    await station.start()
    await station.home.household.add(external_id="lamp", name="Lamp", type_id="light")
    broker.connect(station.inbound)
    broker.publish(EVENT, press)
    await settled(50)
    broker.forget()
    broker.connect(station.inbound)
    await settled(50)
    station.store.trouble = StoreUnavailable()
    broker.publish(EVENT, press)
    await settled(50)
    broker.cut()
    await station.kill()
    station.store.trouble = None
    await station.start()
    broker.connect(station.inbound)
    await settled(50)
    await station.kill()

    assert [item.event_type for item in station.store._feed].count("event_received") == 2
    assert broker.queue == []
