from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody  # noqa: TC002  # Litestar reads handlers' annotations
from litestar.types import Scope  # noqa: TC002  # same

from station_adapters.http.cookies import with_cookies
from station_adapters.http.idempotency import BEARS_A_SECRET
from station_adapters.http.packing import NEVER_PACKED
from station_adapters.http.schemas import LoginOut, login_out
from station_adapters.http.session_schemas import PasswordChange, SessionPage, session_out
from station_adapters.http.waiting import A_PASSWORD, in_time

if TYPE_CHECKING:
    from station_adapters.http.callers import Callers
    from station_adapters.http.guards import Guards
    from station_core.home import Home


def session_routes(home: Home, guards: Guards, callers: Callers) -> Router:
    """A person's own sessions and password."""

    @get("/api/auth/sessions", before_request=guards.member, sync_to_thread=False)
    def mine(scope: Scope) -> SessionPage:
        """All of one's own, the last used first."""
        who = scope["user"]
        items = [session_out(one, current=one.id == who.session_id) for one in home.sessions.of(who)]
        return SessionPage(items=items, next_cursor=None)

    @delete("/api/auth/sessions/{session_id:str}", before_request=guards.member)
    async def end(session_id: FromPath[str], scope: Scope) -> None:
        """End one of one's own; its tokens are refused from now on."""
        async with in_time():
            await home.sessions.end(scope["user"], session_id)

    @delete("/api/auth/sessions", before_request=guards.member)
    async def end_others(scope: Scope) -> None:
        """End all of one's own but the present one."""
        async with in_time():
            await home.sessions.end_others(scope["user"])

    @post("/api/auth/change-password", before_request=guards.member, status_code=200, opt=BEARS_A_SECRET)
    async def change_password(data: JSONBody[PasswordChange], scope: Scope) -> Response[LoginOut]:
        """Another password; all of one's sessions end, a fresh one takes the place of the present."""
        async with in_time(A_PASSWORD):
            changed = await home.sessions.change_password(
                scope["user"], old=data.old_password, new=data.new_password, peer=callers.address(scope)
            )
        return with_cookies(login_out(changed), changed, scope, callers)

    return Router("/", route_handlers=[mine, end, end_others, change_password], tags=["auth"], opt=NEVER_PACKED)
