from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.audit.model import AGENT, STATION, SYSTEM, Action, Deed
from station_core.provisioning.model import Handover

if TYPE_CHECKING:
    from station_core.audit.model import Actor
    from station_core.clock import Clock
    from station_core.provisioning.model import Wifi
    from station_core.provisioning.ports import ProvisioningStore


class Network:
    """
    The home's Wi-Fi: what new devices are told to join, and what the agent shall bring the host into.

    What a person tells is an order to the agent, until the agent tells a network itself. One that it tells before it
    has taken the order is older than the order, and not kept. Raises what the store raises.
    """

    def __init__(self, *, store: ProvisioningStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def wifi(self) -> Wifi | None:
        """What new devices are told; None when nobody has told it yet."""
        return await self._store.wifi()

    async def tell(self, wifi: Wifi, *, by: Actor = SYSTEM) -> Wifi:
        """Somebody tells it; the network as it's known then."""
        async with self._one_at_a_time:
            return await self._keep(replace(wifi, handover=Handover.WANTED), by)

    async def tell_own(self, wifi: Wifi) -> Wifi:
        """The agent tells the network that the host is in; the network as it's known then."""
        async with self._one_at_a_time:
            known = await self._store.wifi()
            if known is not None and known.handover is Handover.WANTED and not known.same_as(wifi):
                return known
            return await self._keep(replace(wifi, handover=Handover.KNOWN), AGENT)

    async def order(self) -> Wifi | None:
        """What the agent shall bring the host into, which it has taken then; None when there's nothing to do."""
        async with self._one_at_a_time:
            known = await self._store.wifi()
            if known is None or known.handover is Handover.KNOWN:
                return None
            if known.handover is Handover.WANTED:
                await self._store.keep_wifi(replace(known, handover=Handover.TAKEN))
            return known

    async def _keep(self, wifi: Wifi, by: Actor) -> Wifi:
        at, detail = self._clock.now(), {"ssid": wifi.ssid}
        deed = Deed(actor=by, action=Action.WIFI_CHANGE, subject=STATION, at=at, detail=detail)
        await self._store.keep_wifi(wifi, deed=deed)
        return wifi
