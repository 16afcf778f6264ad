from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.cloud.model import CloudConfig, Standing


class CloudStore(Protocol):
    """
    What of the cloud outlives a power cut: who may claim the station, and who has; secrets are in clear in no table.

    Every method is atomic: after it returns, its effect survives a power cut; when it raises, or is cancelled before
    its effect is certain, nothing of it is visible. All raise `StoreUnavailable` and `StoreFull`.
    """

    async def load(self, *, fresh_secret: str) -> Standing:
        """
        What is kept; *fresh_secret* becomes the claim secret when there is none that can be unsealed.

        Of several at once one wins, and all are told its secret. A token that can't be unsealed any more isn't there.
        """
        ...

    async def claim(self, config: CloudConfig, *, claim_secret: str) -> None:
        """Keep who claimed the station by *claim_secret*; raise `Stale` when that isn't the claim secret any more."""
        ...

    async def forget(self) -> None:
        """Wipe who has claimed it, and what waits to go up to the cloud; the claim secret stays; again is no error."""
        ...

    async def unclaim(self, *, fresh_secret: str) -> None:
        """Wipe the same, and make *fresh_secret* the claim secret in place of the former one."""
        ...

    async def begin_reset(self, devices: Sequence[str]) -> None:
        """Wipe what `forget` does, and remember which devices have yet to be told, beside those of an earlier reset."""
        ...

    async def end_reset(self) -> None:
        """All devices were told; again is no error."""
        ...
