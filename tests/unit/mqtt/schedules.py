"""
Schedules of what devices say and what goes wrong, the same for a scripted broker and for a real one.

The scripted one comes to rest in between whenever it holds as many messages as its machine may.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.unit.mqtt.saga import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEPS: Final = 60
TURNS: Final = 30  # of the loop, at most, that a scripted step is left to itself

SAYING: Final = ("event", "number", "flip", "heartbeat", "will", "handshake")
FAILING: Final = (
    "lose_what_is_sent",
    "lose_acknowledgements",
    "cut",
    "reconnect",
    "kill",
    "store_answers_after",
    "store_goes",
    "store_comes_back",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A rule of the state machine in test_redelivery.py, and its arguments."""

    name: str
    arguments: Mapping[str, Any]

    @property
    def says(self) -> bool:
        """Whether a device says something by it."""
        return self.name in SAYING


def schedule(seed: int) -> list[Step]:
    """The steps of this seed: two thirds of them devices speak, else something fails."""
    chance = random.Random(seed)
    names = [chance.choice(SAYING if chance.random() < 2 / 3 else FAILING) for _ in range(STEPS)]
    return [Step(name, {key: draw(chance) for key, draw in _ARGUMENTS[name].items()}) for name in names]


def _turns(chance: random.Random) -> int:
    return chance.randint(0, TURNS)


def _boolean(chance: random.Random) -> bool:
    return chance.random() < 1 / 2


_SAID: Final[Mapping[str, Callable[[random.Random], Any]]] = {
    "device": lambda chance: chance.choice(DEVICES),
    "turns": _turns,
}
_INTRODUCED: Final = {**_SAID, "session": lambda chance: chance.choice((None, 0, 1, 2, 3))}
_ARGUMENTS: Final[Mapping[str, Mapping[str, Callable[[random.Random], Any]]]] = {
    "event": _SAID,
    "number": _SAID,
    "flip": {**_SAID, "on": _boolean},
    "heartbeat": _INTRODUCED,
    "will": _INTRODUCED,
    "handshake": _INTRODUCED,
    "lose_what_is_sent": {},
    "lose_acknowledgements": {},
    "cut": {"turns": _turns},
    "reconnect": {"turns": _turns},
    "kill": {"store_is_back": _boolean},
    "store_answers_after": {"turns": lambda chance: chance.randint(0, 60)},
    "store_goes": {"mute": _boolean},
    "store_comes_back": {"seconds": lambda chance: chance.randint(0, 3)},
}
