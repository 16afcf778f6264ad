"""What every `CloudStore` promises."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import pytest
from sqlalchemy import update

from station_adapters.sql.tables import cloud_config
from station_core.audit.model import Action
from station_core.cloud.model import CloudConfig, Standing
from station_core.errors import ChangeRefused, Stale, StoreFull, StoreUnavailable
from tests.contract.deeds import deed, recorded
from tests.contract.rigs import KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.contract.rigs import SqlStores, StoreRig

    Stores: TypeAlias = StoreRig | SqlStores

FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
CONFIG = CloudConfig(station_token="canary token ✓", claimed_at=datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC))


async def kept(stores: Stores) -> Standing:
    await stores.reopen()
    return await stores.cloud.load(fresh_secret=THIRD)


async def claimed(stores: Stores) -> Standing:
    await stores.cloud.load(fresh_secret=FIRST)
    await stores.cloud.claim(CONFIG, claim_secret=FIRST)
    return Standing(claim_secret=FIRST, config=CONFIG)


async def test_the_claim_secret_is_made_once(stores: StoreRig) -> None:
    first = await stores.cloud.load(fresh_secret=FIRST)

    assert first == Standing(claim_secret=FIRST)
    assert await stores.cloud.load(fresh_secret=SECOND) == first
    assert await kept(stores) == first


async def test_of_several_who_make_it_at_once_all_get_one(stores: StoreRig) -> None:
    told = await asyncio.gather(*(stores.cloud.load(fresh_secret=f"{n:032x}") for n in range(6)))

    assert len({standing.claim_secret for standing in told}) == 1
    assert await kept(stores) == told[0]


async def test_who_claimed_is_kept_over_a_restart(stores: StoreRig) -> None:
    standing = await claimed(stores)

    assert await kept(stores) == standing


async def test_a_second_claim_takes_the_place_of_the_first(stores: StoreRig) -> None:
    await claimed(stores)
    other = CloudConfig(station_token="another", claimed_at=CONFIG.claimed_at)
    await stores.cloud.claim(other, claim_secret=FIRST)

    assert (await kept(stores)).config == other


async def test_by_a_secret_that_is_no_more_nobody_claims(stores: StoreRig) -> None:
    await stores.cloud.load(fresh_secret=FIRST)
    await stores.cloud.unclaim(fresh_secret=SECOND)
    with pytest.raises(Stale):
        await stores.cloud.claim(CONFIG, claim_secret=FIRST)

    assert await kept(stores) == Standing(claim_secret=SECOND)


async def test_forgetting_who_claimed_leaves_the_secret(stores: StoreRig) -> None:
    await claimed(stores)
    for _ in range(2):
        await stores.cloud.forget()

    assert await kept(stores) == Standing(claim_secret=FIRST)


async def test_unclaiming_makes_another_secret(stores: StoreRig) -> None:
    await claimed(stores)
    await stores.cloud.unclaim(fresh_secret=SECOND)

    assert await kept(stores) == Standing(claim_secret=SECOND)


async def test_a_reset_that_has_begun_is_remembered_until_it_has_ended(stores: StoreRig) -> None:
    await claimed(stores)
    await stores.cloud.begin_reset(["lamp", "pir"])
    await stores.cloud.begin_reset(["pir", "plug"])
    begun = await kept(stores)
    for _ in range(2):
        await stores.cloud.end_reset()

    assert begun == Standing(claim_secret=FIRST, unreset=("lamp", "pir", "plug"))
    assert await kept(stores) == Standing(claim_secret=FIRST)


async def test_of_a_claim_and_an_unclaim_at_once_never_both_hold(stores: StoreRig) -> None:
    await stores.cloud.load(fresh_secret=FIRST)
    ends = await asyncio.gather(
        stores.cloud.claim(CONFIG, claim_secret=FIRST),
        stores.cloud.unclaim(fresh_secret=SECOND),
        return_exceptions=True,
    )

    assert [end for end in ends if end is not None and not isinstance(end, Stale)] == []
    assert await kept(stores) == Standing(claim_secret=SECOND)


@pytest.mark.parametrize("trouble", [StoreUnavailable, StoreFull])
async def test_in_trouble_nothing_changes_and_after_it_everything(
    stores: StoreRig, trouble: type[StoreUnavailable | StoreFull]
) -> None:
    standing = await claimed(stores)
    other = CloudConfig(station_token="x" * 4096, claimed_at=CONFIG.claimed_at)
    devices = [f"device {n}" for n in range(3000)]
    attempts: list[Callable[[], Awaitable[object]]] = [
        lambda: stores.cloud.claim(other, claim_secret=FIRST),
        lambda: stores.cloud.begin_reset(devices),
    ]
    await (stores.cut() if trouble is StoreUnavailable else stores.fill())
    for attempt in attempts:
        with pytest.raises(trouble):
            await attempt()
    await (stores.mend() if trouble is StoreUnavailable else stores.make_room())
    untouched = await stores.cloud.load(fresh_secret=SECOND)
    for attempt in attempts:
        await attempt()

    assert untouched == standing
    assert await kept(stores) == Standing(claim_secret=FIRST, unreset=tuple(devices))


async def test_a_cancelled_claim_happened_or_didnt_and_its_caller_knows_which(stores: StoreRig) -> None:
    known: CloudConfig | None = None

    async def claim_and_wait(config: CloudConfig) -> None:
        nonlocal known
        await stores.cloud.claim(config, claim_secret=FIRST)
        known = config
        await asyncio.get_running_loop().create_future()

    await stores.cloud.load(fresh_secret=FIRST)
    for n in range(30):
        config = CloudConfig(station_token=f"token {n}", claimed_at=CONFIG.claimed_at)
        claiming = asyncio.ensure_future(claim_and_wait(config))
        await asyncio.sleep(n * 0.0003)  # any moment will do
        claiming.cancel()
        ended, _ = await asyncio.wait([claiming], timeout=5)
        assert ended, "A cancellation was lost."

        assert (await stores.cloud.load(fresh_secret=SECOND)).config == known


async def test_who_did_it_is_recorded_with_it_or_neither_is(stores: StoreRig) -> None:
    await stores.cloud.load(fresh_secret=FIRST)
    await stores.cloud.claim(CONFIG, claim_secret=FIRST, deed=deed(Action.CLOUD_CLAIM))
    with pytest.raises(Stale):
        await stores.cloud.claim(CONFIG, claim_secret=SECOND, deed=deed(Action.CLOUD_CLAIM))
    with pytest.raises(ChangeRefused):
        await stores.cloud.forget(deed=deed(Action.CLOUD_UNCLAIM, result="\0"))
    still = (await kept(stores)).config
    await stores.cloud.forget(deed=deed(Action.CLOUD_UNCLAIM))
    await stores.cloud.begin_reset(["lamp"], deed=deed(Action.STATION_RESET))
    await stores.cloud.unclaim(fresh_secret=SECOND, deed=deed(Action.CLOUD_UNCLAIM))

    assert still == CONFIG
    assert [one.action for one in await recorded(stores)] == [
        Action.CLOUD_CLAIM,
        Action.CLOUD_UNCLAIM,
        Action.STATION_RESET,
        Action.CLOUD_UNCLAIM,
    ]


async def test_neither_the_secret_nor_the_token_is_in_a_table_in_clear(sql_stores: SqlStores) -> None:
    await claimed(sql_stores)

    assert FIRST not in await sql_stores.settings()
    assert "canary" not in await sql_stores.cloud_rows()


async def test_a_claim_that_another_key_sealed_is_left_as_it_is_and_back_with_the_key(
    sql_stores: SqlStores, caplog: pytest.LogCaptureFixture
) -> None:
    standing = await claimed(sql_stores)
    await sql_stores.lose_key()
    without = [await sql_stores.cloud.load(fresh_secret=SECOND) for _ in range(2)]
    with pytest.raises(Stale):
        await sql_stores.cloud.claim(CONFIG, claim_secret="")
    await sql_stores.lose_key(instead=KEY)

    assert without == [Standing(claim_secret="", sealed=CONFIG.claimed_at)] * 2
    assert await kept(sql_stores) == standing
    assert "can't be unsealed" in caplog.text
    assert FIRST not in caplog.text


async def test_a_claim_that_cannot_be_unsealed_is_given_up_by_whoever_decides_so(sql_stores: SqlStores) -> None:
    await claimed(sql_stores)
    await sql_stores.lose_key()
    await sql_stores.cloud.load(fresh_secret=SECOND)
    await sql_stores.cloud.unclaim(fresh_secret=THIRD)

    assert await kept(sql_stores) == Standing(claim_secret=THIRD)


async def test_a_secret_that_nobody_claimed_by_is_made_anew_without_its_key(
    sql_stores: SqlStores, caplog: pytest.LogCaptureFixture
) -> None:
    await sql_stores.cloud.load(fresh_secret=FIRST)
    await sql_stores.lose_key()
    standing = await sql_stores.cloud.load(fresh_secret=SECOND)

    assert standing == Standing(claim_secret=SECOND)
    assert await kept(sql_stores) == standing
    assert "there's a new one" in caplog.text
    assert FIRST not in caplog.text


async def test_a_token_alone_that_cannot_be_unsealed_is_asked_for_by_the_same_secret(sql_stores: SqlStores) -> None:
    await claimed(sql_stores)
    spoilt = update(cloud_config).values(station_token="v1:AAAA")
    await sql_stores.database.run(lambda connection: connection.execute(spoilt))

    assert await kept(sql_stores) == Standing(claim_secret=FIRST)
