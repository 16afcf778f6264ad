"""Devices and a radio that exist in memory only: for the demo, and for tests of everything above the radio."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from station_adapters.ble.advert import Advertisement, Heard, sighting
from station_core.errors import RadioUnavailable
from station_core.provisioning.errors import ConnectFailed, LinkLost, NotInRange, ServiceMissing, WriteRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from station_core.provisioning.model import Sighting

ADVERTISED_EVERY: Final = 1.0  # seconds
SILENCE: Final = 25.0  # seconds until a device that never answers counts as gone


class Trouble(Enum):
    """What a virtual device does instead of taking its settings."""

    NONE = auto()
    OUT_OF_RANGE = auto()
    TAKES_NO_CONNECTION = auto()
    HAS_NO_SERVICE = auto()
    REFUSES = auto()
    HANGS_UP_BEFORE = auto()
    HANGS_UP_DURING = auto()
    HANGS_UP_AFTER = auto()
    NEVER_ANSWERS = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class Peripheral:
    """A device in virtual range: what it tells, what it does, what it was given; *took* is called with each write."""

    address: str
    name: str | None = None
    service_uuids: tuple[str, ...] = ()
    service_data: Mapping[str, bytes] = field(default_factory=dict)
    rssi: int = -50
    trouble: Trouble = Trouble.NONE
    took: Callable[[bytes], None] | None = None
    written: list[bytes] = field(default_factory=list)

    @property
    def in_range(self) -> bool:
        """Whether a radio hears it now."""
        return self.trouble is not Trouble.OUT_OF_RANGE

    def advertisement(self) -> Advertisement:
        """What it sends now."""
        return Advertisement(
            address=self.address,
            rssi=self.rssi,
            name=self.name,
            service_uuids=self.service_uuids,
            service_data=self.service_data,
        )

    def take(self, payload: bytes) -> None:
        """As its characteristic does."""
        self.written.append(payload)
        if self.took is not None:
            self.took(payload)


class VirtualAir:
    """What is between devices and a radio; it has a radio until `radio_fails`, and again from `radio_works` on."""

    def __init__(self) -> None:
        self._peripherals: dict[str, Peripheral] = {}
        self._listeners: list[Callable[[Advertisement], None]] = []
        self._links: list[Peripheral] = []
        self._failed = asyncio.Event()

    @property
    def scans(self) -> int:
        """How many run."""
        return len(self._listeners)

    @property
    def links(self) -> int:
        """How many are open."""
        return len(self._links)

    @property
    def failed(self) -> asyncio.Event:
        """Set while there is no radio."""
        return self._failed

    def place(self, peripheral: Peripheral) -> None:
        """Bring it here (in place of one of its address); running scans hear it at once."""
        self._peripherals[peripheral.address] = peripheral
        self.advertise(peripheral)

    def remove(self, address: str) -> None:
        """Carry it away."""
        self._peripherals.pop(address, None)

    def advertise(self, peripheral: Peripheral) -> None:
        """Send what it tells once more, now."""
        if peripheral.in_range:
            for listener in tuple(self._listeners):
                listener(peripheral.advertisement())

    def radio_fails(self) -> None:
        """As if the adapter was pulled: scans and links end."""
        self._failed.set()

    def radio_works(self) -> None:
        """As if it was plugged in again."""
        self._failed.clear()

    def in_range(self) -> list[Peripheral]:
        """Whom a radio hears now."""
        return [peripheral for peripheral in self._peripherals.values() if peripheral.in_range]

    @contextlib.contextmanager
    def listening(self, listener: Callable[[Advertisement], None]) -> Iterator[None]:
        """Call *listener* with each advertisement meanwhile."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextlib.contextmanager
    def linked(self, address: str) -> Iterator[Peripheral]:
        """A link to the device, or `NotInRange`, or `ConnectFailed`."""
        peripheral = self._peripherals.get(address)
        if peripheral is None or not peripheral.in_range:
            raise NotInRange
        if peripheral.trouble is Trouble.TAKES_NO_CONNECTION:
            raise ConnectFailed
        self._links.append(peripheral)
        try:
            yield peripheral
        finally:
            self._links.remove(peripheral)


class VirtualRadio:
    """The `BleTransport` of a `VirtualAir`."""

    def __init__(
        self, air: VirtualAir, service_uuid: str, *, every: float = ADVERTISED_EVERY, silence: float = SILENCE
    ) -> None:
        self._air = air
        self._service_uuid = service_uuid.lower()
        self._every = every
        self._silence = silence

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:
        """See `BleTransport`."""
        if self._air.failed.is_set():
            raise RadioUnavailable
        heard = Heard()

        def listener(advertisement: Advertisement) -> None:
            if (found := sighting(heard.merged(advertisement), self._service_uuid)) is not None:
                seen(found)

        started()
        with self._air.listening(listener):
            while True:
                for peripheral in self._air.in_range():
                    listener(peripheral.advertisement())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._air.failed.wait()
                    raise RadioUnavailable

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:
        """See `BleTransport`."""
        if self._air.failed.is_set():
            raise RadioUnavailable
        with self._air.linked(address) as peripheral:
            connected()
            await asyncio.sleep(0)  # a link takes a moment: what was started meanwhile runs
            match peripheral.trouble:
                case Trouble.HAS_NO_SERVICE:
                    raise ServiceMissing
                case Trouble.REFUSES:
                    raise WriteRefused
                case Trouble.HANGS_UP_BEFORE:
                    raise LinkLost
                case Trouble.HANGS_UP_DURING:
                    peripheral.take(payload)
                    raise LinkLost
                case Trouble.NEVER_ANSWERS:
                    peripheral.take(payload)
                    await self._no_answer()
                case _:
                    peripheral.take(payload)

    async def _no_answer(self) -> None:
        try:
            async with asyncio.timeout(self._silence):
                await self._air.failed.wait()
        except TimeoutError:
            raise LinkLost from None
        raise RadioUnavailable
