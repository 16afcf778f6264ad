from __future__ import annotations

import pytest

from station_adapters.memory.clock import MemoryClock, MemoryRandomness
from station_core.cloud.claim import Claim
from station_core.cloud.model import CloudConfig
from station_core.cloud.nowhere import NoCloud
from station_core.errors import StoreUnavailable


async def test_a_home_without_a_cloud_cant_be_claimed() -> None:
    clock = MemoryClock()
    claim = Claim(store=NoCloud(), clock=clock, randomness=MemoryRandomness(), station_id="box-1")
    await claim.load()
    first = claim.standing
    with pytest.raises(StoreUnavailable):
        await claim.claimed("a token", by=first)
    with pytest.raises(StoreUnavailable):
        await claim.begin_reset(["lamp"])
    await claim.unclaim()
    await claim.end_reset(claim.standing)
    await NoCloud().forget()

    assert claim.standing.config is None
    assert claim.standing.claim_secret != first.claim_secret


async def test_nothing_of_a_claim_is_kept() -> None:
    config = CloudConfig(station_token="a token", claimed_at=MemoryClock().now())
    with pytest.raises(StoreUnavailable):
        await NoCloud().claim(config, claim_secret="s")
