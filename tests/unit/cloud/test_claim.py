from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock, MemoryRandomness, settled
from station_adapters.memory.cloud import MemoryCloudStore
from station_core.audit.model import INSTALLER
from station_core.cloud.claim import Claim
from station_core.cloud.model import ClaimCode
from station_core.errors import ClaimSealed, Malformed, Stale, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLOCK = MemoryClock()
RANDOMNESS = MemoryRandomness()


async def loaded(store: MemoryCloudStore) -> Claim:
    claim = Claim(store=store, clock=CLOCK, randomness=RANDOMNESS, station_id="box-1")
    await claim.load()
    return claim


@pytest.fixture
def store() -> MemoryCloudStore:
    return MemoryCloudStore()


@pytest.fixture
async def claim(store: MemoryCloudStore) -> Claim:
    return await loaded(store)


async def test_the_code_is_the_stations_id_and_32_hex_digits_that_outlive_a_restart(
    store: MemoryCloudStore, claim: Claim
) -> None:
    again = await loaded(store)

    assert claim.code == ClaimCode(chip_id="box-1", claim_secret=claim.standing.claim_secret)
    assert re.fullmatch("[0-9a-f]{32}", claim.code.claim_secret)
    assert again.code == claim.code


async def test_two_stations_have_two_secrets(claim: Claim) -> None:
    other = await loaded(MemoryCloudStore())

    assert other.code.claim_secret != claim.code.claim_secret


async def test_who_claimed_is_known_with_the_time_and_over_a_restart(store: MemoryCloudStore, claim: Claim) -> None:
    standing = await claim.claimed("the token", by=claim.standing)
    again = await loaded(store)

    assert standing.config is not None
    assert (standing.config.station_token, standing.config.claimed_at) == ("the token", CLOCK.now())
    assert claim.standing is standing
    assert again.standing == standing


@pytest.mark.parametrize("token", ["", "\0", "x" * 5000, 7, None])
async def test_what_can_be_no_token_claims_nothing(claim: Claim, token: str) -> None:
    with pytest.raises(Malformed):
        await claim.claimed(token, by=claim.standing)

    assert claim.standing.config is None


async def test_a_claim_that_answers_an_earlier_secret_is_refused(claim: Claim) -> None:
    before = claim.standing
    after = await claim.unclaim()
    with pytest.raises(Stale):
        await claim.claimed("the token", by=before)

    assert claim.standing is after
    assert after.config is None
    assert after.claim_secret != before.claim_secret


async def test_the_cloud_lets_go_of_its_own_claim_alone(claim: Claim) -> None:
    first = await claim.claimed("the first", by=claim.standing)
    second = await claim.claimed("the second", by=first)
    assert first.config is not None
    assert second.config is not None

    assert await claim.forget(first.config) is second
    assert (await claim.forget(second.config)).config is None
    assert claim.standing.claim_secret == first.claim_secret


async def test_a_reset_forgets_the_claim_and_remembers_the_devices_until_its_end(
    store: MemoryCloudStore, claim: Claim
) -> None:
    await claim.claimed("the token", by=claim.standing)
    standing = await claim.begin_reset(["lamp", "pir"])
    begun = await claim.begin_reset(["pir", "plug"])
    again = await loaded(store)
    assert await claim.end_reset(standing) is begun
    ended = await claim.end_reset(begun)

    assert (begun.config, begun.unreset) == (None, ("lamp", "pir", "plug"))
    assert again.standing == begun
    assert ended.unreset == ()
    assert ended.claim_secret == begun.claim_secret


async def test_who_waits_is_told_of_each_change_however_it_comes(claim: Claim) -> None:
    standing = claim.standing
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: claim.claimed("the token", by=claim.standing),
        lambda: claim.begin_reset(["lamp"]),
        lambda: claim.end_reset(claim.standing),
        claim.unclaim,
    ]
    for change in changes:
        waiting = asyncio.ensure_future(claim.changed(standing))
        await settled()
        assert not waiting.done()
        await change()

        standing = await asyncio.wait_for(waiting, 5)
        assert standing is claim.standing


async def test_what_the_store_doesnt_keep_isnt_so(store: MemoryCloudStore, claim: Claim) -> None:
    before = await claim.claimed("the token", by=claim.standing)
    assert before.config is not None
    store.trouble = StoreUnavailable()
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: claim.claimed("another", by=before),
        lambda: claim.forget(before.config),  # type: ignore[arg-type]  # as asserted above
        lambda: claim.begin_reset(["lamp"]),
        lambda: claim.end_reset(claim.standing),
        claim.unclaim,
    ]
    for change in changes:
        with pytest.raises(StoreUnavailable):
            await change()

    assert claim.standing is before


async def test_no_secret_shows_itself(claim: Claim) -> None:
    await claim.claimed("canary", by=claim.standing)
    shown = repr(claim.standing) + repr(claim.code)

    assert "canary" not in shown
    assert claim.code.claim_secret not in shown


async def test_who_did_what_is_recorded(store: MemoryCloudStore, claim: Claim) -> None:
    first = await claim.claimed("the first", by=claim.standing)
    assert first.config is not None
    await claim.forget(first.config)
    await claim.begin_reset(["lamp"])
    await claim.unclaim(by=INSTALLER)
    await claim.unclaim()

    deeds = [(str(deed.actor), deed.action.value) for deed in store.ledger.records]
    assert deeds == [
        ("cloud", "cloud_claim"),
        ("cloud", "cloud_unclaim"),
        ("cloud", "station_reset"),
        ("installer", "cloud_unclaim"),
        ("system", "cloud_unclaim"),
    ]


async def test_a_claim_that_cannot_be_read_shows_no_code_until_it_is_given_up(
    store: MemoryCloudStore, claim: Claim
) -> None:
    store.lose_key()  # nobody has claimed it: there's nothing to be lost
    await claim.claimed("the token", by=claim.standing)
    store.lose_key()
    again = await loaded(store)
    with pytest.raises(ClaimSealed):
        again.code  # noqa: B018  # it's what raises
    since = again.standing.claimed_at
    await again.unclaim()

    assert since == CLOCK.now()
    assert re.fullmatch("[0-9a-f]{32}", again.code.claim_secret)
    assert again.standing.claimed_at is None
