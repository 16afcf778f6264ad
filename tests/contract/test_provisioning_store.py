"""What every `ProvisioningStore` promises."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from station_core.errors import StoreUnavailable
from station_core.provisioning.model import Wifi

if TYPE_CHECKING:
    from tests.contract.rigs import SqlStores, StoreRig

FIRST, SECOND = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
WIFI = Wifi(ssid="häuschen", password="canary-password")


async def test_a_reservation_outlives_a_restart_until_it_is_released(stores: StoreRig) -> None:
    await stores.provisioning.reserve(FIRST)
    await stores.provisioning.reserve(FIRST)
    await stores.provisioning.reserve(SECOND)
    await stores.reopen()
    assert sorted(await stores.provisioning.reserved()) == [FIRST, SECOND]

    await stores.provisioning.release(FIRST)
    await stores.provisioning.release(FIRST)
    await stores.provisioning.release("no id at all")
    assert list(await stores.provisioning.reserved()) == [SECOND]


async def test_the_home_s_network_is_kept_in_place_of_the_former_one(stores: StoreRig) -> None:
    assert await stores.provisioning.wifi() is None
    await stores.provisioning.keep_wifi(Wifi(ssid="old", password=""))
    await stores.provisioning.keep_wifi(WIFI)
    await stores.reopen()

    assert await stores.provisioning.wifi() == WIFI


async def test_of_two_who_tell_the_network_at_once_one_is_the_last(stores: StoreRig) -> None:
    told = [WIFI, Wifi(ssid="other", password="")]
    await asyncio.gather(*(stores.provisioning.keep_wifi(wifi) for wifi in told))

    assert await stores.provisioning.wifi() in told


async def test_a_store_that_is_away_says_so_and_keeps_nothing(stores: StoreRig) -> None:
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.provisioning.reserve(FIRST)
    with pytest.raises(StoreUnavailable):
        await stores.provisioning.keep_wifi(WIFI)
    await stores.mend()

    assert len(await stores.provisioning.reserved()) == 0
    assert await stores.provisioning.wifi() is None


async def test_a_cancelled_reservation_is_there_whole_or_not_at_all(stores: StoreRig) -> None:
    reserving = asyncio.ensure_future(stores.provisioning.reserve(FIRST))
    await asyncio.sleep(0)
    reserving.cancel()
    try:
        await reserving
    except asyncio.CancelledError:
        assert len(await stores.provisioning.reserved()) == 0
    else:
        assert len(await stores.provisioning.reserved()) == 1


async def test_what_is_kept_of_a_network_is_sealed(sql_stores: SqlStores) -> None:
    await sql_stores.provisioning.keep_wifi(WIFI)

    assert "canary" not in await sql_stores.settings()
    assert "häuschen" not in await sql_stores.settings()


async def test_a_network_that_another_key_sealed_has_to_be_told_anew(
    sql_stores: SqlStores, caplog: pytest.LogCaptureFixture
) -> None:
    await sql_stores.provisioning.keep_wifi(WIFI)
    await sql_stores.lose_key()

    assert await sql_stores.provisioning.wifi() is None
    assert "unsealed" in caplog.text
    await sql_stores.provisioning.keep_wifi(WIFI)
    assert await sql_stores.provisioning.wifi() == WIFI
