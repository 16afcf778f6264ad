from __future__ import annotations

import asyncio
import logging
import re
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec
from litestar.enums import ScopeType
from litestar.utils import normalize_path

from station_adapters.http.errors import PROBLEM_JSON, STATUS, problem_of
from station_core.correlation import request_id
from station_core.errors import NotFound, Starting, Unavailable
from station_core.health import Phase

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

    from station_adapters.http.traffic import Traffic
    from station_core.clock import Clock
    from station_core.errors import StationError
    from station_core.health import Health

log = logging.getLogger("station.http")

HEADERS: Final = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
"""What every answer bears, beside the request's id."""

REQUEST_ID: Final = b"x-request-id"
_IDS: Final = Random()  # noqa: S311  # they're no secrets; to ask the system for each takes a call of it
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

ALWAYS_OPEN: Final = "/health/"
LIVE: Final = ("/ws", "/api/ws")
"""The live socket's paths."""


class Door:
    """
    What every request passes first: while the station doesn't serve, only /health/* is let in (decision 10).

    Plain ASGI, so that it stands before the routes and costs next to nothing.
    """

    def __init__(self, inside: ASGIApp, health: Health, clock: Clock, traffic: Traffic) -> None:
        self._inside = inside
        self._health = health
        self._clock = clock
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or refuse; whatever is logged and answered meanwhile bears the request's id."""
        token = request_id.set(_id_of(scope))
        try:
            await self._pass(scope, receive, send)
        finally:
            request_id.reset(token)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._health.phase is not Phase.SERVING and not scope["path"].startswith(ALWAYS_OPEN):
            await refuse(scope, send, Starting() if self._health.phase is Phase.STARTING else stopping())
        elif scope["type"] == ScopeType.HTTP:
            await self._answer(scope, receive, send)
        elif normalize_path(scope["path"]) in LIVE:
            await self._inside(scope, receive, send)
        else:  # Litestar would close what isn't open yet, and the server answer that in a way of its own
            await refuse(scope, send, NotFound("There is no such socket."))

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began = self._clock.monotonic()
        status = 0

        async def seal(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *on_every_answer()]
            await send(message)

        try:
            await self._inside(scope, receive, seal)
        except asyncio.CancelledError:
            # The server ends and waits no longer for this answer; the task is the request's own, so it ends here.
            if not status:
                status = STATUS[Unavailable]
                await refuse(scope, send, stopping())
        finally:
            if status:
                seconds = self._clock.monotonic() - began
                self._traffic.answered(scope, status, seconds)
                log.debug(
                    "request answered",
                    extra={"method": scope["method"], "path": scope["path"], "status": status, "seconds": seconds},
                )


def _id_of(scope: Scope) -> str:
    """The id that the caller gave, if it's one; else a new one."""
    given = [value for name, value in scope["headers"] if name == REQUEST_ID]
    return given[0].decode() if len(given) == 1 and _WELL_FORMED.fullmatch(given[0]) else fresh_id()


def fresh_id() -> str:
    """For a request that brought none."""
    return f"{_IDS.getrandbits(64):016x}"


def on_every_answer() -> list[tuple[bytes, bytes]]:
    """The headers that an answer bears beside its own, the request's id among them."""
    return [*HEADERS, (REQUEST_ID, (request_id.get() or "").encode())]


def stopping() -> Unavailable:
    """What new work is told at the end."""
    return Unavailable("The station is stopping.")


async def refuse(scope: Scope, send: Send, error: StationError) -> None:
    """Answer a request, or the handshake of a socket, with a problem."""
    kind = "http.response" if scope["type"] == ScopeType.HTTP else "websocket.http.response"
    body, headers = problem_of(error, scope["path"])
    content = msgspec.json.encode(body)
    fields = {"content-type": PROBLEM_JSON, "content-length": str(len(content)), **headers}
    encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
    start = {"type": f"{kind}.start", "status": body.status, "headers": [*encoded, *on_every_answer()]}
    await send(start)  # type: ignore[arg-type]  # Litestar types the extension's messages one by one
    await send({"type": f"{kind}.body", "body": content, "more_body": False})  # type: ignore[arg-type,misc]  # same
