from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.audit.model import CLOUD, STATION, SYSTEM, Action, Deed
from station_core.cloud.model import ClaimCode, CloudConfig, Standing
from station_core.errors import ClaimSealed, Malformed, Stale
from station_core.values import text_weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.audit.model import Actor
    from station_core.clock import Clock, Randomness
    from station_core.cloud.ports import CloudStore


class Claim:
    """
    Who may claim the station, and who has: store first, with the deed of who did it, then memory, one at a time.

    `standing` is a value that is replaced at each change: who has acted by an earlier one is told by `changed`.
    """

    def __init__(self, *, store: CloudStore, clock: Clock, randomness: Randomness, station_id: str) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._station_id = station_id
        self._standing: Standing | None = None
        self._turn = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """Take what the store holds into memory; the claim secret is made when there is none."""
        async with self._one_at_a_time:
            self._become(await self._store.load(fresh_secret=self._secret()))

    @property
    def standing(self) -> Standing:
        """How the station stands with the cloud now."""
        assert self._standing is not None, "The claim is loaded first."
        return self._standing

    @property
    def sealed(self) -> bool:
        """Whether there's a claim that can't be read in this run."""
        return self._standing is not None and self._standing.sealed is not None

    @property
    def code(self) -> ClaimCode:
        """What a person shows the cloud to become the station's owner there; raise `ClaimSealed` without its key."""
        if self.sealed:
            raise ClaimSealed
        return ClaimCode(chip_id=self._station_id, claim_secret=self.standing.claim_secret)

    async def changed(self, since: Standing) -> Standing:
        """Wait until the station doesn't stand as in *since*; how it stands then."""
        while self.standing is since:
            await self._turn.wait()
        return self.standing

    async def claimed(self, station_token: str, *, by: Standing) -> Standing:
        """
        A cloud that was shown the secret of *by* has claimed the station, and knows it by *station_token* from now on.

        Raise `Stale` when the station doesn't stand so any more, `Malformed` for what can be no token.
        """
        text_weight(station_token)
        if not station_token:
            raise Malformed("A station's token isn't empty.")
        config = CloudConfig(station_token=station_token, claimed_at=self._clock.now())
        async with self._one_at_a_time:
            if self.standing is not by:
                raise Stale("The station's claim has changed meanwhile.")
            await self._store.claim(config, claim_secret=by.claim_secret, deed=self._deed(CLOUD, Action.CLOUD_CLAIM))
            return self._become(replace(by, config=config))

    async def forget(self, config: CloudConfig) -> Standing:
        """The cloud has let the station go: wipe *config*, unless there is another one by now."""
        async with self._one_at_a_time:
            if self.standing.config is not config:
                return self.standing
            await self._store.forget(deed=self._deed(CLOUD, Action.CLOUD_UNCLAIM))
            return self._become(replace(self.standing, config=None))

    async def unclaim(self, *, by: Actor = SYSTEM) -> Standing:
        """An owner's decision: nobody has claimed the station, and by the former secret nobody can."""
        fresh = self._secret()
        async with self._one_at_a_time:
            await self._store.unclaim(fresh_secret=fresh, deed=self._deed(by, Action.CLOUD_UNCLAIM))
            return self._become(replace(self.standing, config=None, sealed=None, claim_secret=fresh))

    async def begin_reset(self, devices: Sequence[str]) -> Standing:
        """Nobody has claimed the station any more, and these devices have yet to forget it."""
        async with self._one_at_a_time:
            await self._store.begin_reset(devices, deed=self._deed(CLOUD, Action.STATION_RESET))
            unreset = tuple(dict.fromkeys([*self.standing.unreset, *devices]))
            return self._become(replace(self.standing, config=None, unreset=unreset))

    async def end_reset(self, told: Standing) -> Standing:
        """All devices were told that had yet to be in *told*; if the station stands otherwise by now, nothing ends."""
        async with self._one_at_a_time:
            if self.standing is not told:
                return self.standing
            await self._store.end_reset()
            return self._become(replace(self.standing, unreset=()))

    def _deed(self, by: Actor, action: Action) -> Deed:
        return Deed(actor=by, action=action, subject=STATION, at=self._clock.now())

    def _become(self, standing: Standing) -> Standing:
        self._standing = standing
        self._turn.set()
        self._turn = asyncio.Event()
        return standing

    def _secret(self) -> str:
        """32 hex digits (docs/protocols.md §3): 128 random bits."""
        return hashlib.sha256(self._randomness.token().encode()).hexdigest()[:32]
