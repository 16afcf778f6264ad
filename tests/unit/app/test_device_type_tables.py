from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_app.settings import load_settings
from station_core.devices.types import Capability, CommandType, DeviceType, Effect, Kind, Parameter
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from pathlib import Path

VALVE = """
[[device_types]]
id = "valve"
category = "actuator"
periodic = false
events = ["opened", "closed"]
capabilities = [
    { key = "open", type = "boolean" },
    { key = "flow", type = "number", unit = "l/min", min = 0, max = 12.5 },
]
derived = [
    { capability = "open", value = true, event = "opened" },
    { capability = "open", value = false, event = "closed" },
]

[[device_types.commands]]
action = "open"
effect = { capability = "open", value = true }

[[device_types.commands]]
action = "toggle"
effect = { capability = "open" }

[[device_types.commands]]
action = "set_flow"
parameters = [{ name = "flow", type = "number", max = 12.5 }]
effect = { capability = "flow", parameter = "flow" }
"""


def types(folder: Path, text: str) -> tuple[DeviceType, ...]:
    (folder / "station.toml").write_text(text)
    return load_settings({"STATION_DATA_DIR": str(folder)}).device_types


def test_a_type_of_ones_own_is_described_in_the_settings_file(tmp_path: Path) -> None:
    (valve,) = types(tmp_path, VALVE)

    assert valve == DeviceType(
        id="valve",
        category="actuator",
        periodic=False,
        capabilities=(
            Capability(key="open", type=Kind.BOOLEAN),
            Capability(key="flow", type=Kind.NUMBER, unit="l/min", min=0, max=12.5),
        ),
        commands=(
            CommandType(action="open", effect=Effect(capability="open", value=True)),
            CommandType(action="toggle", effect=Effect(capability="open")),
            CommandType(
                action="set_flow",
                parameters=(Parameter(name="flow", type=Kind.NUMBER, max=12.5),),
                effect=Effect(capability="flow", parameter="flow"),
            ),
        ),
        events=("opened", "closed"),
        derived={("open", True): "opened", ("open", False): "closed"},
    )
    assert valve.command({"action": "set_flow", "flow": 3}).action == "set_flow"
    assert valve.command({"action": "reboot"}).action == "reboot"


def test_a_type_may_be_as_small_as_this(tmp_path: Path) -> None:
    (meter,) = types(tmp_path, '[[device_types]]\nid = "meter"\ncategory = "sensor"\nperiodic = true\n')

    assert meter == DeviceType(id="meter", category="sensor", periodic=True)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "valve"', 'id = "light"', "The id light is taken"),
        ('id = "valve"', 'id = "val+ve"', "A type or tag is"),
        ('id = "valve"', "id = 7", r"Expected `str`, got `int` - at `\$.id`"),
        ('id = "valve"', "", "missing required field `id`"),
        ('id = "valve"', 'id = "valve"\ncolour = "red"', "unknown field `colour`"),
        ('category = "actuator"', 'category = "a b"', "A type or tag is"),
        ("periodic = false", "periodic = 0", "Expected `bool`"),
        ("periodic = false", "periodic = 2026-01-01", "Not a JSON value"),
        ('"opened", "closed"', '"opened", "opened"', "The event opened is there twice"),
        ('"opened", "closed"', '"opened"', "closed is derived but isn't in events"),
        ('"opened", "closed"', '"opened", "clo sed"', "A type or tag is"),
        ('key = "flow"', 'key = "open"', "The capability open is there twice"),
        ('key = "flow", type = "number"', 'key = "flow", type = "decimal"', "Invalid enum value 'decimal'"),
        ('key = "open", type = "boolean"', 'key = "open", type = "boolean", min = 1', "open has bounds, but isn't"),
        ("min = 0, max = 12.5", "min = 13, max = 12.5", "flow has a min over its max"),
        ("min = 0, max = 12.5", "min = nan", "A number isn't finite"),
        ("min = 0, max = 12.5", "max = inf", "A number isn't finite"),
        ("min = 0, max = 12.5", "max = 99999999999999999999", "doesn't fit 64 bits"),
        ('action = "toggle"', 'action = "reboot"', "The command reboot is there twice"),
        ('action = "toggle"', 'action = "open"', "The command open is there twice"),
        ('action = "toggle"', 'action = "to/ggle"', "A type or tag is"),
        ('name = "flow", type', 'name = "action", type', "The parameter action is there twice"),
        ('{ capability = "open" }', '{ capability = "flow" }', "toggle can't flip flow"),
        ('{ capability = "open" }', '{ capability = "lid" }', "toggle has an effect on lid, which is no capability"),
        ('parameter = "flow"', 'parameter = "speed"', "an effect by speed, which is no parameter"),
        ('parameter = "flow"', 'parameter = "flow", value = 1', "both a value and a parameter"),
        (
            'capability = "open", value = true }',
            'capability = "open", value = "yes" }',
            "sets open to what isn't a boolean",
        ),
        (
            'capability = "open", value = true }',
            'capability = "flow", value = true }',
            "sets flow to what isn't a number",
        ),
        (
            'capability = "open", value = false, event',
            'capability = "flow", value = false, event',
            "no boolean capability",
        ),
        (
            'capability = "open", value = false, event',
            'capability = "lid", value = false, event',
            "no boolean capability",
        ),
        ("value = false, event", "value = true, event", "Two events are derived from open"),
    ],
)
def test_what_is_wrong_in_a_table_is_told(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in VALVE

    with pytest.raises(SettingInvalid, match=rf"^\[\[device_types\]\], table 1: .*{sentence}"):
        types(tmp_path, VALVE.replace(old, new, 1))


def test_the_wrong_one_of_several_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"table 2: The id valve is taken"):
        types(tmp_path, VALVE + VALVE)


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=r"table 1: Expected `object`"):
        types(tmp_path, "device_types = [1]\n")
