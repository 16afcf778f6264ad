from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.audit.model import Deed
    from station_core.provisioning.model import Sighting, Wifi


class BleTransport(Protocol):
    """
    The way to devices within radio range. One scan and one write at a time; a write may happen during a scan.

    Never raises a vendor's error. With no radio (none fitted, off, no system bus) both methods raise
    `RadioUnavailable`; a radio that appears later is found by the next call. Cancelling either leaves nothing behind:
    no scan runs, no link is open, when the cancelled call has ended.
    """

    async def scan(self, seen: Callable[[Sighting], None], *, started: Callable[[], None]) -> None:
        """
        Scan until cancelled: call *started* once the radio listens, then *seen* for each understood advertisement.

        *seen* is called in the order of reception, on the running loop, and never waits. What isn't a candidate
        (no provisioning service, an id that docs/protocols.md §1 forbids) isn't told. Raise `RadioUnavailable` when
        the scan can't start or has died.
        """
        ...

    async def write(self, address: str, payload: bytes, *, connected: Callable[[], None]) -> None:
        """
        Connect to a device that a scan has seen, write *payload* at once, with response, and let it go.

        *connected* is called when the link stands, at the latest before this returns. Returns once the device has
        confirmed the write. Raise `NotInRange`, `ConnectFailed`, `ServiceMissing` (no such service or characteristic),
        `WriteRefused` (the device's own no), `LinkLost` (it hung up first), or `RadioUnavailable`; after all but the
        last two nothing was written. Ends within 30 s.
        """
        ...


class ProvisioningStore(Protocol):
    """
    What of provisioning must outlive a power cut: which devices are reserved only, and the home's Wi-Fi, sealed.

    Atomic as `DeviceStore`; raises `StoreUnavailable` and `StoreFull` as that does.
    """

    async def reserve(self, device_id: str) -> None:
        """The device with this id, which may not be there yet, is to be withdrawn unless it's released."""
        ...

    async def release(self, device_id: str) -> None:
        """It isn't any more; none is no error."""
        ...

    async def reserved(self) -> Sequence[str]:
        """All ids that are reserved."""
        ...

    async def wifi(self) -> Wifi | None:
        """The home's network; None when nobody has told it yet, or what is kept can't be unsealed any more."""
        ...

    async def keep_wifi(self, wifi: Wifi, *, deed: Deed | None = None) -> None:
        """Keep it, sealed: the password is in clear in no table."""
        ...
