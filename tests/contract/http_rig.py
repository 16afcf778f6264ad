"""The HTTP side of a station over memory, on a real port."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import websockets

from station_adapters.http.app import create_app, no_agent, no_picture
from station_adapters.http.live import LiveHub
from station_adapters.http.server import HttpServer
from station_adapters.memory.clock import NEW_YEAR
from station_adapters.memory.home import MemoryPorts
from station_core.identity.model import Role, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AsyncExitStack

    from station_core.home import Home

PASSWORD = "correct horse"
LAMP = {"externalId": "lamp", "name": "Lamp", "type": "light"}
AT = "2026-01-01T00:00:00Z"
"""The hour of a memory clock."""


@dataclass
class HttpRig:
    """A station that serves, its far ends, and who asks."""

    ports: MemoryPorts
    home: Home
    hub: LiveHub
    port: int
    http: httpx.AsyncClient
    workers: Sequence[asyncio.Task[None]] = ()
    """Server and hub, at work."""

    def stop(self) -> None:
        """The server shall end."""
        self.workers[0].cancel()

    def stop_hub(self) -> None:
        """The hub shall end."""
        self.workers[1].cancel()

    async def token(self, role: Role = Role.OWNER) -> str:
        """An access token of a person in this role."""
        user = User(
            id=f"user-{role}",
            email=f"{role}@home.example",
            name=role.title(),
            role=role,
            created_at=NEW_YEAR,
            password_hash=await self.ports.passwords.hash(PASSWORD),
        )
        self.ports.identities._users[user.id] = user
        if role is Role.OWNER:
            self.ports.identities.owner_id = user.id
        await self.home.residents.load()
        login = await self.home.access.login(email=user.email, password=PASSWORD)
        return login.access_token

    async def log_in(self, role: Role = Role.OWNER) -> None:
        """What the client asks from now on, it asks in this role."""
        self.http.headers["authorization"] = f"Bearer {await self.token(role)}"

    async def add(self, external_id: str = "lamp", type_id: str = "light") -> tuple[str, dict[str, str]]:
        """A device of the household: its id, and the header that it presents."""
        device, token = await self.home.household.add(
            external_id=external_id, name=external_id.title(), type_id=type_id
        )
        return device.id, {"X-Device-Token": token}

    @asynccontextmanager
    async def socket(self, token: str | None = None, *, batch: bool = False) -> AsyncIterator[LiveClient]:
        """A live socket; with a token it has shown who it is."""
        url = f"ws://127.0.0.1:{self.port}/ws"
        async with websockets.connect(url, compression=None, max_size=None, proxy=None) as connection:
            client = LiveClient(connection)
            if token is not None:
                await client.say({"type": "auth", "token": token, "batch": batch})
            yield client

    async def opened(self, stack: AsyncExitStack, token: str | None = None, *, batch: bool = False) -> LiveClient:
        """A live socket until the stack ends; with a token, after its snapshot."""
        client = await stack.enter_async_context(self.socket(token, batch=batch))
        if token is not None:
            assert (await client.next())["type"] == "snapshot"
        return client


@dataclass
class LiveClient:
    """A client's end of a live socket; nothing that is awaited here hangs."""

    connection: websockets.ClientConnection
    _ahead: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def frame(self) -> Any:
        """The next frame, as it came."""
        async with asyncio.timeout(10):
            return json.loads(await self.connection.recv())

    async def next(self) -> dict[str, Any]:
        """The next message, also out of a batch."""
        while not self._ahead:
            frame = await self.frame()
            self._ahead = frame if isinstance(frame, list) else [frame]
        return self._ahead.pop(0)

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """All messages up to the first of this type."""
        heard = [await self.next()]
        while heard[-1]["type"] != kind:
            heard.append(await self.next())
        return heard

    async def closed(self) -> int | None:
        """The code with which the other side closed it."""
        async with asyncio.timeout(10):
            await self.connection.wait_closed()
        return self.connection.close_code


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must be a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def under_way(rig: HttpRig, method: str, path: str, **more: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A request whose answer isn't there yet."""
    async with asyncio.TaskGroup() as group:
        yield group.create_task(rig.http.request(method, path, **more))


async def until(holds: Callable[[], object]) -> None:
    """Return when it holds; bounded, for what never comes shall fail and not hang."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # memory tells of nothing: it's asked
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    ports: MemoryPorts | None = None,
    is_agent: Callable[[str], bool] = no_agent,
    draw: Callable[[str], str] = no_picture,
) -> AsyncIterator[HttpRig]:
    """A station that serves on a free port."""
    ports = ports or MemoryPorts()
    async with ports.running() as home:
        hub = LiveHub(home)
        server = HttpServer(create_app(home, ports.store, hub, is_agent=is_agent, draw=draw), "127.0.0.1", 0)
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(server.run()), group.create_task(hub.run())]
            async with asyncio.timeout(10):
                await server.listening.wait()
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
                    yield HttpRig(ports, home, hub, server.port, http, workers)
            finally:
                for worker in workers:
                    worker.cancel()
