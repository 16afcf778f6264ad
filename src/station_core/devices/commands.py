from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from station_core.audit.model import Action, ActorKind, Deed
from station_core.devices.events import DeviceCommandSent
from station_core.devices.ports import DeviceChange
from station_core.errors import CommandInvalid, DeviceOffline, Malformed, StationError
from station_core.journal import JOURNAL_BOUND
from station_core.measures import SECONDS, Distribution
from station_core.values import object_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.devices.model import Device
    from station_core.devices.ports import DeviceLink
    from station_core.devices.presence import Presence
    from station_core.devices.registry import Registry
    from station_core.devices.service import DeviceService
    from station_core.journal import Journal
    from station_core.values import Value


log = logging.getLogger("station.devices")

# Whose commands are recorded; what automations and the station itself want is in the activities.
RECORDED: Final = frozenset({ActorKind.USER, ActorKind.INSTALLER, ActorKind.CLOUD, ActorKind.AGENT})


class CommandService:
    """
    Commands to devices.

    They go out also while the store is away; once the journal is at its bound they leave no activity, which is counted
    in `unkept`. `outcomes` tells what became of all that were wanted, "sent" or the error's code; `seconds` how long it
    took until the broker had those that were sent.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        devices: DeviceService,
        presence: Presence,
        link: DeviceLink,
        journal: Journal[DeviceChange],
        clock: Clock,
        randomness: Randomness,
        station_id: str,
    ) -> None:
        self._registry = registry
        self._devices = devices
        self._presence = presence
        self._link = link
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._station_id = station_id
        self._keeps = True
        self.unkept = 0
        self.outcomes: Counter[str] = Counter()
        self.seconds = Distribution(SECONDS)

    async def send(self, device_id: str, command: Mapping[str, Value], *, actor: Actor) -> str:
        """
        Send a flat command (`{"action": "toggle"}`) and return its id once the broker has it.

        Raise `DeviceUnknown`, `CommandInvalid` (the type knows no such action, or not with such parameters),
        `DeviceOffline`, or `BrokerUnavailable`. What was sent is journalled; nobody waits for that.
        """
        began = self._clock.monotonic()
        try:
            command_id = await self._send(device_id, command, actor)
        except StationError as error:
            self.outcomes[error.code] += 1
            raise
        self.outcomes["sent"] += 1
        self.seconds.observe(self._clock.monotonic() - began)
        return command_id

    async def _send(self, device_id: str, command: Mapping[str, Value], actor: Actor) -> str:
        cell = self._registry.known(device_id)
        try:
            object_weight(command)
        except Malformed as error:
            raise CommandInvalid(str(error)) from None
        self._devices.type_of(cell.device).command(command)
        if not self._presence.reachable(cell):
            raise DeviceOffline
        device, command_id = cell.device, self._randomness.uuid()
        wire = {**command, "commandId": command_id} if device.acks else command
        await self._link.send(device.station_id or self._station_id, device.external_id, wire)
        log.debug(
            "command sent",
            extra={"device_id": device.id, "external_id": device.external_id, "command_id": command_id},
        )
        # The device may have reported, or been removed, while the broker took the command.
        present = self._registry.get(device_id)
        device = device if present is None else present.device
        sent = DeviceCommandSent(
            device_id=device.id,
            device_name=device.name,
            device_type=device.type,
            command=command,
            command_id=command_id,
            actor=str(actor),
            timestamp=self._clock.now(),
        )
        self._note(DeviceChange(device, [sent], _deeds(device, sent, actor)))
        return command_id

    def _note(self, change: DeviceChange) -> None:
        kept_before, self._keeps = self._keeps, self._journal.waiting < JOURNAL_BOUND
        if self._keeps:
            self._journal.append(change)
            return
        self.unkept += 1
        if kept_before:
            log.error("the journal is full: commands leave no activity until it has room")


def _deeds(device: Device, sent: DeviceCommandSent, actor: Actor) -> tuple[Deed, ...]:
    """Its parameters aren't told: what a device takes as one may be a secret."""
    if actor.kind not in RECORDED:
        return ()
    deed = Deed(
        actor=actor,
        action=Action.DEVICE_COMMAND,
        subject=device.subject,
        detail={"action": sent.command["action"], "commandId": sent.command_id},
        at=sent.timestamp,
    )
    return (deed,)
