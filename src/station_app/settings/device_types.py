"""Device types of the operator's own: `[[device_types]]` tables, in the shape in which HTTP shows device types."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from station_app.settings.given import raising
from station_core import values
from station_core.devices.types import (
    BUILT_IN,
    TYPES,
    Capability,
    CommandType,
    DeviceType,
    Effect,
    Kind,
    Parameter,
)
from station_core.errors import Malformed, SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_app.settings.given import Report


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Capability(_Strict, frozen=True):
    key: str
    type: Literal["number", "boolean", "string"]
    unit: str | None = None
    min: int | float | None = None
    max: int | float | None = None


class _Parameter(_Strict, frozen=True):
    name: str
    type: Literal["number", "integer", "boolean", "string"]
    min: int | float | None = None
    max: int | float | None = None
    required: bool = True


class _Effect(_Strict, frozen=True):
    capability: str
    value: bool | int | float | str | None = None
    parameter: str | None = None


class _Command(_Strict, frozen=True):
    action: str
    parameters: list[_Parameter] = []
    effect: _Effect | None = None


class _Derived(_Strict, frozen=True):
    capability: str
    value: bool
    event: str


class Table(_Strict, frozen=True):
    """One table of `[[device_types]]`."""

    id: str
    category: str
    periodic: bool
    capabilities: list[_Capability] = []
    commands: list[_Command] = []
    events: list[str] = []
    derived: list[_Derived] = []


def device_types(tables: list[Any], report: Report = raising) -> tuple[DeviceType, ...]:
    """The types that the tables describe; *report* hears of each table that is wrong, and why."""
    found: list[DeviceType] = []
    taken = {known.id for known in TYPES}
    for number, table in enumerate(tables, start=1):
        try:
            values.value_weight(table)
            described = msgspec.convert(table, Table)
            found.append(_checked(described, taken))
        except msgspec.ValidationError as error:
            report(SettingInvalid(f"[[device_types]], table {number}: {error}."))
        except Malformed as error:
            report(SettingInvalid(f"[[device_types]], table {number}: {error}"))
        else:
            taken.add(described.id)
    return tuple(found)


def _checked(table: Table, taken: set[str]) -> DeviceType:
    values.tag(table.id)
    if table.id in taken:
        raise Malformed(f"The id {table.id} is taken.")
    values.tag(table.category)
    for name in table.events:
        values.tag(name)
    _unique("event", table.events)
    _unique("capability", [capability.key for capability in table.capabilities])
    _unique("command", [*(known.action for known in BUILT_IN), *(command.action for command in table.commands)])
    capabilities = {capability.key: _capability(capability) for capability in table.capabilities}
    return DeviceType(
        id=table.id,
        category=table.category,
        periodic=table.periodic,
        capabilities=tuple(capabilities.values()),
        commands=tuple(_command(command, capabilities) for command in table.commands),
        events=tuple(table.events),
        derived=_derived(table, capabilities),
    )


def _capability(table: _Capability) -> Capability:
    values.tag(table.key)
    _bounds(table.key, table)
    return Capability(key=table.key, type=Kind(table.type), unit=table.unit, min=table.min, max=table.max)


def _command(table: _Command, capabilities: dict[str, Capability]) -> CommandType:
    values.tag(table.action)
    _unique("parameter", ["action", *(parameter.name for parameter in table.parameters)])
    parameters = tuple(_parameter(parameter) for parameter in table.parameters)
    effect = None if table.effect is None else _effect(table, table.effect, capabilities)
    return CommandType(action=table.action, parameters=parameters, effect=effect)


def _parameter(table: _Parameter) -> Parameter:
    values.tag(table.name)
    _bounds(table.name, table)
    return Parameter(name=table.name, type=Kind(table.type), min=table.min, max=table.max, required=table.required)


def _effect(command: _Command, effect: _Effect, capabilities: dict[str, Capability]) -> Effect:
    capability = capabilities.get(effect.capability)
    if capability is None:
        raise Malformed(f"{command.action} has an effect on {effect.capability}, which is no capability.")
    if effect.parameter is not None:
        if effect.value is not None:
            raise Malformed(f"{command.action} has an effect with both a value and a parameter.")
        if effect.parameter not in {parameter.name for parameter in command.parameters}:
            raise Malformed(f"{command.action} has an effect by {effect.parameter}, which is no parameter of it.")
    elif effect.value is None:
        if capability.type is not Kind.BOOLEAN:
            raise Malformed(f"{command.action} can't flip {effect.capability}: it isn't boolean.")
    elif not _fits(capability.type, effect.value):
        raise Malformed(f"{command.action} sets {effect.capability} to what isn't a {capability.type}.")
    return Effect(capability=effect.capability, value=effect.value, parameter=effect.parameter)


def _fits(kind: Kind, value: bool | float | str) -> bool:  # noqa: FBT001  # a value, not a switch
    if isinstance(value, bool):
        return kind is Kind.BOOLEAN
    return kind is (Kind.STRING if isinstance(value, str) else Kind.NUMBER)


def _derived(table: Table, capabilities: dict[str, Capability]) -> Mapping[tuple[str, bool], str]:
    derived: dict[tuple[str, bool], str] = {}
    for row in table.derived:
        capability = capabilities.get(row.capability)
        if capability is None or capability.type is not Kind.BOOLEAN:
            raise Malformed(f"{row.event} is derived from {row.capability}, which is no boolean capability.")
        if row.event not in table.events:
            raise Malformed(f"{row.event} is derived but isn't in events.")
        if derived.setdefault((row.capability, row.value), row.event) != row.event:
            raise Malformed(f"Two events are derived from {row.capability}.")
    return MappingProxyType(derived)


def _bounds(name: str, table: _Capability | _Parameter) -> None:
    if table.min is None and table.max is None:
        return
    if table.type not in {"number", "integer"}:
        raise Malformed(f"{name} has bounds, but isn't a number.")
    if table.min is not None and table.max is not None and table.min > table.max:
        raise Malformed(f"{name} has a min over its max.")


def _unique(what: str, names: list[str]) -> None:
    if twice := next((name for index, name in enumerate(names) if name in names[:index]), None):
        raise Malformed(f"The {what} {twice} is there twice.")
