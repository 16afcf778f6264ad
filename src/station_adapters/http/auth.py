from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Response, Router, get, post
from litestar.params import JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.bodies import StationRequest, decode
from station_adapters.http.cookies import REFRESH, check_own, cookie_of, with_cookies, without_cookies
from station_adapters.http.description import MAYBE_A_PERSON
from station_adapters.http.guards import identified
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.schemas import (
    LoginOut,
    RefreshToken,
    Registration,
    RegistrationStatus,
    Tokens,
    UserOut,
    login_out,
    user_out,
)
from station_adapters.http.session_schemas import Credentials  # noqa: TC001  # Litestar reads handlers' annotations
from station_adapters.http.waiting import A_PASSWORD, in_time
from station_core.errors import Forbidden, Malformed

if TYPE_CHECKING:
    from station_adapters.http.callers import Callers
    from station_adapters.http.guards import Guards
    from station_core.home import Home


def auth_routes(home: Home, guards: Guards, callers: Callers) -> Router:
    """Register, log in, go on, log out."""

    @get("/api/auth/registration-status", sync_to_thread=False)
    def registration_status() -> RegistrationStatus:
        """Whether the station waits for its owner."""
        waits = home.access.registration_open
        return RegistrationStatus(is_registration_open=waits, has_admin=not waits)

    @post("/api/auth/register")
    async def register(data: JSONBody[Registration], scope: Scope) -> Response[LoginOut]:
        """The first user becomes the owner; no page of another site makes one behind somebody's back."""
        if callers.is_foreign(scope):
            raise Forbidden
        async with in_time(A_PASSWORD):
            login = await home.access.register(
                email=data.email,
                password=data.password,
                name=data.name,
                device=data.device,
                user_agent=user_agent(scope),
            )
        return with_cookies(login_out(login), login, scope, callers)

    @post("/api/auth/login", status_code=200)
    async def login(data: JSONBody[Credentials], scope: Scope) -> Response[LoginOut]:
        """Tokens for a password."""
        async with in_time(A_PASSWORD):
            login = await home.access.login(
                email=data.who,
                password=data.password,
                device=data.device,
                user_agent=user_agent(scope),
                peer=callers.address(scope),
            )
        return with_cookies(login_out(login), login, scope, callers)

    @post("/api/auth/refresh", status_code=200)
    async def refresh(request: StationRequest) -> Response[Tokens]:
        """A fresh pair for a refresh token of the body, else of the cookie; the token is used up."""
        token = await _refresh_token(request, callers)
        if token is None:
            raise Malformed("A refresh token is missing.")
        async with in_time():
            fresh = await home.access.refresh(token)
        pair = Tokens(access_token=fresh.access_token, refresh_token=fresh.refresh_token)
        return with_cookies(pair, fresh, request.scope, callers)

    @post("/api/auth/logout", status_code=204, security=MAYBE_A_PERSON)
    async def logout(request: StationRequest) -> Response[None]:
        """End the session of the body's token, else that of the bearer, else that of the cookies; again is no error."""
        token = await _told(request) if "authorization" in request.headers else await _refresh_token(request, callers)
        async with in_time():
            if token is None:
                await home.access.log_out(identified(home, callers, request.scope).session_id)
            else:
                await home.access.log_out_by(token)
        return Response(None, cookies=without_cookies(request.scope, callers))

    @get("/api/users/me", before_request=guards.member, sync_to_thread=False)
    def me(scope: Scope) -> UserOut:
        """Who asks."""
        return user_out(scope["user"].user)

    return Router(
        "/", route_handlers=[registration_status, register, login, refresh, logout, me], tags=["auth"], opt=NEVER_PACKED
    )


def user_agent(scope: Scope) -> str | None:
    """What the caller's program calls itself."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"user-agent"), None)


async def _told(request: StationRequest) -> str | None:
    """The refresh token of the body."""
    body = await request.body()
    told: RefreshToken = decode(body, RefreshToken) if body else RefreshToken()
    return told.refresh_token


async def _refresh_token(request: StationRequest, callers: Callers) -> str | None:
    """That of the body, else that of the cookie; None for neither."""
    told = await _told(request)
    if told is not None:
        return told
    token = cookie_of(request.scope, REFRESH)
    if token is not None:
        check_own(request.scope, callers)
    return token
