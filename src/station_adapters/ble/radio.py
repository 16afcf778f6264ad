"""The machine's own Bluetooth as the core sees it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from station_adapters.ble.advert import Advertisement, Heard, sighting

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.ble.antenna import Antenna
    from station_core.provisioning.model import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """Where a device takes its settings."""

    address: str
    service_uuid: str
    characteristic_uuid: str


class Radio:
    """
    The `BleTransport` of the machine's own Bluetooth.

    *antenna* is called at the first use, in a thread: bleak takes some tenths of a second to import, in which the start
    and everything else goes on.
    """

    def __init__(self, antenna: Callable[[], Antenna], *, service_uuid: str, characteristic_uuid: str) -> None:
        self._put_up = antenna
        self._antenna: Antenna | None = None
        self._one_at_a_time = asyncio.Lock()
        self._service_uuid = service_uuid.lower()
        self._characteristic_uuid = characteristic_uuid.lower()

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:
        """See `BleTransport`."""
        known = Heard()

        def heard(advertisement: Advertisement) -> None:
            if (found := sighting(known.merged(advertisement), self._service_uuid)) is not None:
                seen(found)

        await (await self._up()).listen(heard, started=started)

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:
        """See `BleTransport`."""
        mailbox = Mailbox(
            address=address, service_uuid=self._service_uuid, characteristic_uuid=self._characteristic_uuid
        )
        await (await self._up()).write(mailbox, payload, connected=connected)

    async def _up(self) -> Antenna:
        async with self._one_at_a_time:
            if self._antenna is None:
                self._antenna = await asyncio.to_thread(self._put_up)
            return self._antenna
