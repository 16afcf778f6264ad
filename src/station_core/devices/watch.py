from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from station_core.devices.events import DeviceDeleted, DeviceStateChanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.audit.model import Actor
    from station_core.clock import Clock
    from station_core.devices.commands import CommandService
    from station_core.devices.registry import Registry
    from station_core.devices.service import DeviceService
    from station_core.devices.types import Effect
    from station_core.events import EventBus, Subscription
    from station_core.values import Value

WATCHERS: Final = 64  # callers who wait at a time; each looks at every report of the house
WAITING_BOUND: Final = 50_000  # events; more than one batch of the journal tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The effect of a command, as the device reported it."""

    capability: str
    value: Value


class CommandWatch:
    """Commands whose effect somebody waits for (docs/protocols.md §4, `applied`)."""

    def __init__(
        self, *, commands: CommandService, registry: Registry, devices: DeviceService, bus: EventBus, clock: Clock
    ) -> None:
        self._commands = commands
        self._registry = registry
        self._devices = devices
        self._bus = bus
        self._clock = clock
        self._watchers = 0

    async def send(
        self, device_id: str, command: Mapping[str, Value], *, actor: Actor, within: float
    ) -> tuple[str, Shown | None]:
        """
        As `CommandService.send`; and the effect, if the device reports it *within* seconds after the broker has it.

        A command without an effect that could be told, and one too many who wants to wait, come back at once.
        """
        cell = self._registry.known(device_id)
        effect = self._devices.type_of(cell.device).command(command).effect
        with self._bus.subscribe(DeviceStateChanged, DeviceDeleted, bound=WAITING_BOUND) as news:
            # As of now: a quick device reports before we hear that the broker has the command.
            before = cell.device.state
            wanted = None if effect is None else _wanted(effect, command, before)
            told = cell.kept.state is before
            command_id = await self._commands.send(device_id, command, actor=actor)
            if self._registry.get(device_id) is None or wanted is None or self._watchers >= WATCHERS:
                return command_id, None
            self._watchers += 1
            try:
                async with asyncio.TaskGroup() as group:
                    patience = group.create_task(self._close(news, within))
                    shown = await _seen(news, device_id, None if told else before, wanted)
                    patience.cancel()
            finally:
                self._watchers -= 1
        return command_id, shown

    async def _close(self, news: Subscription[Any], within: float) -> None:
        await self._clock.sleep(within)
        news.close()


async def _seen(
    news: Subscription[Any],
    device_id: str,
    before: Mapping[str, Value] | None,
    wanted: tuple[str, Value],
) -> Shown | None:
    """
    The wanted value, once the device shows it; None when it is removed, or the news end, before.

    *before* is the state as it was reported last when the command was sent, if that is still to be told: what is told
    up to then counts for nothing.
    """
    capability, value = wanted
    async for event in news:
        if event.device_id != device_id:
            continue
        if isinstance(event, DeviceDeleted):
            return None
        if before is None:
            if _same(shown := event.state.get(capability), value):
                return Shown(capability=capability, value=shown)
        elif event.state is before:
            before = None
    return None


def _wanted(effect: Effect, command: Mapping[str, Value], before: Mapping[str, Value]) -> tuple[str, Value] | None:
    """The capability and its value once the command is applied; None when that can't be told."""
    value = effect.value
    if effect.parameter is not None:
        value = command.get(effect.parameter)
    elif value is None:
        present = before.get(effect.capability)
        value = not present if isinstance(present, bool) else None
    return None if value is None else (effect.capability, value)


def _same(value: Value, wanted: Value) -> bool:
    # To Python, but not to JSON, true is 1.
    return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
