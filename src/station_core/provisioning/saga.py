from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from station_core.devices.events import DeviceDeleted, DeviceHandshakeReceived
from station_core.errors import Conflict, DeviceUnknown, StoreFull, Unavailable
from station_core.provisioning.errors import NoHandshake, NotInRange, WifiNotConfigured
from station_core.provisioning.events import CandidateSeen
from station_core.provisioning.model import Step, payload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.clock import Clock
    from station_core.devices.household import Household
    from station_core.devices.succession import Succession
    from station_core.events import Event, EventBus, Subscription
    from station_core.provisioning.lookout import Lookout
    from station_core.provisioning.model import Attempt, Candidate, Whereabouts, Wifi
    from station_core.provisioning.ports import BleTransport, ProvisioningStore

E = TypeVar("E", bound="Event")

FOUND_WITHIN: Final = 15.0  # seconds in which a device that isn't in sight has to show up
HANDSHAKE_WITHIN: Final = 120.0  # seconds from the write to the handshake: a reboot, Wi-Fi, DHCP, mDNS, MQTT
RETRY_AFTER: Final = 2.0  # seconds, while the store can't be told the end
HANDSHAKES_BOUND: Final = 10_000  # that wait to be looked at


class Saga:
    """
    The steps from a device in radio range to one of the household's, and the way back.

    The reservation is kept before anything else is, and released last: whatever ends the station in between, the next
    start finds it.
    """

    def __init__(
        self,
        *,
        radio: BleTransport,
        store: ProvisioningStore,
        lookout: Lookout,
        household: Household,
        succession: Succession,
        bus: EventBus,
        clock: Clock,
        whereabouts: Whereabouts,
    ) -> None:
        self._radio = radio
        self._store = store
        self._lookout = lookout
        self._household = household
        self._succession = succession
        self._bus = bus
        self._clock = clock
        self._whereabouts = whereabouts
        self._air = asyncio.Lock()

    async def lead(self, attempt: Attempt, device_id: str, at: Callable[[Step], None]) -> None:
        """
        Bring it home under this id; *at* hears of each step.

        Raise a `ProvisioningFailed`, or what radio, store and household raise; `withdraw` has to follow then.
        """
        with self._bus.subscribe(DeviceHandshakeReceived, DeviceDeleted, bound=HANDSHAKES_BOUND) as news:
            self._lookout.take(attempt)  # the radio knows how to reach whom it has just heard
            try:
                await self._bring(attempt, device_id, at)
            finally:
                self._lookout.give_back(attempt)
            at(Step.WRITTEN)
            at(Step.WAITING)
            await self._joined(news, device_id)
        await self._patiently(lambda: self._store.release(device_id))

    async def lead_again(self, attempt: Attempt, device_id: str, at: Callable[[Step], None]) -> None:
        """
        Bring a device of the household home again, under its next token; *at* hears of each step.

        Raise as `lead`, or `Conflict` when its credentials were changed meanwhile; `settle` has to follow then.
        """
        self._lookout.take(attempt)
        try:
            candidate, wifi = await self._in_reach(attempt, at)
            token = await self._succession.begin(device_id)
            await self._write(attempt, candidate, wifi, token, at)
        finally:
            self._lookout.give_back(attempt)
        at(Step.WRITTEN)
        # Only what is told from now on can come from what was written.
        with self._bus.subscribe(DeviceHandshakeReceived, DeviceDeleted, bound=HANDSHAKES_BOUND) as news:
            await self._patiently(lambda: self._succession.written(device_id, by=attempt.by))
            at(Step.WAITING)
            await self._joined(news, device_id)
        await self._patiently(lambda: self._succession.proven(device_id))

    async def settle(self, attempt: Attempt, device_id: str, *, written: bool) -> None:
        """
        What a device bears after it wasn't brought home again: what it had, unless that was overwritten.

        The next token then stays beside the former until the device proves it, be it a year later.
        """
        if not written:
            await self._patiently(lambda: self._succession.withdraw(device_id))
            return
        with suppress(Conflict):  # it has proven it in this moment, or was revoked
            await self._patiently(lambda: self._succession.written(device_id, by=attempt.by))

    async def see_to_again(self, device_id: str) -> None:
        """A next token of a former run, of which nobody knows whether it was written: it's tried out."""
        with self._bus.subscribe(DeviceHandshakeReceived, DeviceDeleted, bound=HANDSHAKES_BOUND) as news:
            tried = await self._succession.try_out(device_id)
            try:
                await self._joined(news, device_id)
            except NoHandshake:
                await self._patiently(lambda: self._succession.withdraw(device_id, tried=tried))
            else:
                await self._patiently(lambda: self._succession.proven(device_id))

    async def watch(self) -> None:
        """Whatever a device proves by its handshake, whenever that comes, is its token; until cancelled."""
        with self._bus.subscribe(DeviceHandshakeReceived, bound=HANDSHAKES_BOUND) as news:
            async for event in news:
                await self._patiently(partial(self._succession.proven, event.device_id))

    async def withdraw(self, device_id: str, external_id: str | None = None) -> None:
        """
        Take back what was reserved; returns when the store has it so, however long that takes.

        Without an *external_id* it's of a former run: memory knows it if the store does.
        """
        await self._patiently(lambda: self._household.take_back(device_id, external_id))
        await self._patiently(lambda: self._store.release(device_id))

    async def see_to(self, device_id: str) -> None:
        """A reservation of a former run: the device has its time to join, from now on, and is withdrawn after."""
        try:
            with self._bus.subscribe(DeviceHandshakeReceived, DeviceDeleted, bound=HANDSHAKES_BOUND) as news:
                if not self._has_spoken(device_id):
                    await self._joined(news, device_id)
        except NoHandshake:
            await self.withdraw(device_id)
        else:
            await self._patiently(lambda: self._store.release(device_id))

    async def _bring(self, attempt: Attempt, device_id: str, at: Callable[[Step], None]) -> None:
        candidate, wifi = await self._in_reach(attempt, at)
        await self._store.reserve(device_id)
        _, token = await self._household.add(
            external_id=attempt.external_id,
            name=attempt.name,
            type_id=candidate.device_type,
            zone_id=attempt.zone_id,
            device_id=device_id,
            by=attempt.by,
        )
        await self._write(attempt, candidate, wifi, token, at)

    async def _in_reach(self, attempt: Attempt, at: Callable[[Step], None]) -> tuple[Candidate, Wifi]:
        candidate = await self._found(attempt.external_id)
        at(Step.FOUND)
        wifi = await self._store.wifi()
        if wifi is None:
            raise WifiNotConfigured
        return candidate, wifi

    async def _write(
        self, attempt: Attempt, candidate: Candidate, wifi: Wifi, token: str, at: Callable[[Step], None]
    ) -> None:
        told = payload(wifi, self._whereabouts, external_id=attempt.external_id, token=token)
        async with self._air:
            at(Step.CONNECTING)
            await self._radio.write(candidate.address, told, connected=lambda: at(Step.CONNECTED))

    async def _found(self, external_id: str) -> Candidate:
        with self._bus.subscribe(CandidateSeen, bound=HANDSHAKES_BOUND) as news:
            with suppress(NotInRange):
                return self._lookout.candidates.find(external_id)
            if not await self._told(news, lambda event: event.candidate.external_id == external_id, FOUND_WITHIN):
                raise NotInRange
        return self._lookout.candidates.find(external_id)

    async def _joined(self, news: Subscription[Any], device_id: str) -> None:
        told = await self._told(news, lambda event: event.device_id == device_id, HANDSHAKE_WITHIN)
        if not told or not self._has_spoken(device_id):
            raise NoHandshake

    def _has_spoken(self, device_id: str) -> bool:
        try:
            return self._household.device(device_id).last_heartbeat_at is not None
        except DeviceUnknown:
            return False

    async def _told(self, news: Subscription[E], matches: Callable[[E], bool], seconds: float) -> bool:
        """Whether an event that matches is told in this time."""

        async def close() -> None:
            await self._clock.sleep(seconds)
            news.close()

        async with asyncio.TaskGroup() as group:
            patience = group.create_task(close())
            found = await _any(news, matches)
            patience.cancel()
        return found

    async def _patiently(self, wanted: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await wanted()
            except (Unavailable, StoreFull):
                await self._clock.sleep(RETRY_AFTER)
            else:
                return


async def _any(news: Subscription[E], matches: Callable[[E], bool]) -> bool:
    async for event in news:
        if matches(event):
            return True
    return False
