from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, get, post
from litestar.params import JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.bodies import StationRequest, decode
from station_adapters.http.description import MAYBE_A_PERSON
from station_adapters.http.guards import bearer
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.schemas import (
    LoginOut,
    RefreshToken,
    Registration,
    RegistrationStatus,
    SessionEnd,
    Tokens,
    UserOut,
    login_out,
    user_out,
)
from station_adapters.http.session_schemas import Credentials  # noqa: TC001  # Litestar reads handlers' annotations
from station_adapters.http.waiting import in_time
from station_core.errors import Unauthenticated

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
    async def register(data: JSONBody[Registration], scope: Scope) -> LoginOut:
        """The first user becomes the owner."""
        async with in_time():
            login = await home.access.register(
                email=data.email,
                password=data.password,
                name=data.name,
                device=data.device,
                user_agent=user_agent(scope),
            )
        return login_out(login)

    @post("/api/auth/login", status_code=200)
    async def login(data: JSONBody[Credentials], scope: Scope) -> LoginOut:
        """Tokens for a password."""
        async with in_time():
            login = await home.access.login(
                email=data.who,
                password=data.password,
                device=data.device,
                user_agent=user_agent(scope),
                peer=callers.address(scope),
            )
        return login_out(login)

    @post("/api/auth/refresh", status_code=200)
    async def refresh(data: JSONBody[RefreshToken]) -> Tokens:
        """A fresh pair; the token is used up."""
        async with in_time():
            fresh = await home.access.refresh(data.refresh_token)
        return Tokens(access_token=fresh.access_token, refresh_token=fresh.refresh_token)

    @post("/api/auth/logout", status_code=204, security=MAYBE_A_PERSON)
    async def logout(request: StationRequest) -> None:
        """End the session of a refresh token, or without one that of the bearer; one that has ended stays so."""
        body = await request.body()
        ending: SessionEnd = decode(body, SessionEnd) if body else SessionEnd()
        async with in_time():
            if ending.refresh_token is None:
                await home.access.log_out(home.access.verify(bearer(request.scope)).session_id)
            else:
                await _end(ending.refresh_token)

    async def _end(refresh_token: str) -> None:
        try:
            used_up = await home.access.refresh(refresh_token)
        except Unauthenticated:
            return  # nobody can go on with it: what was asked for is so
        await home.access.log_out(home.access.verify(used_up.access_token).session_id)

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
