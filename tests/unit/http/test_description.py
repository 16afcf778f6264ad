"""The OpenAPI document tells the truth: docs/access.md, whose rows are run, is the measure."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from station_adapters.http.app import create_app
from station_adapters.http.cookies import ACCESS
from station_adapters.http.description import A_PERSON, AGENT, DEVICE, MAYBE_A_PERSON, SCHEMES
from station_adapters.http.idempotency import KEY, WRITES
from station_adapters.http.live import LiveHub
from station_adapters.memory.home import MemoryPorts
from tests.unit.http.access import PEOPLE, ROUTES, _table

CELLS: Final = {route: cell for routes, cell in _table("route | who") for route in re.findall(r"`([^`]+)`", routes)}


def document() -> dict[str, Any]:
    ports = MemoryPorts()
    home = ports.home()
    return create_app(home, ports.store, LiveHub(home)).openapi_schema.to_schema()


DOCUMENT: Final = document()
OPERATIONS: Final = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def wanted(route: str) -> list[dict[str, list[str]]] | None:
    """What the page says of a route's credential, in the document's words."""
    who, _, more = CELLS[route].partition(";")
    if "anybody" in who:
        return None
    if "anybody" in more:
        return MAYBE_A_PERSON
    if PEOPLE & set(ROUTES[route]):
        return A_PERSON
    [scheme] = {{"device": DEVICE, "agent": AGENT}[name] for name in ROUTES[route]}
    return [{scheme: []}]


@pytest.mark.parametrize("route", sorted(OPERATIONS))
def test_a_route_names_the_credential_that_it_asks_for(route: str) -> None:
    assert OPERATIONS[route].get("security") == wanted(route)


def test_every_route_but_that_of_the_figures_is_described() -> None:
    assert set(OPERATIONS) == set(ROUTES) - {"GET /metrics"}


def test_every_credential_that_is_named_is_described() -> None:
    assert set(DOCUMENT["components"]["securitySchemes"]) == set(SCHEMES)
    assert DOCUMENT["components"]["securitySchemes"]["device"]["name"] == "X-Device-Token"
    assert DOCUMENT["components"]["securitySchemes"]["cookie"]["name"] == ACCESS


@pytest.mark.parametrize("route", sorted(OPERATIONS))
def test_the_writes_of_people_take_a_key_to_be_sent_again(route: str) -> None:
    operation = OPERATIONS[route]
    keys = [one for one in operation.get("parameters", []) if one["name"].lower() == KEY.decode()]

    assert len(keys) == (operation.get("security") == A_PERSON and route.partition(" ")[0] in WRITES)
    assert all(key["in"] == "header" and not key["required"] for key in keys)


@pytest.mark.parametrize("route", sorted(OPERATIONS))
def test_a_route_tells_how_it_refuses(route: str) -> None:
    operation = OPERATIONS[route]
    refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
    security = operation.get("security")

    assert {name for answer in refusals.values() for name in answer["content"]} == {"application/problem+json"}
    assert ("401" in refusals) is (security is not None)
    some_may_not = "member" not in ROUTES[route] or route.partition(" ")[0] in WRITES
    assert ("403" in refusals) is (security == A_PERSON and some_may_not)
    assert ("413" in refusals) is ("requestBody" in operation)
