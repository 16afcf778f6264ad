"""The operator's orders over a home in memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.memory.home import MemoryPorts
from station_app.orders import Desk, people
from station_core.audit.model import INSTALLER, Action
from station_core.errors import (
    Conflict,
    DeviceOffline,
    DeviceUnknown,
    Malformed,
    NotFound,
    Starting,
    Unauthenticated,
    Unavailable,
)
from station_core.health import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from station_core.home import Home

LAMP = {"externalId": "lamp", "name": "Lamp", "type": "light"}
OWNER: dict[str, Any] = {"email": "anna@home.example", "password": "correct horse"}


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    async with MemoryPorts().running() as home:
        yield home


@pytest.fixture
def desk(home: Home) -> Desk:
    return Desk(home)


async def test_a_device_is_added_listed_and_removed_by_either_of_its_ids(desk: Desk) -> None:
    added = await desk.carry_out("device add", LAMP)
    listed = await desk.carry_out("device list", {})
    await desk.carry_out("device remove", {"device": "lamp"})

    assert added["deviceToken"]
    assert [(one["externalId"], one["id"]) for one in listed] == [("lamp", added["id"])]
    assert "deviceToken" not in listed[0]
    with pytest.raises(DeviceUnknown):
        await desk.carry_out("device remove", {"device": added["id"]})


@pytest.mark.parametrize("wait", [0, 1])
async def test_a_command_reaches_whom_it_can(desk: Desk, wait: float) -> None:
    await desk.carry_out("device add", LAMP)
    with pytest.raises(DeviceOffline):
        await desk.carry_out("device command", {"device": "lamp", "command": {"action": "toggle"}, "wait": wait})


async def test_a_command_that_the_broker_has_is_sent(home: Home, desk: Desk) -> None:
    added = await desk.carry_out("device add", LAMP)
    home.devices.report_state("lamp", {"on": True})
    await home.journal.drained()
    sent = await desk.carry_out("device command", {"device": added["id"], "command": {"action": "toggle"}})

    assert sent["status"] == "sent"


async def test_a_new_password_is_the_one_that_counts(home: Home, desk: Desk) -> None:
    await home.access.register(**OWNER)
    told = await desk.carry_out("user reset-password", {"email": "Anna@home.example", "password": "battery staple"})
    listed = await desk.carry_out("user list", {})

    await home.access.login(email=OWNER["email"], password="battery staple")
    assert listed == [told]
    assert not [one for one in listed if "password" in str(one)]
    with pytest.raises(NotFound):
        await desk.carry_out("user reset-password", {"email": "nobody@home.example", "password": "battery staple"})


async def test_somebody_is_added_disabled_and_enabled(home: Home, desk: Desk) -> None:
    await home.access.register(**OWNER)
    bob = {"email": "bob@home.example"}
    added = await desk.carry_out("user add", {**bob, "password": "battery staple", "role": "admin"})
    disabled = await desk.carry_out("user disable", bob)
    enabled = await desk.carry_out("user enable", bob)

    assert (added["role"], added["disabled"], disabled["disabled"]) == ("admin", False, True)
    assert enabled == added
    assert await desk.carry_out("user list", {}) == [home_owner(home), added]


def home_owner(home: Home) -> Any:
    return people.told(home.accounts.user(OWNER["email"]))


async def test_status_tells_phase_parts_and_counts(desk: Desk) -> None:
    await desk.carry_out("device add", LAMP)
    status = await desk.carry_out("status", {})

    assert (status["phase"], status["ready"], status["users"]) == (Phase.SERVING, True, 0)
    assert status["devices"] == {"online": 0, "offline": 1}
    assert status["parts"]["store"]["up"] is True


async def test_the_log_level_is_changed_while_it_runs(desk: Desk) -> None:
    root = logging.getLogger()
    before = root.level
    try:
        changed = await desk.carry_out("log-level", {"level": "error"})
        now = root.level
    finally:
        root.setLevel(before)

    assert changed["now"] == "error"
    assert now == logging.ERROR


@pytest.mark.parametrize(
    ("order", "arguments"),
    [
        ("device add", {}),
        ("device add", {**LAMP, "colour": "red"}),
        ("device list", {"all": True}),
        ("log-level", {"level": "loud"}),
        ("device command", {"device": "lamp", "command": "toggle"}),
    ],
)
async def test_wrong_arguments_are_malformed(desk: Desk, order: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        await desk.carry_out(order, arguments)


async def test_an_order_that_nobody_knows_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.carry_out("device paint", {})


@pytest.mark.parametrize(("phase", "error"), [(Phase.STARTING, Starting), (Phase.STOPPING, Unavailable)])
async def test_until_it_serves_there_is_only_the_status(
    home: Home, desk: Desk, phase: Phase, error: type[Unavailable]
) -> None:
    home.health.phase = phase
    with pytest.raises(error):
        await desk.carry_out("device list", {})

    assert (await desk.carry_out("status", {}))["phase"] == phase


async def test_without_a_station_only_what_needs_none_is_done(home: Home, desk: Desk) -> None:
    home.health.phase = Phase.STARTING

    assert await desk.carry_out_offline("device list", {}) == []
    with pytest.raises(Unavailable):
        await desk.carry_out_offline("status", {})


async def test_how_to_claim_the_station_is_told_and_told_anew_once_it_is_taken_back(home: Home, desk: Desk) -> None:
    first = await desk.carry_out("claim", {})
    await home.claim.claimed("canary", by=home.claim.standing)
    claimed = await desk.carry_out("claim", {})
    again = await desk.carry_out("claim", {"again": True})

    assert first["chipId"] == "memory"
    assert first["claimedAt"] is None
    assert claimed == {**first, "claimedAt": home.clock.now()}
    assert again["claimSecret"] == home.claim.code.claim_secret != first["claimSecret"]
    assert again["claimedAt"] is None
    assert "canary" not in str(claimed)


async def test_somebody_gets_another_role_and_is_removed_by_the_installer(home: Home, desk: Desk) -> None:
    owner = await home.access.register(**OWNER)
    bob = {"email": "bob@home.example"}
    await desk.carry_out("user add", {**bob, "password": "battery staple"})
    login = await home.access.login(email=bob["email"], password="battery staple")
    promoted = await desk.carry_out("user role", {"email": "BOB@home.example", "role": "owner"})
    with pytest.raises(Unauthenticated):
        home.access.verify(login.access_token)
    removed = await desk.carry_out("user remove", {"email": OWNER["email"]})
    with pytest.raises(Unauthenticated):
        home.access.verify(owner.access_token)
    with pytest.raises(Conflict):
        await desk.carry_out("user remove", bob)
    with pytest.raises(Conflict):
        await desk.carry_out("user role", {**bob, "role": "admin"})
    with pytest.raises(NotFound):
        await desk.carry_out("user remove", {"email": OWNER["email"]})

    assert (promoted["role"], removed["email"]) == ("owner", OWNER["email"])
    assert await desk.carry_out("user list", {}) == [promoted]
    deeds = [record.deed for record in (await home.audit_store.records()).items]
    changes = {deed.action: deed.actor for deed in deeds if deed.action in {Action.ROLE_CHANGE, Action.USER_REMOVE}}
    assert changes == {Action.ROLE_CHANGE: INSTALLER, Action.USER_REMOVE: INSTALLER}


async def test_another_log_level_is_on_record(home: Home, desk: Desk) -> None:
    root = logging.getLogger()
    before = root.level
    try:
        await desk.carry_out("log-level", {"level": "error"})
    finally:
        root.setLevel(before)
    await home.audit.drained()

    [record] = (await home.audit_store.records()).items
    assert (record.deed.actor, record.deed.action) == (INSTALLER, Action.ORDER)
    assert (record.deed.detail["order"], record.deed.detail["now"]) == ("log-level", "error")
