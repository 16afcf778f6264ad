from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from station_adapters.memory.audit import Ledger
from station_adapters.memory.outbox import MemoryOutbox
from station_core.cloud.model import Standing
from station_core.errors import Stale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from station_core.audit.model import Deed
    from station_core.cloud.model import CloudConfig
    from station_core.errors import StationError

T = TypeVar("T")


class MemoryCloudStore:
    """A `CloudStore` without a database; `trouble` is what every call raises while it is set."""

    def __init__(self, outbox: MemoryOutbox | None = None, ledger: Ledger | None = None) -> None:
        self._outbox = MemoryOutbox() if outbox is None else outbox
        self.ledger = Ledger() if ledger is None else ledger
        self._kept: Standing | None = None
        self.trouble: StationError | None = None

    async def load(self, *, fresh_secret: str) -> Standing:
        """See `CloudStore`."""

        def load() -> Standing:
            self._kept = self._kept or Standing(claim_secret=fresh_secret)
            return self._kept

        return await self._atomic(load)

    async def claim(self, config: CloudConfig, *, claim_secret: str, deed: Deed | None = None) -> None:
        """See `CloudStore`."""

        def claim() -> None:
            if self._known().claim_secret != claim_secret:
                raise Stale("The station has another claim secret by now.")
            self._kept = replace(self._known(), config=config)
            self._outbox.begin(config.claimed_at)

        await self._atomic(claim, deed)

    async def forget(self, *, deed: Deed | None = None) -> None:
        """See `CloudStore`."""
        await self._atomic(lambda: self._let_go(self._known()), deed)

    async def unclaim(self, *, fresh_secret: str, deed: Deed | None = None) -> None:
        """See `CloudStore`."""
        await self._atomic(lambda: self._let_go(replace(self._known(), claim_secret=fresh_secret, sealed=None)), deed)

    async def begin_reset(self, devices: Sequence[str], *, deed: Deed | None = None) -> None:
        """See `CloudStore`."""

        def begin() -> None:
            known = self._known()
            self._let_go(replace(known, unreset=tuple(dict.fromkeys([*known.unreset, *devices]))))

        await self._atomic(begin, deed)

    async def end_reset(self) -> None:
        """See `CloudStore`."""
        await self._atomic(lambda: self._become(replace(self._known(), unreset=())))

    def lose_key(self) -> None:
        """From the next `load` on it's as if another key had sealed what is kept of a claim."""
        config = self._known().config
        if config is not None:
            self._kept = replace(self._known(), claim_secret="", config=None, sealed=config.claimed_at)

    def _known(self) -> Standing:
        assert self._kept is not None, "A store is loaded first."
        return self._kept

    def _let_go(self, standing: Standing) -> None:
        self._kept = replace(standing, config=None)
        self._outbox.end()

    def _become(self, standing: Standing) -> None:
        self._kept = standing

    async def _atomic(self, effect: Callable[[], T], deed: Deed | None = None) -> T:
        await asyncio.sleep(0)  # a store is never reached without waiting
        if self.trouble is not None:
            raise self.trouble
        return self.ledger.with_deed(effect, deed)
