from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from station_core.audit.model import Deed
    from station_core.cloud.channels import EventChannel
    from station_core.cloud.letters import Rank, Waiting
    from station_core.cloud.model import CloudConfig, Standing
    from station_core.cloud.outbox import Bounds


class CloudStore(Protocol):
    """
    What of the cloud outlives a power cut: who may claim the station, and who has; secrets are in clear in no table.

    Every method is atomic: after it returns, its effect survives a power cut; when it raises, or is cancelled before
    its effect is certain, nothing of it is visible. All raise `StoreUnavailable` and `StoreFull`. `load` comes first.
    What somebody does comes with their *deed*, which is kept or not kept together with it.
    """

    async def load(self, *, fresh_secret: str) -> Standing:
        """
        What is kept; *fresh_secret* becomes the claim secret when there is none that can be unsealed.

        Of several at once one wins, and all are told its secret. Where neither secret nor token of a claim can be
        unsealed, both are left as they are: the standing is `sealed`, without a secret.
        """
        ...

    async def claim(self, config: CloudConfig, *, claim_secret: str, deed: Deed | None = None) -> None:
        """Keep who claimed the station by *claim_secret*; raise `Stale` when that isn't the claim secret any more."""
        ...

    async def forget(self, *, deed: Deed | None = None) -> None:
        """Wipe who has claimed it, and what waits to go up to the cloud; the claim secret stays; again is no error."""
        ...

    async def unclaim(self, *, fresh_secret: str, deed: Deed | None = None) -> None:
        """Wipe the same, and make *fresh_secret* the claim secret in place of the former one."""
        ...

    async def begin_reset(self, devices: Sequence[str], *, deed: Deed | None = None) -> None:
        """Wipe what `forget` does, and remember which devices have yet to be told, beside those of an earlier reset."""
        ...

    async def end_reset(self) -> None:
        """All devices were told; again is no error."""
        ...


class Outbox(Protocol):
    """
    What the cloud has yet to hear, in the order of happening.

    Nobody puts it in here: whoever keeps a change keeps its letter with it, as one, while its channel is active. Of
    states there is the newest of each device. When a cloud claims the station all channels are active and nothing
    waits; when it lets it go none is, and nothing does.

    Every method is atomic: after it returns, its effect survives a power cut; when it raises, or is cancelled before
    its effect is certain, nothing of it is visible. All raise `StoreUnavailable` and `StoreFull`.
    """

    @property
    def active(self) -> frozenset[EventChannel]:
        """The channels that are kept for the cloud; none before `load`, and while nobody has claimed the station."""
        ...

    async def load(self) -> None:
        """Take up what is on record; while nobody has claimed the station nothing waits from now on."""
        ...

    async def activate(self, channels: frozenset[EventChannel]) -> None:
        """
        Keep exactly these from now on, in force before anything is waited for; what waits of the others is dropped.

        What becomes active begins with nothing. While nobody has claimed the station it does nothing.
        """
        ...

    async def head(self) -> int:
        """The `seq` of what has happened last."""
        ...

    async def waiting(self, *, after: tuple[int, str], limit: int, states: bool = True) -> Sequence[Waiting]:
        """The first *limit* of what waits after a place, in order, of active channels and of none; without *states*."""
        ...

    async def delivered(self, letters: Sequence[Waiting]) -> None:
        """These wait no longer; a state stays when there is a newer one by now. Again is no error."""
        ...

    async def cut(self, bounds: Bounds, *, limit: int) -> Mapping[Rank, int]:
        """Drop at most *limit* of what is over the bounds, the lowest rank and its oldest first; return what fell."""
        ...

    async def oldest(self) -> datetime | None:
        """Since when the cloud has missed something; None when it misses nothing."""
        ...
