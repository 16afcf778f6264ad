from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from litestar import asgi
from litestar.enums import ScopeType

from station_adapters.http.bodies import decode
from station_adapters.http.cookies import ACCESS, cookie_of
from station_adapters.http.door import LIVE, refuse
from station_adapters.http.live import TRY_AGAIN_LATER, UNAUTHENTICATED
from station_adapters.http.messages import PONG, Auth, Heard, Ping, ProvisioningStart, error
from station_adapters.http.subscriber import Subscriber
from station_core.errors import Forbidden, Malformed, NotFound, Unauthenticated
from station_core.identity.policy import ADMINS
from station_core.values import MAX_MESSAGE

if TYPE_CHECKING:
    from litestar.handlers import ASGIRouteHandler
    from litestar.types import Receive, Scope, Send

    from station_adapters.http.callers import Callers
    from station_adapters.http.live import LiveHub
    from station_core.home import Home
    from station_core.identity.model import Principal

AUTH_WITHIN: Final = 9.0  # seconds; with the hub's round of a second it's the ten of docs/protocols.md §4
SAID_AT_ONCE: Final = 64  # frames to one socket before others get their turn of the loop
CLOSE_WITHIN: Final = 1.0  # seconds for the close frame to go to a socket that may not read


def live_route(home: Home, hub: LiveHub, callers: Callers) -> ASGIRouteHandler:
    """The live socket's two paths; pages of other origins get none, and a cookie is heard only from one of ours."""

    @asgi(list(LIVE), copy_scope=False)
    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.WEBSOCKET:
            raise NotFound("Here is a WebSocket only.")
        if callers.is_foreign(scope):
            await refuse(scope, send, Forbidden("The live socket isn't for pages of other origins."))
            return
        cookie = cookie_of(scope, ACCESS) if callers.is_own(scope) else None
        await LiveSocket(home, hub, receive, send, cookie=cookie).run()

    return live


class LiveSocket:
    """One client's live socket: it shows who it is, then hears the stream, and may say a few things itself."""

    def __init__(self, home: Home, hub: LiveHub, receive: Receive, send: Send, *, cookie: str | None = None) -> None:
        self._home = home
        self._hub = hub
        self._receive: Any = receive  # Litestar types each side of a connection as all that there could be
        self._send: Any = send
        self._cookie = cookie
        self._since = home.clock.monotonic()
        self._principal: Principal | None = None
        self._authenticated = asyncio.Event()
        self._over = asyncio.Event()
        self._code: int | None = None
        self.subscriber: Subscriber | None = None

    async def run(self) -> None:
        """Until either side ends it."""
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept"})
        self._hub.enter(self)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read())
                writing = group.create_task(self._write())
                await self._over.wait()
                reading.cancel()
                writing.cancel()
        finally:
            self._hub.leave(self)
        if self._code is not None:
            with contextlib.suppress(OSError, TimeoutError):  # it's gone, or takes nothing any more
                async with asyncio.timeout(CLOSE_WITHIN):
                    await self._send({"type": "websocket.close", "code": self._code})

    @property
    def may_provision(self) -> bool:
        """See `Listener`."""
        return self._principal is not None and self._principal.user.role in ADMINS

    def close(self, code: int) -> None:
        """See `Listener`."""
        if not self._over.is_set():
            self._code = code
            self._over.set()

    def check(self) -> None:
        """See `Listener`."""
        if self._principal is None:
            if self._home.clock.monotonic() - self._since >= AUTH_WITHIN:
                self.close(UNAUTHENTICATED)
        elif not self._home.access.holds(self._principal):
            self.close(UNAUTHENTICATED)

    async def _write(self) -> None:
        await self._authenticated.wait()
        said = 0
        while self.subscriber is not None:
            await self._say(await self.subscriber.next())
            said += 1
            if said % SAID_AT_ONCE == 0:
                await asyncio.sleep(0)  # who reads as fast as this writes would hold up everybody

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._over.set()
                return
            try:
                heard = _decoded(message.get("text"))
            except Malformed:
                await self._say(error(Malformed.code))
            else:
                await self._answer(heard)

    async def _answer(self, heard: Heard) -> None:
        if isinstance(heard, Auth):
            token = self._cookie if heard.token is None else heard.token
            if token is None:
                await self._say(error(Malformed.code))
            else:
                self._authenticate(token, batch=heard.batch)
        elif self._principal is None:
            await self._say(error(Unauthenticated.code))
        elif isinstance(heard, Ping):
            await self._say(PONG)
        elif not self.may_provision:
            await self._say(error(Forbidden.code))
        else:
            self._look(looks=isinstance(heard, ProvisioningStart))

    def _authenticate(self, token: str, *, batch: bool) -> None:
        try:
            self._principal = self._home.access.verify(token)
        except Unauthenticated:
            self.close(UNAUTHENTICATED)
            return
        self._look(looks=self.may_provision)
        if self.subscriber is not None:  # it was told to before, and begins anew
            self.subscriber.batch = batch
            self.subscriber.restart()
        elif self._hub.full:
            self.close(TRY_AGAIN_LATER)
        else:
            self.subscriber = Subscriber(partial(self._hub.snapshot, self), batch=batch)
            self._authenticated.set()

    def _look(self, *, looks: bool) -> None:
        if looks:
            self._hub.look(self)
        else:
            self._hub.look_away(self)

    async def _say(self, text: str) -> None:
        try:
            await self._send({"type": "websocket.send", "text": text})
        except OSError:  # it's gone, and the reader hears so too
            self._over.set()


def _decoded(text: str | None) -> Heard:
    if text is None or len(text) > MAX_MESSAGE or len(text.encode()) > MAX_MESSAGE:
        raise Malformed
    heard: Heard = decode(text, Heard)
    return heard
