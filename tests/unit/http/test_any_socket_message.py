"""No message kills a live socket: whatever a client says is answered, and the next message is heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from station_adapters.credentials.jwt import JwtAccessTokens
from station_adapters.http.live import UNAUTHENTICATED, LiveHub
from station_adapters.memory.home import MemoryPorts
from tests.unit.http.listening import GONE, Client, Message, as_text
from tests.unit.mqtt.any_json import OBJECTS, TEXTS, VALUES, encoded, mutated

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = st.sampled_from(["ping", "provisioning_start", "provisioning_stop", "shout"]) | VALUES
VALID = st.sampled_from(
    [b'{"type":"ping"}', b'{"type":"provisioning_start"}', b'{"type":"provisioning_stop","more":[]}']
)
TOKENS = TEXTS | VALUES | st.sampled_from(["a.b.c", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30." + "A" * 43])
AUTH = st.fixed_dictionaries({"type": st.just("auth"), "token": TOKENS}, optional={"batch": VALUES})
SAID = st.one_of(
    st.binary(max_size=50),
    st.builds(encoded, VALUES),
    st.builds(encoded, OBJECTS),
    st.builds(encoded, st.fixed_dictionaries({"type": TYPES}, optional={"token": VALUES, "batch": VALUES})),
    mutated(VALID),
    VALID,
)
EACH = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def as_bytes(said: bytes) -> Message:
    return {"type": "websocket.receive", "bytes": said}


FRAMES = st.lists(SAID.map(as_text) | SAID.map(as_bytes), max_size=12)
PING = as_text(b'{"type":"ping"}')


async def answers(frames: Sequence[Message], *, known: bool) -> list[str]:
    """What a client is told that pings after each frame, but for the stream."""
    ports = MemoryPorts()
    async with ports.running() as home, asyncio.TaskGroup() as group:
        await home.household.add(external_id="lamp", name="Lamp", type_id="light")
        login = await home.access.register(email="anna@home.example", password="correct horse")
        hub = LiveHub(home)
        telling = group.create_task(hub.run())
        await asyncio.sleep(0)
        client = Client(home, hub)
        running = group.create_task(client.run())
        if known:
            client.say([as_text(encoded({"type": "auth", "token": login.access_token}))])
        client.say([message for frame in frames for message in (frame, PING)])
        client.say([GONE])
        async with asyncio.timeout(10):
            await running
        telling.cancel()

    assert client.code is None
    return [one["type"] for one in client.told if one["type"] != "snapshot"]


@EACH
@given(frames=FRAMES)
@example(
    frames=[as_text(b"[" * 65_536), as_text(b'{"type":' * 8_000), as_text(b"x" * 70_000), as_bytes(b"\xff" * 70_000)]
)
@example(frames=[as_text(b'{"type":"auth"}'), as_text(b'{"type":"auth","token":5}'), {"type": "websocket.receive"}])
def test_whatever_somebody_known_says_is_answered(frames: list[Message]) -> None:
    told = asyncio.run(answers(frames, known=True))

    assert set(told) <= {"error", "pong"}
    assert told.count("pong") >= len(frames)
    assert len(told) <= 2 * len(frames)


@EACH
@given(frames=FRAMES)
def test_whatever_a_stranger_says_is_answered(frames: list[Message]) -> None:
    told = asyncio.run(answers(frames, known=False))

    assert told == ["error"] * 2 * len(frames)


@EACH
@given(auth=st.builds(encoded, AUTH))
def test_no_token_of_nobody_does_more_than_end_its_socket(auth: bytes) -> None:
    async def present() -> Client:
        ports = MemoryPorts()
        ports.tokens = JwtAccessTokens("0123456789abcdef" * 2)  # type: ignore[assignment]  # both are `AccessTokens`
        async with ports.running() as home, asyncio.TaskGroup() as group:
            hub = LiveHub(home)
            telling = group.create_task(hub.run())
            await asyncio.sleep(0)
            client = Client(home, hub)
            client.say([as_text(auth), PING, GONE])
            async with asyncio.timeout(10):
                await client.run()
            telling.cancel()
        return client

    client = asyncio.run(present())

    assert client.code in {None, UNAUTHENTICATED}
    assert all(one["type"] == "error" for one in client.told)
