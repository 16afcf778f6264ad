from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.audit.model import SYSTEM, Action, Deed
from station_core.devices.credentials import Successor
from station_core.errors import Conflict, DeviceUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.audit.model import Actor
    from station_core.clock import Clock
    from station_core.devices.credentials import Keyring
    from station_core.devices.ports import DeviceStore
    from station_core.devices.registry import Registry


class Succession:
    """
    A device's way from one token to the next, which is given to it by radio (docs/protocols.md §2).

    HTTP takes both until the device proves the next one by its handshake. The broker knows one password a device: the
    former until the next was written to the device, and then that one. Store first, then memory, then the door; a
    broker that is away starts with the new list. All raise `StoreUnavailable` or `StoreFull` when it can't be kept now.
    """

    def __init__(self, *, store: DeviceStore, registry: Registry, keyring: Keyring, clock: Clock) -> None:
        self._store = store
        self._registry = registry
        self._keyring = keyring
        self._clock = clock

    async def begin(self, device_id: str) -> str:
        """
        The next token of a device, kept beside its present one; raise `DeviceUnknown`.

        One that was written to it before and never proven is its present one now: it has overwritten the former there.
        """
        async with self._registry.changing:
            device = self._registry.known(device_id).device
            unproven = self._keyring.successor(device_id)
            if unproven is not None and unproven.written:
                await self._store.set_credential(device_id, unproven.credential)
                self._keyring.put(unproven.credential)
            token, credential = self._keyring.issue(device.id, device.external_id)
            successor = Successor(credential=credential)
            await self._store.set_successor(device_id, successor)
            self._keyring.put_beside(successor)
        return token

    async def written(self, device_id: str, *, by: Actor = SYSTEM) -> None:
        """The device has it now; again is no error. Raise `Conflict` when it's to have none any more."""
        async with self._registry.changing:
            successor = self._keyring.successor(device_id)
            if successor is None:
                raise Conflict("The device's credentials were changed meanwhile.")
            if successor.written:
                return
            written = replace(successor, written=True)
            await self._store.set_successor(device_id, written, deed=self._deed(by, device_id))
            self._keyring.put_beside(written)
            await self._keyring.tell_door(device_id)

    async def try_out(self, device_id: str) -> Successor | None:
        """Let the broker take it as if it was written, in this run: nobody knows whether it was."""
        async with self._registry.changing:
            successor = self._keyring.successor(device_id)
            if successor is None:
                return None
            on_trial = replace(successor, on_trial=True)
            self._keyring.put_beside(on_trial)
            await self._keyring.tell_door(device_id)
            return on_trial

    async def proven(self, device_id: str) -> None:
        """The device has spoken with what was written to it: that alone is its token from now on."""
        if self._keyring.successor(device_id) is None:
            return
        async with self._registry.changing:
            successor = self._keyring.successor(device_id)
            if successor is None or not successor.at_the_door:
                return
            with suppress(DeviceUnknown):  # it was removed, and all that it had with it
                # That it was written is on record already, unless only this proves it.
                deed = None if successor.written else self._deed(SYSTEM, device_id)
                await self._store.set_credential(device_id, successor.credential, deed=deed)
                self._keyring.put(successor.credential)

    async def withdraw(self, device_id: str, *, tried: Successor | None = None) -> None:
        """
        It stays with what it has; of nothing to withdraw, or a device that is gone, nothing becomes.

        *tried*: that one alone, and none that came after it.
        """
        async with self._registry.changing:
            successor = self._keyring.successor(device_id)
            if successor is None or (tried is not None and successor != tried):
                return
            with suppress(DeviceUnknown):
                await self._store.set_successor(device_id, None)
            self._keyring.drop_successor(device_id)
            if successor.at_the_door:
                await self._keyring.tell_door(device_id)

    def unwritten(self) -> Sequence[str]:
        """The devices of which it isn't known that they were given what they are to have next."""
        return [one.credential.device_id for one in self._keyring.successors() if not one.written]

    def _deed(self, by: Actor, device_id: str) -> Deed:
        subject = self._registry.known(device_id).device.subject
        return Deed(actor=by, action=Action.CREDENTIALS_RENEW, subject=subject, at=self._clock.now())
