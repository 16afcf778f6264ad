from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_core.devices.types import TYPES, CommandType, DeviceType, Effect, Kind, Parameter, unknown_type
from station_core.errors import CommandInvalid

if TYPE_CHECKING:
    from station_core.values import Value

BY_ID = {t.id: t for t in TYPES}
FAN = DeviceType(
    id="fan",
    category="actuator",
    periodic=False,
    commands=(
        CommandType(
            action="blow",
            parameters=(
                Parameter(name="speed", type=Kind.NUMBER, min=0.5),
                Parameter(name="name", type=Kind.STRING, required=False),
                Parameter(name="swing", type=Kind.BOOLEAN, required=False),
                Parameter(name="hours", type=Kind.INTEGER, max=12, required=False),
            ),
        ),
    ),
)


def test_the_table_is_that_of_the_protocol() -> None:
    table = {
        t.id: (
            t.category,
            t.periodic,
            [(c.key, c.type.value, c.unit) for c in t.capabilities],
            [c.action for c in t.commands],
            list(t.events),
        )
        for t in TYPES
    }

    motion = ("motion", "boolean", None)
    assert table == {
        "climate": (
            "sensor",
            True,
            [("temperature", "number", "°C"), ("humidity", "number", "%"), ("pressure", "number", "hPa")],
            [],
            [],
        ),
        "pir": ("sensor", False, [motion], [], ["motion_detected", "motion_cleared"]),
        "switch-pir": (
            "sensor",
            False,
            [motion, ("button", "boolean", None)],
            [],
            ["button_press", "motion_detected", "motion_cleared"],
        ),
        "light": (
            "actuator",
            False,
            [("on", "boolean", None), ("brightness", "number", "%")],
            ["toggle", "turn_on", "turn_off", "set_brightness"],
            ["turned_on", "turned_off"],
        ),
    }


def test_each_derived_event_is_one_of_its_type_and_each_effect_names_a_capability() -> None:
    for kind in TYPES:
        assert set(kind.derived.values()) <= set(kind.events)
        assert all(kind.capability(key) for key, _ in kind.derived)
        effects = [c.effect for c in kind.commands if c.effect]
        assert all(kind.capability(effect.capability) for effect in effects)


def test_a_command_tells_what_it_affects() -> None:
    light = BY_ID["light"]

    assert light.command({"action": "toggle"}).effect == Effect(capability="on")
    assert light.command({"action": "turn_off"}).effect == Effect(capability="on", value=False)
    assert light.command({"action": "set_brightness", "brightness": 0}).effect == Effect(
        capability="brightness", parameter="brightness"
    )


@pytest.mark.parametrize("kind", [*TYPES, unknown_type("odd")], ids=lambda kind: kind.id)
@pytest.mark.parametrize(
    "command",
    [
        {"action": "reboot"},
        {"action": "factory_reset"},
        {"action": "ota_update", "url": "http://box/fw", "version": "2", "firmware_id": "7"},
    ],
    ids=lambda command: command["action"],
)
def test_every_device_obeys_the_built_in_commands(kind: DeviceType, command: dict[str, Value]) -> None:
    assert kind.command(command).action == command["action"]


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"action": None},
        {"action": 1},
        {"action": "explode"},
        {"action": "toggle", "brightness": 1},
        {"action": "set_brightness"},
        {"action": "set_brightness", "brightness": None},
        {"action": "set_brightness", "brightness": True},
        {"action": "set_brightness", "brightness": 75.0},
        {"action": "set_brightness", "brightness": "75"},
        {"action": "set_brightness", "brightness": -1},
        {"action": "set_brightness", "brightness": 101},
        {"action": "ota_update", "url": "http://box/fw", "version": "2"},
        {"action": "reboot", "commandId": "mine"},
    ],
    ids=str,
)
def test_a_command_that_the_type_does_not_know_so_is_invalid(command: dict[str, Value]) -> None:
    with pytest.raises(CommandInvalid):
        BY_ID["light"].command(command)


@pytest.mark.parametrize(
    "command",
    [
        {"action": "blow", "speed": 0.5},
        {"action": "blow", "speed": 3, "name": "", "swing": False, "hours": 12},
    ],
    ids=str,
)
def test_a_type_of_ones_own_may_have_any_kind_of_parameter(command: dict[str, Value]) -> None:
    assert FAN.command(command).effect is None


@pytest.mark.parametrize(
    "wrong", [{"speed": 0.4}, {"speed": False}, {"name": 1}, {"swing": 1}, {"hours": 13}, {"hours": 1.5}], ids=str
)
def test_each_kind_of_parameter_has_its_bounds(wrong: dict[str, Value]) -> None:
    with pytest.raises(CommandInvalid):
        FAN.command({"action": "blow", "speed": 1, **wrong})


def test_a_foreign_parameter_is_named_but_not_at_length() -> None:
    with pytest.raises(CommandInvalid) as raised:
        BY_ID["light"].command({"action": "toggle", "x" * 1_000: 1})

    assert len(str(raised.value)) < 100


def test_what_each_flip_is_called_is_as_in_the_protocol() -> None:
    assert {t.id: dict(t.derived) for t in TYPES} == {
        "climate": {},
        "pir": {("motion", True): "motion_detected", ("motion", False): "motion_cleared"},
        "switch-pir": {("motion", True): "motion_detected", ("motion", False): "motion_cleared"},
        "light": {("on", True): "turned_on", ("on", False): "turned_off"},
    }
