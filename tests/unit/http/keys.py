"""Every credential of docs/access.md, made for a home that is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import jwt

from station_adapters.credentials.jwt import JwtAccessTokens
from station_adapters.http.cookies import ACCESS
from station_adapters.memory.home import MemoryPorts
from station_core.identity.model import Claims, Role
from tests.contract.http_rig import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.identity.model import Login
    from tests.contract.http_rig import HttpRig

SECRET: Final = "0123456789abcdef" * 2
AGENT: Final = "the agent's token"


def is_agent(token: str) -> bool:
    """The agent of these tests."""
    return token == AGENT


def signing_ports() -> MemoryPorts:
    """Memory, but access tokens that are signed: what they say can be forged."""
    ports = MemoryPorts()
    ports.tokens = JwtAccessTokens(SECRET)  # type: ignore[assignment]  # both are `AccessTokens`
    return ports


@dataclass
class Locksmith:
    """Makes a credential by its name, each person's of a session of its own."""

    rig: HttpRig
    devices: int = 0

    async def headers(self, credential: str) -> Mapping[str, str]:
        """What a request presents."""
        if credential == "none":
            return {}
        if credential.startswith("cookie "):
            return {"Cookie": f"{ACCESS}={await self.token(credential)}", "Origin": "http://station"}
        if credential == "device token":
            return {"X-Device-Token": await self.token(credential)}
        return {"Authorization": f"Bearer {await self.token(credential)}"}

    async def auth(self, credential: str) -> tuple[dict[str, str], str | None]:
        """What is said on a live socket, and the cookie that came with its handshake."""
        token = await self.token(credential)
        return (
            ({"type": "auth"}, token) if credential.startswith("cookie ") else ({"type": "auth", "token": token}, None)
        )

    async def token(self, credential: str) -> str:
        """What the credential consists of."""
        if credential.startswith("device token"):
            return await self._of_a_device()
        if credential == "agent token":
            return AGENT
        if credential == "none":
            return ""
        return await self._of_a_person(credential)

    async def _of_a_device(self) -> str:
        self.devices += 1
        _, header = await self.rig.add(f"lamp-{self.devices}")
        return header["X-Device-Token"]

    async def _of_a_person(self, credential: str) -> str:
        for role in Role:
            if credential.endswith((f" of an {role}", f" of a {role}")):
                return (await self._login(role)).access_token
        owner = await self._login(Role.OWNER)
        if credential == "refresh token as a bearer":
            return owner.refresh_token
        if credential == "access token of an ended session":
            await self.rig.home.access.log_out(self.rig.home.access.verify(owner.access_token).session_id)
            return owner.access_token
        if credential == "access token that has expired":
            return self._expired(owner)
        other = {"token of another type": {"typ": "refresh"}, "token for another audience": {"aud": "station/invite"}}
        return self._like(owner.access_token, other[credential])

    async def _login(self, role: Role) -> Login:
        await self.rig.token(role)  # makes the person, if it isn't there yet
        return await self.rig.home.access.login(email=f"{role}@home.example", password=PASSWORD)

    def _expired(self, owner: Login) -> str:
        now = self.rig.ports.clock.now()
        principal = self.rig.home.access.verify(owner.access_token)
        return self.rig.ports.tokens.issue(
            Claims(
                user_id=owner.user.id,
                role=owner.user.role,
                session_id=principal.session_id,
                token_id="expired",
                issued_at=now - timedelta(minutes=16),
                expires_at=now - timedelta(minutes=1),
            )
        )

    def _like(self, token: str, other: Mapping[str, Any]) -> str:
        """One that is signed as it should be, and says something else."""
        payload = jwt.decode(token, options={"verify_signature": False})
        return jwt.encode({**payload, **other}, SECRET, algorithm="HS256")
