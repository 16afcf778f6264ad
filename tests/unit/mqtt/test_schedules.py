"""The schedules that tests/contract/test_schedules.py replays over a real broker, over the scripted one."""

from __future__ import annotations

import pytest

from tests.unit.mqtt.schedules import schedule
from tests.unit.mqtt.test_redelivery import UNDER_WAY, Redelivery


@pytest.mark.parametrize("seed", range(60))
def test_each_schedule_has_its_effect_once(seed: int) -> None:
    machine = Redelivery()
    try:
        machine.move_in()
        for step in schedule(seed):
            if step.says and len(machine.broker.queue) >= UNDER_WAY:
                machine.do(machine.come_to_rest())
            getattr(machine, step.name)(**step.arguments)
            machine.nobody_is_wronged()
            machine.the_feed_tells_each_event_once_and_in_order()
    finally:
        machine.teardown()
