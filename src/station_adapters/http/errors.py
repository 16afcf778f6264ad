"""What an error is on HTTP: application/problem+json (RFC 9457) with the code that all wires share."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.utils import normalize_path

from station_core import errors as facts
from station_core.correlation import request_id
from station_core.errors import RateLimited, StationError
from station_core.identity import errors as people
from station_core.provisioning import errors as failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request
    from litestar.types import ExceptionHandlersMap, Scope

log = logging.getLogger("station.http")

STATUS: Final[Mapping[type[StationError], int]] = {
    facts.Malformed: 400,
    facts.ExternalIdInvalid: 400,
    facts.CommandInvalid: 400,
    facts.ChangeRefused: 400,
    facts.Unauthenticated: 401,
    facts.Forbidden: 403,
    facts.RegistrationClosed: 403,
    people.SyncOverdue: 403,
    facts.NotFound: 404,
    facts.DeviceUnknown: 404,
    facts.Conflict: 409,
    facts.ExternalIdTaken: 409,
    facts.ZoneNameTaken: 409,
    facts.DeviceOffline: 409,
    facts.ProvisioningBusy: 409,
    facts.StillAnswering: 409,
    facts.ClaimSealed: 409,
    facts.ProvisioningFailed: 409,
    failures.NotInRange: 409,
    failures.ConnectFailed: 409,
    failures.ServiceMissing: 409,
    failures.WriteRefused: 409,
    failures.LinkLost: 409,
    failures.WifiNotConfigured: 409,
    failures.NoHandshake: 409,
    facts.Stale: 412,
    facts.TooLarge: 413,
    facts.KeyReused: 422,
    facts.RateLimited: 429,
    facts.CloudRefused: 502,
    facts.Unavailable: 503,
    facts.StoreUnavailable: 503,
    facts.BrokerUnavailable: 503,
    facts.RadioUnavailable: 503,
    facts.CloudUnavailable: 503,
    facts.Starting: 503,
    facts.StoreFull: 507,
    # By design none of these reaches a caller; one that does is a bug of ours.
    facts.StationError: 500,
    facts.LinkDown: 500,
    facts.StoreTaken: 500,
    facts.SettingInvalid: 500,
    facts.StoreNewer: 500,
}
"""Of every error in the tree (docs/protocols.md §4)."""

RETRY_AFTER: Final[Mapping[type[StationError], int]] = {
    facts.Unavailable: 2,
    facts.StoreUnavailable: 2,
    facts.BrokerUnavailable: 2,
    facts.RadioUnavailable: 10,
    facts.CloudUnavailable: 10,
    facts.Starting: 1,
    facts.StoreFull: 60,
    facts.StillAnswering: 1,
}
"""Seconds after which it's worth asking again."""

REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    404: (facts.NotFound.code, "There is no such path."),
    405: ("method_not_allowed", "This path doesn't know the method."),
    413: (facts.TooLarge.code, facts.TooLarge.fact),
}
"""What the framework refuses by itself: code and detail; everything else that it finds wrong is `malformed`."""

PROBLEM_JSON: Final = "application/problem+json"


class Problem(msgspec.Struct, rename="camel"):
    """RFC 9457; `status_code`, `error` and `message` say the same for older clients; `request_id` leads to the logs."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    status_code: int
    error: str
    message: str
    request_id: str | msgspec.UnsetType


def problem(status: int, code: str, detail: str, path: str) -> Problem:
    """The body of an error about the resource at *path*."""
    title = HTTPStatus(status).phrase
    return Problem(
        type=f"urn:station:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        instance=path,
        code=code,
        status_code=status,
        error=title,
        message=detail,
        request_id=request_id.get() or msgspec.UNSET,
    )


def problem_of(error: StationError, path: str) -> tuple[Problem, dict[str, str]]:
    """The body of an error and the headers that go with it; what isn't the caller's business isn't told."""
    status = STATUS[type(error)]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return problem(status, StationError.code, StationError.fact, path), {}
    return problem(status, error.code, str(error), path), _headers(error, status)


def _headers(error: StationError, status: int) -> dict[str, str]:
    if isinstance(error, RateLimited):
        return {"retry-after": str(max(1, math.ceil(error.retry_after)))}
    if (seconds := RETRY_AFTER.get(type(error))) is not None:
        return {"retry-after": str(seconds)}
    return {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}


def _answer(body: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    return Response(body, status_code=body.status, media_type=PROBLEM_JSON, headers=headers)


def _fact(request: Request[Any, Any, Any], error: StationError) -> Response[Problem]:
    body, headers = problem_of(error, request.scope["path"])
    if body.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _bug(request, error)
    return _answer(body, headers)


def _refusal(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refuses by itself, before a handler of ours is asked."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _bug(request, error)
    status = error.status_code if error.status_code in REFUSALS else HTTPStatus.BAD_REQUEST
    code, detail = REFUSALS.get(status, (facts.Malformed.code, _wrong_fields(error)))
    headers = {"allow": _allowed(request)} if status == HTTPStatus.METHOD_NOT_ALLOWED else None
    return _answer(problem(int(status), code, detail, request.scope["path"]), headers)


def _allowed(request: Request[Any, Any, Any]) -> str:
    """The methods of the path; every path answers OPTIONS, which leads to its template."""
    path = normalize_path(request.scope["path"])
    *_, template = request.app.asgi_router.handle_routing(path=path, method="OPTIONS")
    return ", ".join(
        sorted({m for route in request.app.routes if route.path_format == template for m in route.methods})
    )


def _wrong_fields(error: HTTPException) -> str:
    found = error.extra if isinstance(error.extra, list) else []
    wrong = [f"{one['key']}: {one['message']}" for one in found if "key" in one and "message" in one]
    return "; ".join(wrong) or facts.Malformed.fact


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    path = request.scope["path"]
    log.error("request failed", exc_info=error, extra={"method": request.scope.get("method"), "path": path})
    return _answer(problem(HTTPStatus.INTERNAL_SERVER_ERROR, StationError.code, StationError.fact, path))


async def log_socket_bug(error: Exception, scope: Scope) -> None:
    """Of a live socket Litestar itself says nothing: it just closes it."""
    if scope["type"] == ScopeType.WEBSOCKET and not isinstance(error, HTTPException):
        log.error("live socket failed", exc_info=error, extra={"path": scope["path"]})


HANDLERS: Final[ExceptionHandlersMap] = {
    StationError: _fact,
    HTTPException: _refusal,
    Exception: _bug,
}
