"""What the station's agent asks for and tells, and what people want of it (docs/protocols.md §4)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # msgspec reads the fields' types
from typing import TYPE_CHECKING

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.guards import asker
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.provisioning_schemas import WifiIn, WifiOut
from station_adapters.http.waiting import in_time
from station_core.agent.model import State, What  # noqa: TC001  # msgspec reads the fields' types
from station_core.provisioning.model import checked_wifi

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.agent.model import Restart
    from station_core.home import Home
    from station_core.provisioning.model import Wifi

PREFIX = "/api/settings/agent"


class NetworkOut(msgspec.Struct):
    """A network that the agent shall bring the host into."""

    ssid: str
    password: str


class RestartTask(msgspec.Struct):
    """A restart that the agent shall do; one of an id that it has done is the same."""

    id: str
    what: What


class Tasks(msgspec.Struct):
    """What the agent shall do; null: nothing."""

    wifi: NetworkOut | None
    restart: RestartTask | None


class RestartIn(msgspec.Struct):
    """What a person wants restarted."""

    what: What


class RestartReport(msgspec.Struct):
    """What became of it; *error* says why it failed."""

    ok: bool
    error: str | None = None


class RestartOut(msgspec.Struct, rename="camel", omit_defaults=True):
    """A restart; *error* is the agent's word."""

    id: str
    what: What
    state: State
    asked_at: datetime
    ended_at: datetime | None = None
    error: str | None = None


def agent_routes(home: Home, guards: Guards) -> Router:
    """It asks and reports; the station never calls it."""

    @get(PREFIX, before_request=guards.agent)
    async def tasks() -> Tasks:
        """What there is to do, again and again until its end is told."""
        async with in_time():
            order = await home.network.order()
        return tasks_out(order, home.restarts.pending)

    @post(PREFIX, before_request=guards.agent, status_code=200)
    async def tell_wifi(data: JSONBody[WifiIn]) -> WifiOut:
        """The agent tells the network that the host is in."""
        told = checked_wifi(data.ssid, data.password)
        async with in_time():
            return WifiOut(ssid=(await home.network.tell_own(told)).ssid)

    @post(f"{PREFIX}/restart", before_request=guards.station_admin, status_code=202)
    async def ask_restart(data: JSONBody[RestartIn], scope: Scope) -> RestartOut:
        """Have something restarted; the agent does it when it asks next."""
        async with in_time():
            return restart_out(await home.restarts.ask(data.what, by=asker(scope)))

    @get(f"{PREFIX}/restart/{{restart_id:str}}", before_request=guards.station_admin, sync_to_thread=False)
    def restart(restart_id: FromPath[str]) -> RestartOut:
        """What became of it."""
        return restart_out(home.restarts.restart(restart_id))

    @post(f"{PREFIX}/restart/{{restart_id:str}}", before_request=guards.agent, status_code=204)
    async def report_restart(restart_id: FromPath[str], data: JSONBody[RestartReport]) -> None:
        """The agent tells what became of it; the first word counts."""
        async with in_time():
            await home.restarts.report(restart_id, ok=data.ok, error=data.error)

    handlers = [tasks, tell_wifi, ask_restart, restart, report_restart]
    return Router("/", route_handlers=handlers, tags=["agent"], opt=NEVER_PACKED)


def tasks_out(order: Wifi | None, pending: Restart | None) -> Tasks:
    """What there is to do as the wire shows it."""
    return Tasks(
        wifi=None if order is None else NetworkOut(ssid=order.ssid, password=order.password),
        restart=None if pending is None else RestartTask(id=pending.id, what=pending.what),
    )


def restart_out(restart: Restart) -> RestartOut:
    """A restart as the wire shows it."""
    return msgspec.convert(restart, RestartOut, from_attributes=True)
