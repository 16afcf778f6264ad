"""What is ordered of people at the box takes effect in the running station at once, and is on record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.living import OWNER, station_in
from tests.system.test_command_line import station, told

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

EVE = "eve@example.org"
PASSWORD = "another password"


def done(page: Any) -> list[tuple[str, str, str]]:
    """Oldest first: who, what, to whom."""
    items = reversed(page["items"])
    return [(item["actor"]["kind"], item["action"], item["subject"]["name"]) for item in items]


async def test_who_loses_their_role_at_the_box_is_out_at_once_and_the_owner_reads_of_it(tmp_path: Path) -> None:
    async with station_in(tmp_path) as running:
        await told(running, "user", "add", EVE, "--role", "owner", typed=f"{PASSWORD}\n")
        async with running.live() as live:
            changed = await told(running, "user", "role", OWNER["email"], "member")
            async with asyncio.timeout(5):
                await live.socket.wait_closed()
        old = await running.call("GET", "/api/devices")
        last = await station(running, "user", "remove", EVE)
        login = await running.call("POST", "/api/auth/login", json={"email": EVE, "password": PASSWORD})
        running.token = login.json()["accessToken"]
        first = (await running.call("GET", "/api/audit")).json()
        failed = await running.call("POST", "/api/auth/login", json={"email": EVE, "password": "guessed"})
        await running.stop()
        removed = await told(running, "user", "remove", OWNER["email"])
        await running.start()
        second = (await running.call("GET", "/api/audit", params={"action": "user_remove"})).json()
        tried = (await running.call("GET", "/api/audit", params={"actorKind": "stranger"})).json()
        people = (await running.call("GET", "/api/users")).json()

    assert (changed["role"], removed["email"]) == ("member", OWNER["email"])
    assert live.socket.close_code == 4401
    assert old.status_code == 401
    assert last[0] == 1
    assert "last owner" in last[2]
    assert done(first) == [
        ("user", "register", OWNER["email"]),
        ("installer", "user_add", EVE),
        ("installer", "role_change", OWNER["email"]),
        ("user", "login", EVE),
    ]
    # What nobody waits for isn't lost by a stop.
    assert failed.status_code == 401
    assert done(tried) == [("stranger", "login", EVE)]
    assert tried["items"][0]["result"] == "unauthenticated"
    assert done(second) == [("installer", "user_remove", OWNER["email"])]
    assert [one["email"] for one in people["items"]] == [EVE]
