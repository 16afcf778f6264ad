"""A station that a cloud has claimed, and what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from station_core.cloud.letters import FRONT
from station_core.cloud.model import CloudConfig
from station_core.devices.events import DeviceCommandSent
from station_core.devices.ports import DeviceChange
from tests.contract.told import NOON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_core.cloud.letters import Waiting
    from station_core.devices.model import Device
    from station_core.values import Value
    from tests.contract.rigs import SqlStores, StoreRig

    Stores: TypeAlias = StoreRig | SqlStores

SECRET = "1" * 32
CONFIG = CloudConfig(station_token="token", claimed_at=NOON)


async def claimed(stores: Stores) -> None:
    await stores.cloud.load(fresh_secret=SECRET)
    await stores.cloud.claim(CONFIG, claim_secret=SECRET)


async def all_of(stores: Stores, after: tuple[int, str] = FRONT) -> Sequence[Waiting]:
    return await stores.outbox.waiting(after=after, limit=500)


async def methods(stores: Stores) -> list[str]:
    return [one.letter.method for one in await all_of(stores)]


def commands(to: Device, action: str = "toggle") -> DeviceChange:
    sent = DeviceCommandSent(
        device_id=to.id,
        device_name=to.name,
        device_type=to.type,
        command={"action": action},
        command_id="c",
        actor="user:1",
        timestamp=NOON,
    )
    return DeviceChange(to, [sent])


def device_of(one: Waiting) -> Value:
    return one.letter.params["deviceId"]
