from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from station_core.devices.watch import Shown


class EffectOut(msgspec.Struct):
    """What a command did: the capability, and the value that the device reports of it now."""

    capability: str
    value: bool | int | float | str


class Sent(msgspec.Struct, rename="camel", omit_defaults=True):
    """What became of a command: the broker has it, or the device has shown its effect."""

    status: Literal["sent", "applied"]
    command_id: str
    effect: EffectOut | None = None
    """With `applied` alone."""


def sent(command_id: str, shown: Shown | None = None) -> Sent:
    """A command that the broker has, and its effect where that was seen."""
    if shown is None:
        return Sent(status="sent", command_id=command_id)
    effect = msgspec.convert(shown, EffectOut, from_attributes=True)
    return Sent(status="applied", command_id=command_id, effect=effect)
