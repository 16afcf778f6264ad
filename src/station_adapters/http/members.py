from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import Scope  # noqa: TC002  # Litestar reads handlers' annotations

from station_adapters.http.cursors import cursor_of, text_in
from station_adapters.http.guards import asker
from station_adapters.http.member_schemas import (
    InviteIn,
    InviteOut,
    InvitePage,
    PeoplePage,
    PersonOut,
    RoleIn,
    invite_out,
    person_out,
)
from station_adapters.http.waiting import in_time

if TYPE_CHECKING:
    from station_adapters.http.guards import Guards
    from station_core.home import Home

PREFIX = "/api/user-management"
Limit = Annotated[int, QueryParameter(ge=1, le=500)]


def member_routes(home: Home, guards: Guards) -> Router:
    """The people of the household: who they are, what they may do, who is asked to join."""

    @get("/api/users", before_request=guards.member, sync_to_thread=False)
    def users(limit: Limit = 50, cursor: FromQuery[str | None] = None) -> PeoplePage:
        """Everybody, by e-mail address."""
        after = "" if cursor is None else text_in(cursor)
        found = [user for user in home.accounts.users() if user.email.casefold() > after]
        shown = found[:limit]
        more = cursor_of(shown[-1].email.casefold()) if len(found) > limit else None
        return PeoplePage(items=[person_out(user) for user in shown], next_cursor=more)

    @patch(f"{PREFIX}/{{user_id:str}}/role", before_request=guards.station_admin)
    async def change_role(user_id: FromPath[str], data: JSONBody[RoleIn], scope: Scope) -> PersonOut:
        """What somebody may do from now on; all their sessions end."""
        async with in_time():
            return person_out(await home.accounts.change_role(user_id, data.role, by=asker(scope)))

    @delete(f"{PREFIX}/{{user_id:str}}", before_request=guards.station_admin)
    async def remove(user_id: FromPath[str], scope: Scope) -> None:
        """Somebody doesn't belong to the household any more; all their sessions end."""
        async with in_time():
            await home.accounts.remove(user_id, by=asker(scope))

    @get(f"{PREFIX}/invites", before_request=guards.station_admin, sync_to_thread=False)
    def invites(limit: Limit = 50, cursor: FromQuery[str | None] = None) -> InvitePage:
        """Who is asked to join, by e-mail address."""
        after = "" if cursor is None else text_in(cursor)
        found = [invite for invite in home.invites.all() if invite.email.casefold() > after]
        shown = found[:limit]
        more = cursor_of(shown[-1].email.casefold()) if len(found) > limit else None
        return InvitePage(items=[invite_out(invite) for invite in shown], next_cursor=more)

    @post(f"{PREFIX}/invites", before_request=guards.station_admin)
    async def invite(data: JSONBody[InviteIn], scope: Scope) -> Response[InviteOut]:
        """Ask somebody to join, or ask them again."""
        async with in_time():
            asked = await home.invites.invite(email=data.email, role=data.role, by=asker(scope))
        return Response(invite_out(asked), status_code=201)

    @delete(f"{PREFIX}/invites/{{invite_id:str}}", before_request=guards.station_admin)
    async def revoke(invite_id: FromPath[str], scope: Scope) -> None:
        """Ask them no more."""
        async with in_time():
            await home.invites.revoke(invite_id, by=asker(scope))

    handlers = [users, change_role, remove, invites, invite, revoke]
    return Router("/", route_handlers=handlers, tags=["people"])
