"""The home's Wi-Fi as people tell it, and as the agent takes it and tells it (docs/protocols.md §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.provisioning.model import Wifi

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home

OLD, NEW = Wifi(ssid="old", password="canary-old"), Wifi(ssid="new", password="canary-new")


async def ordered(home: Home) -> str | None:
    order = await home.network.order()
    return None if order is None else order.ssid


async def known(home: Home) -> str | None:
    wifi = await home.network.wifi()
    return None if wifi is None else wifi.ssid


async def test_what_a_person_tells_is_an_order_until_the_agent_has_followed(home: Home) -> None:
    assert await ordered(home) is None
    await home.network.tell(NEW)
    assert [await ordered(home), await ordered(home)] == ["new", "new"]
    await home.network.tell_own(NEW)

    assert await ordered(home) is None
    assert await known(home) == "new"


async def test_the_agents_own_word_is_no_order(home: Home) -> None:
    await home.network.tell_own(OLD)

    assert await ordered(home) is None
    assert await known(home) == "old"


async def test_what_the_agent_tells_before_it_has_taken_an_order_is_older_than_that(home: Home) -> None:
    await home.network.tell_own(OLD)
    await home.network.tell(NEW)
    answer = await home.network.tell_own(OLD)

    assert answer.ssid == "new"
    assert await known(home) == "new"
    assert await ordered(home) == "new"


async def test_an_agent_that_came_back_to_another_network_ends_the_order_that_it_took(home: Home) -> None:
    await home.network.tell(NEW)
    await ordered(home)
    await home.network.tell_own(OLD)

    assert await ordered(home) is None
    assert await known(home) == "old"


async def test_an_agent_that_already_is_there_ends_an_order_that_it_has_not_taken(home: Home) -> None:
    await home.network.tell(NEW)
    await home.network.tell_own(NEW)

    assert await ordered(home) is None


async def test_an_order_outlives_a_power_cut_before_and_after_it_was_taken(ports: MemoryPorts) -> None:
    async with ports.running() as home:
        await home.network.tell(NEW)
    async with ports.running() as home:
        assert await ordered(home) == "new"
    async with ports.running() as home:
        assert await ordered(home) == "new"
