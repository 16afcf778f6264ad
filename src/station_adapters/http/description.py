"""The OpenAPI document: what it says beside what the handlers' types say by themselves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Operation, Parameter, Schema, SecurityScheme
from litestar.openapi.spec.enums import OpenAPIType
from litestar.plugins import ReceiveRoutePlugin

from station_adapters.http.cookies import ACCESS
from station_adapters.http.errors import PROBLEM_JSON, Problem
from station_adapters.http.idempotency import WRITES
from station_core.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from litestar.openapi.spec import SecurityRequirement
    from litestar.routes import BaseRoute

    from station_adapters.http.guards import Guards

PERSON: Final = "person"
COOKIE: Final = "cookie"
DEVICE: Final = "device"
AGENT: Final = "agent"
SCHEMES: Final = {
    PERSON: SecurityScheme(
        type="http",
        scheme="bearer",
        bearer_format="JWT",
        description="The accessToken of a login or a refresh.",
    ),
    COOKIE: SecurityScheme(
        type="apiKey",
        name=ACCESS,
        security_scheme_in="cookie",
        description="The cookie of a login or a refresh; a change has to come from a page of the station's own.",
    ),
    DEVICE: SecurityScheme(
        type="apiKey",
        name="X-Device-Token",
        security_scheme_in="header",
        description="The token that the device was given when it was added; Device-Token is heard too.",
    ),
    AGENT: SecurityScheme(type="http", scheme="bearer", description="STATION_AGENT_TOKEN."),
}
"""The credentials of docs/protocols.md §4, "Who asks"."""


A_PERSON: Final[list[SecurityRequirement]] = [{PERSON: []}, {COOKIE: []}]
MAYBE_A_PERSON: Final[list[SecurityRequirement]] = [*A_PERSON, {}]
"""Of routes that ask for a credential only sometimes."""

_UNREAD: Final = frozenset({"scope", "request"})
"""Parameters of handlers by which nothing of the input is checked."""


KEY: Final = Parameter(
    name="Idempotency-Key",
    param_in="header",
    required=False,
    schema=Schema(type=OpenAPIType.STRING, min_length=1),
    description="A quoted string of 1 to 255 printable ASCII characters; a request is done once under it.",
)


@dataclass
class Repeatable(Operation):
    """A write that may be sent again."""

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or ()), KEY]


class Terms(ReceiveRoutePlugin):
    """
    Says of each route which credential its guard asks for, how it refuses, and whether it may be sent again.

    Nobody has to remember to.

    A check that is none of the guards themselves asks for a person, sometimes.
    """

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._schemes: Mapping[object, str] = {guards.device: DEVICE, guards.agent: AGENT}
        self._people = {getattr(guards, field.name) for field in fields(guards)} - set(self._schemes)

    def receive_route(self, route: BaseRoute) -> None:
        """See Litestar."""
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler):
                check = handler.resolve_before_request()
                handler.security = handler.security or self._security(check)
                if check in self._people and not WRITES.isdisjoint(handler.http_methods):
                    handler.operation_class = Repeatable
                handler.responses = {
                    status: ResponseSpec(
                        data_container=Problem,
                        description=HTTPStatus(status).phrase,
                        media_type=PROBLEM_JSON,
                        generate_examples=False,
                    )
                    for status in self._refusals(handler, check)
                }

    def _security(self, check: object) -> list[SecurityRequirement] | None:
        if check is None:
            return None
        if check in self._people:
            return A_PERSON
        scheme = self._schemes.get(check)
        return MAYBE_A_PERSON if scheme is None else [{scheme: []}]

    def _refusals(self, handler: HTTPRouteHandler, check: object) -> Iterator[int]:
        """Statuses that every route of its kind may answer with; what else it may is in docs/protocols.md §4."""
        if set(handler.parsed_fn_signature.parameters) - _UNREAD:
            yield HTTPStatus.BAD_REQUEST
        if handler.security is not None:
            yield HTTPStatus.UNAUTHORIZED
        # A change by a cookie is for pages of the station's own alone, whoever makes it.
        changes = not WRITES.isdisjoint(handler.http_methods)
        if check in self._people and (changes or check is not self._guards.member):
            yield HTTPStatus.FORBIDDEN
        if handler.parsed_data_field is not None:
            yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        yield HTTPStatus.SERVICE_UNAVAILABLE


def openapi() -> OpenAPIConfig:
    """/schema/openapi.json alone: the other pages load scripts from the internet, which a house may not have."""
    return OpenAPIConfig(
        title="station",
        version="1",
        components=Components(security_schemes=dict(SCHEMES)),
        openapi_router=Router("/schema", route_handlers=[], after_request=_no_page),
        render_plugins=[JsonRenderPlugin()],
    )


async def _no_page(answer: Response[Any]) -> Response[Any]:
    """Litestar's own "not found" below its router is an HTML page."""
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise NotFound("There is no such path.")
    return answer
