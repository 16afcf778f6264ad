from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from station_adapters.ble.virtual import Peripheral, Trouble, VirtualAir, VirtualRadio
from station_core.errors import RadioUnavailable
from station_core.provisioning.errors import ConnectFailed, LinkLost, NotInRange, ServiceMissing, WriteRefused

if TYPE_CHECKING:
    from station_core.provisioning.model import Sighting

SERVICE = "12c158d5-220f-4be9-b46a-a235f44c412a"
ADDRESS = "F0:F1:F2:F3:F4:F5"
PATIENCE = 5.0


def device(trouble: Trouble = Trouble.NONE) -> Peripheral:
    return Peripheral(address=ADDRESS, name="SH_pir_1", service_uuids=(SERVICE,), trouble=trouble)


@pytest.mark.parametrize(
    ("trouble", "error", "written"),
    [
        (Trouble.OUT_OF_RANGE, NotInRange, []),
        (Trouble.TAKES_NO_CONNECTION, ConnectFailed, []),
        (Trouble.HAS_NO_SERVICE, ServiceMissing, []),
        (Trouble.REFUSES, WriteRefused, []),
        (Trouble.HANGS_UP_BEFORE, LinkLost, []),
        (Trouble.HANGS_UP_DURING, LinkLost, [b"{}"]),
        (Trouble.NEVER_ANSWERS, LinkLost, [b"{}"]),
    ],
)
async def test_each_trouble_is_told_by_its_error(
    trouble: Trouble, error: type[Exception], written: list[bytes]
) -> None:
    air = VirtualAir()
    peripheral = device(trouble)
    air.place(peripheral)

    with pytest.raises(error):
        await VirtualRadio(air, SERVICE, silence=0.01).write(ADDRESS, b"{}", connected=lambda: None)

    assert peripheral.written == written
    assert air.links == 0


async def test_a_device_that_hangs_up_after_it_confirmed_has_its_settings() -> None:
    air = VirtualAir()
    took: list[bytes] = []
    peripheral = device(Trouble.HANGS_UP_AFTER)
    peripheral.took = took.append
    air.place(peripheral)
    await VirtualRadio(air, SERVICE).write(ADDRESS, b"{}", connected=lambda: None)

    assert peripheral.written == took == [b"{}"]


async def test_a_radio_that_fails_ends_its_scan_and_works_again_when_it_is_back() -> None:
    air = VirtualAir()
    air.place(device())
    radio = VirtualRadio(air, SERVICE)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RadioUnavailable):
            await radio.scan(lambda _: air.radio_fails(), started=lambda: None)
        with pytest.raises(RadioUnavailable):
            await radio.scan(lambda _: None, started=lambda: None)
        with pytest.raises(RadioUnavailable):
            await radio.write(ADDRESS, b"", connected=lambda: None)
        air.radio_works()
        await radio.write(ADDRESS, b"{}", connected=lambda: None)

    assert air.scans == air.links == 0


async def test_a_device_is_heard_again_and_again_until_it_is_carried_away() -> None:
    air = VirtualAir()
    seen: list[Sighting] = []
    thrice, silent = asyncio.Event(), asyncio.Event()

    def hear(sighting: Sighting) -> None:
        seen.append(sighting)
        if len(seen) == 3:
            air.remove(ADDRESS)
            thrice.set()
        elif len(seen) > 3:
            silent.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        scan = group.create_task(VirtualRadio(air, SERVICE, every=0.001).scan(hear, started=lambda: None))
        air.place(device())
        await thrice.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await silent.wait()
        scan.cancel()

    assert [sighting.external_id for sighting in seen] == ["1", "1", "1"]
