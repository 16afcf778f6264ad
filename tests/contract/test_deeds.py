"""What somebody did is kept with what it changed, or neither is, by every store."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from station_core.audit.model import (
    Action,
    Deed,
)
from station_core.devices.zones import Zone
from station_core.errors import (
    ChangeRefused,
    Conflict,
    DeviceUnknown,
    ExternalIdTaken,
    NotFound,
    RegistrationClosed,
    StoreFull,
    StoreUnavailable,
    ZoneNameTaken,
)
from station_core.identity.model import Role, User
from station_core.provisioning.model import Wifi
from tests.contract.residents import opening, session
from tests.contract.told import NOON, added, batch, credential, device, reports

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.contract.rigs import StoreRig
from tests.contract.deeds import LAMP, deed, recorded

IMPOSSIBLE = ["\0", "\ud800"]


def user(name: str = "anna", role: Role = Role.OWNER) -> User:
    return User(id=str(uuid.uuid4()), email=f"{name}@home.example", name=name, role=role, created_at=NOON)


async def actions(stores: StoreRig) -> list[Action]:
    return [one.action for one in await recorded(stores)]


async def test_what_changes_devices_and_zones_is_recorded_with_the_change(stores: StoreRig) -> None:
    lamp, hall = device(), Zone(id=str(uuid.uuid4()), name="Hall")
    await stores.devices.add_zone(hall, deed=deed(Action.ZONE_ADD))
    await stores.devices.rename_zone(replace(hall, name="Halle"), deed=deed(Action.ZONE_UPDATE))
    await stores.devices.add(lamp, credential(lamp), deed=deed(Action.DEVICE_ADD))
    await stores.devices.rename(lamp.renamed("Sun", hall.id, at=NOON), deed=deed(Action.DEVICE_UPDATE))
    await stores.devices.set_credential(lamp.id, None, deed=deed(Action.CREDENTIALS_REVOKE))
    await stores.devices.remove_zone(hall.id, at=NOON, deed=deed(Action.ZONE_REMOVE))
    await stores.devices.remove(lamp.id, at=NOON, deed=deed(Action.DEVICE_REMOVE))
    await stores.provisioning.keep_wifi(Wifi(ssid="home", password="12345678"), deed=deed(Action.WIFI_CHANGE))

    assert await actions(stores) == [
        Action.ZONE_ADD,
        Action.ZONE_UPDATE,
        Action.DEVICE_ADD,
        Action.DEVICE_UPDATE,
        Action.CREDENTIALS_REVOKE,
        Action.ZONE_REMOVE,
        Action.DEVICE_REMOVE,
        Action.WIFI_CHANGE,
    ]


async def test_what_changes_people_is_recorded_with_the_change(stores: StoreRig) -> None:
    owner, member = user(), user("max", Role.MEMBER)
    login = session(owner)
    await stores.identities.found(owner, opening(session(owner), "1", "first"), deed=deed(Action.REGISTER))
    await stores.identities.open_session(opening(login, "2", "second"), deed=deed(Action.LOGIN))
    await stores.identities.close_session(login.id, deed=deed(Action.LOGOUT))
    await stores.identities.close_sessions(owner.id, but=login.id, deed=deed(Action.SESSION_END))
    await stores.identities.add(member, deed=deed(Action.USER_ADD))
    await stores.identities.set_password(member.id, "digest", deed=deed(Action.PASSWORD_RESET))
    await stores.identities.disable(member.id, deed=deed(Action.USER_DISABLE))
    await stores.identities.enable(member.id, deed=deed(Action.USER_ENABLE))

    assert await actions(stores) == [
        Action.REGISTER,
        Action.LOGIN,
        Action.LOGOUT,
        Action.SESSION_END,
        Action.USER_ADD,
        Action.PASSWORD_RESET,
        Action.USER_DISABLE,
        Action.USER_ENABLE,
    ]


async def test_a_change_that_is_refused_leaves_no_record(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    hall = Zone(id=str(uuid.uuid4()), name="Hall")
    await stores.devices.add_zone(hall)
    owner = user()
    await stores.identities.found(owner, opening(session(owner), "1", "first"))
    nobody = str(uuid.uuid4())

    with pytest.raises(ExternalIdTaken):
        await stores.devices.add(device(), credential(lamp, "other"), deed=deed())
    with pytest.raises(NotFound):
        await stores.devices.rename(lamp.renamed("Sun", nobody, at=NOON), deed=deed())
    with pytest.raises(DeviceUnknown):
        await stores.devices.remove(nobody, at=NOON, deed=deed())
    with pytest.raises(DeviceUnknown):
        await stores.devices.set_credential(nobody, None, deed=deed())
    with pytest.raises(ZoneNameTaken):
        await stores.devices.add_zone(Zone(id=nobody, name="HALL"), deed=deed())
    with pytest.raises(NotFound):
        await stores.devices.remove_zone(nobody, at=NOON, deed=deed())
    with pytest.raises(RegistrationClosed):
        await stores.identities.found(user("max"), opening(session(user())), deed=deed())
    with pytest.raises(NotFound):
        await stores.identities.open_session(opening(session(user("max"))), deed=deed())
    with pytest.raises(Conflict):
        await stores.identities.add(replace(user("ANNA"), role=Role.MEMBER), deed=deed())
    for change in (stores.identities.disable, stores.identities.enable):
        with pytest.raises(NotFound):
            await change(nobody, deed=deed())
    assert await recorded(stores) == []


@pytest.mark.parametrize("text", IMPOSSIBLE)
async def test_a_deed_that_can_never_be_kept_takes_its_change_with_it(stores: StoreRig, text: str) -> None:
    lamp, named = device(), replace(LAMP, name=text)
    with pytest.raises(ChangeRefused):
        await stores.devices.add(lamp, credential(lamp), deed=deed(subject=named))
    with pytest.raises(ChangeRefused):
        await stores.audit.keep([deed(), deed(detail={"said": text})])

    assert await stores.devices.find("lamp") is None
    assert await recorded(stores) == []


async def test_of_several_who_race_the_one_who_wins_is_recorded(stores: StoreRig) -> None:
    owners = [user(name) for name in ("anna", "max", "eve")]
    founding = [
        stores.identities.found(
            owner, opening(session(owner), "1", owner.name), deed=deed(Action.REGISTER, subject=owner.subject)
        )
        for owner in owners
    ]
    ended = await asyncio.gather(*founding, return_exceptions=True)

    [winner] = [owner for owner, failure in zip(owners, ended, strict=True) if failure is None]
    assert [one.subject for one in await recorded(stores)] == [winner.subject]


async def test_many_at_once_are_all_recorded(stores: StoreRig) -> None:
    zones = [Zone(id=str(uuid.uuid4()), name=f"Zone {n}") for n in range(20)]
    await asyncio.gather(*(stores.devices.add_zone(zone, deed=deed(detail={"name": zone.name})) for zone in zones))

    assert sorted(str(one.detail["name"]) for one in await recorded(stores)) == sorted(zone.name for zone in zones)


async def test_commands_are_recorded_with_their_batch_once(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    sent = [deed(Action.DEVICE_COMMAND, detail={"action": "toggle", "n": n}) for n in range(3)]
    change = replace(reports(lamp, {"state": True}), deeds=sent[:2])
    first = batch(1, change, reports(lamp, {"state": False}), replace(change, deeds=sent[2:]))
    await stores.devices.commit(first)
    await stores.devices.commit(first)
    await stores.devices.commit(batch(2, reports(lamp, {"state": True})))

    assert await recorded(stores) == sent


async def test_a_batch_with_a_deed_that_can_never_be_kept_is_refused_whole(stores: StoreRig) -> None:
    lamp = await added(stores.devices)
    change = replace(reports(lamp, {"state": True}), deeds=[deed(), deed(result="\0")])
    with pytest.raises(ChangeRefused):
        await stores.devices.commit(batch(1, change))

    assert await recorded(stores) == []
    assert (await stores.devices.activities()).items == []


async def test_a_cancelled_change_is_recorded_if_it_is_kept_and_not_otherwise(stores: StoreRig) -> None:
    zone = Zone(id=str(uuid.uuid4()), name="Hall")
    adding = asyncio.ensure_future(stores.devices.add_zone(zone, deed=deed(Action.ZONE_ADD)))
    await asyncio.sleep(0)
    adding.cancel()
    await asyncio.wait([adding])

    kept = [zone] if not adding.cancelled() else []
    assert list(await stores.devices.zones()) == kept
    assert len(await recorded(stores)) == len(kept)


async def test_a_store_that_is_away_says_so_and_records_nothing(stores: StoreRig) -> None:
    await stores.cut()
    with pytest.raises(StoreUnavailable):
        await stores.audit.keep([deed()])
    with pytest.raises(StoreUnavailable):
        await stores.devices.add_zone(Zone(id=str(uuid.uuid4()), name="Hall"), deed=deed())
    await stores.mend()

    assert await recorded(stores) == []
    await stores.audit.keep([deed()])
    assert await recorded(stores) == [deed()]


async def test_a_full_disk_takes_change_and_record_alike(stores: StoreRig) -> None:
    await stores.fill()
    big = [deed(detail={"n": n, "text": "x" * 4_000}) for n in range(100)]
    with pytest.raises(StoreFull):
        await keep_until_full(stores, big)
    lamp = device(state={f"key{n}": "x" * 4_000 for n in range(10)})
    with pytest.raises(StoreFull):
        await stores.devices.add(lamp, credential(lamp), deed=deed())
    await stores.make_room()

    assert await stores.devices.find("lamp") is None
    assert Action.DEVICE_ADD not in [one.action for one in await recorded(stores) if "n" not in one.detail]


async def keep_until_full(stores: StoreRig, deeds: Sequence[Deed]) -> None:
    for _ in range(20):
        await stores.audit.keep(deeds)
