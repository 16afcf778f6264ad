"""
What kinds of virtual device there are: a table; a new kind is one more entry.

It is written from what firmware does (docs/protocols.md §1) and shares nothing with the station's own table of types:
each plays its end of the wire, and tests see where they differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random
    from typing import TypeAlias

    from station_core.values import Value

    State: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What happens of itself: capabilities that have changed or an *action* to tell; *rest* seconds to the next."""

    changes: State = field(default_factory=lambda: MappingProxyType({}))
    action: str | None = None
    rest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """
    One thing that goes on in a device: it first stirs after up to *first* seconds, then as each moment says.

    A *periodic* one is the telling itself, so it's the one whose pace a device's own rate replaces.
    """

    first: float
    live: Callable[[State, Random], Moment]
    periodic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A kind of device: how it leaves the factory, what goes on in it, and what commands change in it."""

    type: str
    state: State
    strands: Sequence[Strand] = ()
    commands: Mapping[str, Callable[[State, State], State | None]] = field(default_factory=lambda: MappingProxyType({}))
    """From (state, parameters) to what changes; None when the parameters are impossible."""


def model_of(kind: str) -> Model:
    """The entry of this type; raise `SettingInvalid` when there is none."""
    if kind not in MODELS:
        raise SettingInvalid(f"There is no virtual device of type {kind}, only {', '.join(MODELS)}.")
    return MODELS[kind]


def strands_of(model: Model, pause: float | None) -> Sequence[Strand]:
    """What goes on in a device of this model; with a *pause* it reports each so many seconds, whatever its type."""
    if pause is None:
        return model.strands
    tells = next((strand.live for strand in model.strands if strand.periodic), _as_it_is)

    def told(state: State, chance: Random) -> Moment:
        return Moment(changes=tells(state, chance).changes, rest=pause)

    return [*(strand for strand in model.strands if not strand.periodic), Strand(first=pause, live=told)]


def _as_it_is(state: State, _: Random) -> Moment:
    return Moment(changes=state, rest=math.inf)


def _weather(state: State, chance: Random) -> Moment:
    """A slow random walk that is drawn back to a pleasant room."""
    return Moment(
        changes={
            "temperature": _drift(state["temperature"], chance, around=21.5, step=0.2, digits=2),
            "humidity": _drift(state["humidity"], chance, around=45.0, step=0.6, digits=1),
            "pressure": _drift(state["pressure"], chance, around=1013.0, step=0.3, digits=1),
        },
        rest=30.0,
    )


def _drift(value: Value, chance: Random, *, around: float, step: float, digits: int) -> float:
    assert isinstance(value, float)
    return round(value + 0.05 * (around - value) + chance.uniform(-step, step), digits)


def _motion(state: State, chance: Random) -> Moment:
    """Somebody comes by, is seen for a few seconds, and is gone for a while."""
    seen = not state["motion"]
    return Moment(changes={"motion": seen}, rest=chance.uniform(3.0, 10.0) if seen else chance.uniform(15.0, 90.0))


def _button(_: State, chance: Random) -> Moment:
    return Moment(action="button_press", rest=chance.uniform(30.0, 120.0))


def _toggle(state: State, _: State) -> State:
    return {"on": not state["on"]}


def _set_brightness(_: State, parameters: State) -> State | None:
    brightness = parameters.get("brightness")
    if not isinstance(brightness, int) or isinstance(brightness, bool) or not 0 <= brightness <= 100:
        return None
    return {"brightness": brightness}


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        model.type: model
        for model in (
            Model(
                type="climate",
                state={"temperature": 21.5, "humidity": 45.0, "pressure": 1013.0},
                strands=[Strand(first=30.0, live=_weather, periodic=True)],
            ),
            Model(type="pir", state={"motion": False}, strands=[Strand(first=30.0, live=_motion)]),
            Model(
                type="switch-pir",
                state={"motion": False, "button": False},
                strands=[Strand(first=30.0, live=_motion), Strand(first=60.0, live=_button)],
            ),
            Model(
                type="light",
                state={"on": False, "brightness": 100},
                commands={
                    "toggle": _toggle,
                    "turn_on": lambda _, __: {"on": True},
                    "turn_off": lambda _, __: {"on": False},
                    "set_brightness": _set_brightness,
                },
            ),
        )
    }
)
