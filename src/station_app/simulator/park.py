"""
Which devices a simulation has: pure, the same seed gives the same ones.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from station_app.simulator.make import Make
from station_app.simulator.models import MODELS, model_of
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS: Final = ("1.4.0", "1.4.2", "1.5.0")
CHIPS: Final = ("esp32", "esp32-c3", "esp32-s3")


def mix_of(text: str) -> dict[str, float]:
    """`climate=3,light` as type → share; nothing is every type alike. Raise `SettingInvalid`."""
    mix: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, given, share = part.partition("=")
        model_of(kind)
        try:
            mix[kind] = float(share) if given else 1.0
        except ValueError:
            raise SettingInvalid(f"The share of {kind} is no number: {share}.") from None
        if not 0 < mix[kind] < float("inf"):
            raise SettingInvalid(f"The share of {kind} has to be above 0.")
    return mix or dict.fromkeys(MODELS, 1.0)


def park(
    count: int,
    *,
    mix: Mapping[str, float],
    seed: int,
    prefix: str = "sim",
    newer: float = 0.5,
    rate: float | None = None,
    qos: int = 1,
) -> list[Make]:
    """So many devices, numbered from 1, types in the shares of *mix*; *newer* is the share of newer firmware."""
    chance = Random(f"{seed}:park")  # noqa: S311  # repeatable on purpose
    kinds = _allotted(count, mix)
    fresh = [n < round(count * newer) for n in range(count)]
    chance.shuffle(kinds)
    chance.shuffle(fresh)
    return [
        Make(
            external_id=f"{prefix}-{n:04}",
            type=kind,
            firmware_version=chance.choice(VERSIONS),
            chip=chance.choice(CHIPS),
            newer=is_newer,
            rate=rate,
            qos=qos,
            seed=seed,
        )
        for n, (kind, is_newer) in enumerate(zip(kinds, fresh, strict=True), 1)
    ]


def _allotted(count: int, mix: Mapping[str, float]) -> list[str]:
    """Whole numbers of each, by largest remainder."""
    total = sum(mix.values())
    exact = {kind: count * share / total for kind, share in mix.items()}
    whole = {kind: int(portion) for kind, portion in exact.items()}
    left = count - sum(whole.values())
    for kind in sorted(exact, key=lambda kind: whole[kind] - exact[kind])[:left]:
        whole[kind] += 1
    return [kind for kind, number in whole.items() for _ in range(number)]
