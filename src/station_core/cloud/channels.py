from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.cloud.ports import Outbox

log = logging.getLogger("station.cloud")


class EventChannel(StrEnum):
    """What the cloud can want to hear of, or not (docs/protocols.md §3)."""

    STATE = "state"
    STATUS = "status"
    EVENT = "event"
    COMMAND = "command"
    TRANSITION = "transition"
    LIFECYCLE = "lifecycle"
    AUTOMATION = "automation"


EVERY_CHANNEL: Final = frozenset(EventChannel)
"""What goes up until the cloud has told what it wants."""

METHODS: Final[Mapping[EventChannel, str]] = MappingProxyType(
    {
        EventChannel.STATE: "device.stateChanged",
        EventChannel.STATUS: "device.statusChanged",
        EventChannel.EVENT: "device.eventReceived",
        EventChannel.COMMAND: "device.commandSent",
        EventChannel.TRANSITION: "device.stateTransition",
        EventChannel.LIFECYCLE: "device.deleted",
        EventChannel.AUTOMATION: "automation.runCompleted",
    }
)
"""The notification by which the cloud hears of each."""


class Channels:
    """
    What the cloud wants to hear of, kept over restarts until another cloud claims the station.

    `unknown` counts the names that it told and that are no channel's.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._one_at_a_time = asyncio.Lock()
        self.unknown = 0

    @property
    def active(self) -> frozenset[EventChannel]:
        """What goes up now: nothing while nobody has claimed the station."""
        return self._outbox.active

    async def choose(self, names: Sequence[str]) -> None:
        """
        Let exactly these go up from now on; what waits of the others is dropped.

        A name that is no channel's is ignored and counted. Raise what the store raises: all is as it was then.
        """
        known = {channel.value for channel in EventChannel}
        wanted = frozenset(EventChannel(name) for name in names if name in known)
        unknown = [name for name in names if name not in known]
        if unknown:
            self.unknown += len(unknown)
            log.warning("the cloud names channels that don't exist", extra={"first": unknown[0][:64]})
        async with self._one_at_a_time:
            await self._outbox.activate(wanted)
