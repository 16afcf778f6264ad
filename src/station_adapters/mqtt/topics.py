"""Which topics there are (docs/protocols.md §1); no I/O."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from station_core.errors import ExternalIdInvalid, Malformed
from station_core.values import external_id as checked_id

ROUTES_KEPT: Final = 10_000  # topics whose parsing is remembered; more devices than a building has


class Suffix(StrEnum):
    """What a device says."""

    HANDSHAKE = "handshake"
    STATE = "state"
    EVENT = "event"
    HEARTBEAT = "heartbeat"


SUBSCRIPTIONS: Final = tuple(f"station/+/device/+/{suffix}" for suffix in Suffix)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message comes from and what it is; *check* is the topic's CRC-32."""

    station_id: str
    external_id: str
    suffix: Suffix
    check: int


class Routes(dict[bytes, Route]):
    """Each topic's route, parsed but once; raise `Malformed` for one that isn't ours or whose ids nobody may bear."""

    def __missing__(self, topic: bytes) -> Route:
        route = parse(topic)
        if len(self) >= ROUTES_KEPT:
            self.clear()
        self[topic] = route
        return route


def parse(topic: bytes) -> Route:
    """As `Routes`."""
    try:
        levels = topic.decode().split("/")
    except UnicodeDecodeError:
        raise Malformed("The topic isn't UTF-8.") from None
    if len(levels) != 5 or levels[0] != "station" or levels[2] != "device":  # station/{id}/device/{id}/{suffix}
        raise Malformed("The topic isn't one of a device.")
    try:
        return Route(checked_id(levels[1]), checked_id(levels[3]), Suffix(levels[4]), zlib.crc32(topic))
    except ExternalIdInvalid:
        raise
    except ValueError:
        raise Malformed("The topic's last level isn't one of a device.") from None


def said(station_id: str, external_id: str) -> list[str]:
    """All topics that a device says something on."""
    suffixes = (*Suffix, "command/ack")
    return [f"station/{station_id}/device/{external_id}/{suffix}" for suffix in suffixes]


def handshake_ack(station_id: str, external_id: str) -> str:
    """Where a device listens for the answer to its handshake."""
    return f"station/{station_id}/device/{external_id}/handshake/ack"


def command(station_id: str, external_id: str) -> str:
    """Where a device listens for commands."""
    return f"station/{station_id}/device/{external_id}/command"
