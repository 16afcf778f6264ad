"""What the agent asks for and tells, and what people want of it (docs/protocols.md §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from station_core.agent.restarts import REPORTED_WITHIN
from station_core.errors import StoreUnavailable
from station_core.identity.model import Role
from tests.contract.http_rig import AT, problem, serving
from tests.unit.http.problems import NOBODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.contract.http_rig import HttpRig

TASKS = "/api/settings/agent"
RESTART = f"{TASKS}/restart"
WIFI = {"ssid": "home", "password": "canary-password"}
TOKEN = "the agent's own token"


@dataclass
class Agent:
    """Who restarts things."""

    http: httpx.AsyncClient

    async def asks(self) -> Any:
        answer = await self.http.get(TASKS, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return answer.json()

    async def tells(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"authorization": f"Bearer {TOKEN}"})


@pytest.fixture
async def rig() -> AsyncIterator[HttpRig]:
    async with serving(is_agent=TOKEN.__eq__) as rig:
        await rig.log_in(Role.ADMIN)
        yield rig


@pytest.fixture
def agent(rig: HttpRig) -> Agent:
    return Agent(rig.http)


async def test_there_is_nothing_to_do_at_first(agent: Agent) -> None:
    assert await agent.asks() == {"wifi": None, "restart": None}


@pytest.mark.parametrize("what", ["network", "station", "host"])
async def test_what_a_person_wants_restarted_is_done_and_told(rig: HttpRig, agent: Agent, what: str) -> None:
    asked = await rig.http.post(RESTART, json={"what": what})
    restart_id = asked.json()["id"]
    tasks = [await agent.asks(), await agent.asks()]
    told = await agent.tells(f"{RESTART}/{restart_id}", {"ok": True})

    assert asked.status_code == 202
    assert asked.json() == {"id": restart_id, "what": what, "state": "pending", "askedAt": AT}
    assert tasks == [{"wifi": None, "restart": {"id": restart_id, "what": what}}] * 2
    assert (told.status_code, told.content) == (204, b"")
    done = (await rig.http.get(f"{RESTART}/{restart_id}")).json()
    assert done == {**asked.json(), "state": "done", "endedAt": AT}
    assert await agent.asks() == {"wifi": None, "restart": None}
    assert (await agent.tells(f"{RESTART}/{restart_id}", {"ok": True})).status_code == 204


async def test_a_failure_and_a_silence_are_results_too(rig: HttpRig, agent: Agent) -> None:
    failing = (await rig.http.post(RESTART, json={"what": "host"})).json()["id"]
    assert problem(await rig.http.post(RESTART, json={"what": "host"})) == (409, "conflict")
    await agent.tells(f"{RESTART}/{failing}", {"ok": False, "error": "not allowed"})
    silent = (await rig.http.post(RESTART, json={"what": "host"})).json()["id"]
    await rig.ports.clock.advance(REPORTED_WITHIN)
    await rig.log_in(Role.ADMIN)

    failed = (await rig.http.get(f"{RESTART}/{failing}")).json()
    assert (failed["state"], failed["error"]) == ("failed", "not allowed")
    assert (await rig.http.get(f"{RESTART}/{silent}")).json()["state"] == "timed_out"
    assert (await agent.asks())["restart"] is None


async def test_a_network_that_a_person_told_is_an_order_until_the_agent_tells_its_own(
    rig: HttpRig, agent: Agent
) -> None:
    await rig.http.put("/api/wifi", json=WIFI)
    tasks = await agent.asks()
    told = await agent.tells(TASKS, WIFI)

    assert tasks == {"wifi": WIFI, "restart": None}
    assert (told.status_code, told.json()) == (200, {"ssid": "home"})
    assert await agent.asks() == {"wifi": None, "restart": None}


async def test_an_order_bears_the_password_and_is_never_packed_or_kept_by_others(rig: HttpRig) -> None:
    await rig.http.put("/api/wifi", json={**WIFI, "password": "x" * 63})
    answer = await rig.http.get(TASKS, headers={"authorization": f"Bearer {TOKEN}", "accept-encoding": "gzip"})

    assert answer.headers["cache-control"] == "no-store"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "body", [{}, {"what": "house"}, {"what": 5}, {"what": None}, [], {"ssid": "x", "password": "short"}]
)
async def test_what_nobody_can_restart_is_malformed(rig: HttpRig, body: Any) -> None:
    assert problem(await rig.http.post(RESTART, json=body)) == (400, "malformed")


@pytest.mark.parametrize("body", [{}, {"ok": "yes"}, {"ok": False, "error": "a\0"}, {"ok": False, "error": "x" * 501}])
async def test_a_report_that_says_nothing_is_malformed(rig: HttpRig, agent: Agent, body: Any) -> None:
    asked = (await rig.http.post(RESTART, json={"what": "host"})).json()

    assert problem(await agent.tells(f"{RESTART}/{asked['id']}", body)) == (400, "malformed")
    assert (await agent.asks())["restart"]["id"] == asked["id"]


async def test_a_restart_that_is_not_there_is_404(rig: HttpRig, agent: Agent) -> None:
    assert problem(await agent.tells(f"{RESTART}/{NOBODY}", {"ok": True})) == (404, "not_found")
    assert problem(await rig.http.get(f"{RESTART}/{NOBODY}")) == (404, "not_found")


async def test_while_the_store_is_away_nothing_is_promised(rig: HttpRig, agent: Agent) -> None:
    rig.ports.agent.trouble = StoreUnavailable()

    assert problem(await rig.http.post(RESTART, json={"what": "host"})) == (503, "store_unavailable")
    assert (await agent.asks())["restart"] is None
