from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from station_core.devices.events import DeviceCommandSent, DeviceDeleted, DeviceStateChanged

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from station_core.clock import Clock
    from station_core.devices.commands import Actor, CommandService
    from station_core.devices.registry import Registry
    from station_core.devices.service import DeviceService
    from station_core.devices.types import Effect
    from station_core.events import Event, EventBus, Subscription
    from station_core.values import Value

WATCHERS: Final = 64  # callers who wait at a time; each looks at every report of the house
WAITING_BOUND: Final = 50_000  # events; more than one batch of the journal tells


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
    ) -> tuple[str, bool]:
        """
        As `CommandService.send`; and whether the device reports the effect *within* seconds after the broker has it.

        A command without an effect that could be told, and one too many who wants to wait, come back at once.
        """
        kind = self._devices.type_of(self._registry.known(device_id).device)
        effect = kind.command(command).effect
        with self._bus.subscribe(DeviceStateChanged, DeviceCommandSent, DeviceDeleted, bound=WAITING_BOUND) as news:
            command_id = await self._commands.send(device_id, command, actor=actor)
            wanted = None if effect is None else self._wanted(device_id, effect, command)
            if wanted is None or self._watchers >= WATCHERS:
                return command_id, False
            self._watchers += 1
            try:
                return command_id, await _applied(news, self._clock.sleep(within), device_id, command_id, wanted)
            finally:
                self._watchers -= 1

    def _wanted(self, device_id: str, effect: Effect, command: Mapping[str, Value]) -> tuple[str, Value] | None:
        """The capability and its value once the command is applied; None when that can't be told."""
        cell = self._registry.get(device_id)
        if cell is None:
            return None
        value = _value(effect, command, cell.device.state)
        return None if value is None else (effect.capability, value)


async def _applied(
    news: Subscription[Event],
    patience: Coroutine[Any, Any, None],
    device_id: str,
    command_id: str,
    wanted: tuple[str, Value],
) -> bool:
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(_seen(news, device_id, command_id, wanted))
        ran_out = group.create_task(patience)
        await asyncio.wait((seen, ran_out), return_when=asyncio.FIRST_COMPLETED)
        applied = seen.done() and seen.result()
        seen.cancel()
        ran_out.cancel()
    return applied


async def _seen(news: Subscription[Event], device_id: str, command_id: str, wanted: tuple[str, Value]) -> bool:
    """Whether the device comes to show the wanted value, before it is removed."""
    capability, value = wanted
    with_broker = False
    async for event in news:
        match event:
            # The journal keeps order: what is told after this was reported after the broker had the command.
            case DeviceCommandSent(command_id=sent) if sent == command_id:
                with_broker = True
            case DeviceStateChanged(device_id=device, state=state) if with_broker and device == device_id:
                if _same(state.get(capability), value):
                    return True
            case DeviceDeleted(device_id=device) if device == device_id:
                return False
            case _:
                pass
    return False


def _value(effect: Effect, command: Mapping[str, Value], state: Mapping[str, Value]) -> Value:
    if effect.parameter is not None:
        return command.get(effect.parameter)
    if effect.value is not None:
        return effect.value
    before = state.get(effect.capability)
    return not before if isinstance(before, bool) else None


def _same(value: Value, wanted: Value) -> bool:
    # To Python, but not to JSON, true is 1.
    return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
