"""
What kinds of device there are: a table that describes and never filters (docs/protocols.md §1, "Device types").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from station_core.errors import CommandInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.values import Value


class Kind(StrEnum):
    """The JSON type of a capability or parameter; an integer is a number without a fraction."""

    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Something that a device reports under *key*."""

    key: str
    type: Kind
    unit: str | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """Something that a command carries beside its action."""

    name: str
    type: Kind
    min: float | None = None
    max: float | None = None
    required: bool = True

    def check(self, value: Value) -> None:
        """Raise `CommandInvalid` unless the value is of the type and within the bounds."""
        if not _is_a(self.type, value):
            raise CommandInvalid(f"{self.name} must be of type {self.type.value}.")
        if isinstance(value, int | float) and (
            (self.min is not None and value < self.min) or (self.max is not None and value > self.max)
        ):
            raise CommandInvalid(f"{self.name} must be between {self.min} and {self.max}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The capability that a command changes: to *value*, to the value of *parameter*, or (neither given) it flips."""

    capability: str
    value: Value = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandType:
    """A command that a type of device knows."""

    action: str
    parameters: Sequence[Parameter] = ()
    effect: Effect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceType:
    """
    What is known of a kind of device.

    `derived` names the event that a boolean capability's change stands for: firmware sends only the state.
    """

    id: str
    category: str
    periodic: bool
    capabilities: Sequence[Capability] = ()
    commands: Sequence[CommandType] = ()
    events: Sequence[str] = ()
    derived: Mapping[tuple[str, bool], str] = field(default_factory=lambda: MappingProxyType({}))

    def capability(self, key: str) -> Capability | None:
        """What the table says of *key*."""
        return next((c for c in self.capabilities if c.key == key), None)

    def command(self, command: Mapping[str, Value]) -> CommandType:
        """The command's type, after its parameters were checked; raise `CommandInvalid`."""
        action = command.get("action")
        if not isinstance(action, str):
            raise CommandInvalid("A command has an action, a string.")
        known = next((c for c in (*self.commands, *BUILT_IN) if c.action == action), None)
        if known is None:
            raise CommandInvalid(f"A device of type {self.id} knows no such action.")
        names = {p.name for p in known.parameters}
        if foreign := sorted(set(command) - names - {"action"}):
            raise CommandInvalid(f"{action} takes no {foreign[0][:64]}.")
        for parameter in known.parameters:
            if parameter.name in command:
                parameter.check(command[parameter.name])
            elif parameter.required:
                raise CommandInvalid(f"{action} needs {parameter.name}.")
        return known


def unknown_type(type_id: str) -> DeviceType:
    """A type outside the table: nothing is known of it but the built-in commands."""
    return DeviceType(id=type_id, category="unknown", periodic=False)


_TYPES: Final[Mapping[Kind, type | tuple[type, ...]]] = {
    Kind.NUMBER: (int, float),
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.STRING: str,
}


def _is_a(kind: Kind, value: Value) -> bool:
    # To Python, but not to JSON, a boolean is an integer.
    return isinstance(value, _TYPES[kind]) and isinstance(value, bool) is (kind is Kind.BOOLEAN)


def _text(name: str) -> Parameter:
    return Parameter(name=name, type=Kind.STRING)


BUILT_IN: Final[Sequence[CommandType]] = (
    CommandType(action="reboot"),
    CommandType(action="factory_reset"),
    CommandType(action="ota_update", parameters=(_text("url"), _text("version"), _text("firmware_id"))),
)
"""What every device obeys, whatever its type."""

_MOTION = Capability(key="motion", type=Kind.BOOLEAN)
_MOTION_EVENTS = MappingProxyType({("motion", True): "motion_detected", ("motion", False): "motion_cleared"})
_BRIGHTNESS = Parameter(name="brightness", type=Kind.INTEGER, min=0, max=100)

TYPES: Final[Sequence[DeviceType]] = (
    DeviceType(
        id="climate",
        category="sensor",
        periodic=True,
        capabilities=(
            Capability(key="temperature", type=Kind.NUMBER, unit="°C"),
            Capability(key="humidity", type=Kind.NUMBER, unit="%"),
            Capability(key="pressure", type=Kind.NUMBER, unit="hPa"),
        ),
    ),
    DeviceType(
        id="pir",
        category="sensor",
        periodic=False,
        capabilities=(_MOTION,),
        events=("motion_detected", "motion_cleared"),
        derived=_MOTION_EVENTS,
    ),
    DeviceType(
        id="switch-pir",
        category="sensor",
        periodic=False,
        capabilities=(_MOTION, Capability(key="button", type=Kind.BOOLEAN)),
        events=("button_press", "motion_detected", "motion_cleared"),
        derived=_MOTION_EVENTS,
    ),
    DeviceType(
        id="light",
        category="actuator",
        periodic=False,
        capabilities=(
            Capability(key="on", type=Kind.BOOLEAN),
            Capability(key="brightness", type=Kind.NUMBER, unit="%", min=0, max=100),
        ),
        commands=(
            CommandType(action="toggle", effect=Effect(capability="on")),
            CommandType(action="turn_on", effect=Effect(capability="on", value=True)),
            CommandType(action="turn_off", effect=Effect(capability="on", value=False)),
            CommandType(
                action="set_brightness",
                parameters=(_BRIGHTNESS,),
                effect=Effect(capability="brightness", parameter="brightness"),
            ),
        ),
        events=("turned_on", "turned_off"),
        derived=MappingProxyType({("on", True): "turned_on", ("on", False): "turned_off"}),
    ),
)
"""The types that the station knows from the start (docs/protocols.md §1)."""
