"""Every route with every credential: exactly those get in whom docs/access.md names."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPMethod
from typing import TYPE_CHECKING

import httpx
import pytest

from station_adapters.http.app import create_app
from station_adapters.http.live import LiveHub
from tests.contract.http_rig import HttpRig
from tests.unit.http.access import CREDENTIALS, ROUTES, lets_in, refusal, routes_of
from tests.unit.http.keys import Locksmith, is_agent, signing_ports
from tests.unit.http.problems import NOBODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class NoFigures:
    """`Figures` of nothing."""

    content_type = "text/plain"

    async def text(self) -> bytes:
        return b""


@asynccontextmanager
async def everything() -> AsyncIterator[HttpRig]:
    """A station with all that its HTTP side can have; a part that is left out misses its routes."""
    ports = signing_ports()
    async with ports.running() as home:
        hub = LiveHub(home)
        app = create_app(home, ports.store, hub, is_agent=is_agent, figures=NoFigures())
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # an ASGI app
        async with httpx.AsyncClient(base_url="http://station", transport=transport) as http:
            yield HttpRig(ports, home, hub, 0, http)


async def outcome(keys: Locksmith, route: str, credential: str) -> tuple[int, str]:
    """Status and code of the answer; no body is sent: whoever got in is told so."""
    headers = await keys.headers(credential)
    answer = await keys.rig.http.request(*request_of(route), headers=headers)
    problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, answer.json()["code"] if problem else ""


def request_of(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    before, brace, rest = path.partition("{")
    return method, f"{before}{NOBODY}{rest.partition('}')[2]}" if brace else path


@pytest.mark.parametrize("route", ROUTES)
async def test_exactly_those_get_in_whom_the_page_names(route: str) -> None:
    who = ROUTES[route]
    async with everything() as rig:
        keys = Locksmith(rig)
        await keys.token("access token of a member")  # what is open while there is no user is open no more
        refused = [credential for credential in CREDENTIALS if not lets_in(who, credential)]
        let_in = [credential for credential in CREDENTIALS if lets_in(who, credential)]
        outcomes = {
            name: await outcome(keys, route, name) for name in [*refused, *let_in]
        }  # who gets in changes things

    assert {name: outcomes[name] for name in refused} == {name: refusal(who, name) for name in refused}
    assert [name for name in let_in if outcomes[name][0] in {401, 403, 405, 500}] == []
    assert let_in


async def test_all_routes_are_tried() -> None:
    async with everything() as rig:
        transport = rig.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        routes = routes_of(transport.app)  # type: ignore[arg-type]  # as above

    assert routes == set(ROUTES)


@pytest.mark.parametrize("method", [HTTPMethod.OPTIONS, HTTPMethod.HEAD])
async def test_nobody_is_asked_for_anything_by_options_and_head(method: HTTPMethod) -> None:
    async with everything() as rig:
        paths = {request_of(route)[1] for route in ROUTES}
        answers = {path: (await rig.http.request(method, path)).status_code for path in paths}

    assert {path: status for path, status in answers.items() if status not in {200, 204, 405}} == {}
