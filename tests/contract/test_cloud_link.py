from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from websockets.http11 import Response

from station_adapters.cloud import frames
from station_app.simulator.cloud.certificates import ThrowAwayAuthority
from station_core.cloud.status import Mode
from station_core.errors import CloudRefused, CloudUnavailable
from station_core.health import CLOUD
from tests.contract.cloud_rig import CHIP_ID, pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from station_app.simulator.cloud.stand_in import StandInCloud

AUTHORITY: Final = ThrowAwayAuthority()


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.pem.decode())


async def test_a_station_is_claimed_over_tls_and_then_served() -> None:
    async with pair(claimed=False, server_tls=AUTHORITY.server(), tls=trusting()) as p:
        await p.linked()
        answer = await p.cloud.link.call("echo", {"a": [1]})

        config = p.station.claim.standing.config
        assert config is not None
        secret = p.station.claim.standing.claim_secret
        assert p.record.frames()[:2] == [
            {"type": "claim_handshake", "chipId": CHIP_ID, "claimSecret": secret},
            {"type": "station_auth", "stationToken": config.station_token},
        ]
        assert answer == {"jsonrpc": "2.0", "result": {"params": {"a": [1]}}, "id": 1}
        assert p.station.health.parts[CLOUD].up
        assert p.cloud.most_at_once == 1


async def test_a_slow_call_holds_no_other_up_and_each_failure_has_its_code() -> None:
    async with pair() as p:
        await p.linked()
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(p.cloud.link.call("slow"))
            failed = await p.cloud.link.call("fail")
            unknown = await p.cloud.link.call("station.fly")
            assert not slow.done()
            p.station.gate.set()

    assert slow.result()["result"] == "done"
    assert failed["error"]["data"] == {"code": "device_unknown"}
    assert unknown["error"]["code"] == -32601


async def test_plain_messages_are_obeyed_in_order_once_the_link_is_authenticated() -> None:
    def silent(cloud: StandInCloud) -> None:
        cloud.answer = {}

    async with pair(prepare=silent) as p:
        await p.station.until(lambda: bool(p.record.frames()))
        await p.cloud.link.say({"type": "station_renamed", "name": "too early"})
        await p.cloud.link.say({"type": "auth_ok"})
        for name in "abc":
            await p.cloud.link.say({"type": "station_renamed", "name": name})
        await p.station.until(lambda: len(p.station.obeyed) == 3)

        assert p.station.obeyed == [frames.StationRenamed(name=name) for name in "abc"]
        assert p.station.link.oddities.ignored == {"unauthenticated": 1}


async def test_what_was_received_is_obeyed_although_the_link_has_ended() -> None:
    async with pair() as p:
        await p.linked()
        for number in range(100):
            await p.cloud.link.say({"type": "station_renamed", "name": str(number)})
        await p.cloud.link.close()
        await p.station.until(lambda: len(p.station.obeyed) == 100)


async def test_what_is_sent_arrives_in_order_and_delivery_is_certain() -> None:
    async with pair() as p:
        line = await p.station.authenticated()
        for number in range(2_000):
            await line.room()
            line.notify("device.stateChanged", {"number": number})
        await line.delivered()

        told = [frame["params"]["number"] for frame in p.record.frames() if "method" in frame]
        assert told == list(range(2_000))


async def test_the_station_may_call_too() -> None:
    async with pair() as p:
        line = await p.station.authenticated()
        async with asyncio.TaskGroup() as group:
            asked = group.create_task(line.call("cloud.time", {"zone": "UTC"}))
            await p.cloud.until(lambda: any("method" in frame for frame in p.record.frames()))
            call = p.record.frames()[-1]
            await p.cloud.link.say({"id": call["id"], "result": 12})
        assert asked.result() == 12

        async with asyncio.TaskGroup() as group:
            group.create_task(refused(line.call("cloud.fly"), CloudRefused))
            await p.cloud.until(lambda: p.record.frames()[-1].get("method") == "cloud.fly")
            await p.cloud.link.say({"id": p.record.frames()[-1]["id"], "error": {"code": 1, "message": "no"}})
        await refused(line.call("cloud.wait", within=20), CloudUnavailable)


async def refused(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await call


@pytest.mark.parametrize("code", ["invalid_token", "pending_reset"])
async def test_a_cloud_over_plain_text_can_take_nothing_from_the_station(code: str) -> None:
    def refuses(cloud: StandInCloud) -> None:
        cloud.answer = {"type": "auth_error", "code": code}

    async with pair(prepare=refuses, factor=200) as p:
        await p.station.until(lambda: p.cloud.connections == 3)
        assert p.station.board.status.last_error is not None

        p.cloud.answer = None
        await p.linked()
        assert p.station.claim.standing.config is not None


async def test_a_verified_cloud_lets_the_station_go_and_it_can_be_claimed_again() -> None:
    def lets_go(cloud: StandInCloud) -> None:
        cloud.answer = {"type": "auth_error", "code": "pending_reset"}
        cloud.claims = False

    async with pair(prepare=lets_go, server_tls=AUTHORITY.server(), tls=trusting()) as p:
        await p.station.until(lambda: p.station.mode is Mode.WAITING)
        assert p.station.claim.standing.config is None

        p.cloud.answer = None
        await p.cloud.link.say({"type": "claim_success", "stationToken": "stand-in-2"})
        await p.linked()


async def test_a_close_with_4401_refuses_the_token_and_keeps_it() -> None:
    async with pair() as p:
        await p.linked()
        await p.cloud.link.close(4401)
        await p.station.until(lambda: p.station.mode is Mode.REFUSED)

        assert p.station.claim.standing.config is not None
        assert p.station.health.parts[CLOUD].up is False


async def test_an_owners_unclaim_ends_the_link_and_the_station_introduces_itself_anew() -> None:
    async with pair() as p:
        await p.linked()
        p.cloud.claims = False
        before = p.station.claim.standing.claim_secret
        await p.station.claim.unclaim()
        await p.station.until(lambda: p.station.mode is Mode.WAITING)
        await p.cloud.until(lambda: "claimSecret" in p.record.frames()[-1])

        assert p.record.frames()[-1]["claimSecret"] == p.station.claim.standing.claim_secret != before


@pytest.mark.parametrize(
    "server",
    [
        AUTHORITY.server(["127.0.0.2", "example.org"]),
        AUTHORITY.server(valid_for=timedelta(days=-1)),
        ThrowAwayAuthority().server(),
    ],
    ids=["for another host", "expired", "of an unknown authority"],
)
async def test_a_cloud_that_can_not_show_who_it_is_hears_nothing(server: ssl.SSLContext) -> None:
    async with pair(server_tls=server, tls=trusting(), factor=200) as p:
        await p.station.until(lambda: p.station.liaison._session.attempts >= 3)

        assert p.record.frames() == []
        assert "CERTIFICATE_VERIFY_FAILED" in (p.station.board.status.last_error or "")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with pair() as other:

        def redirects(cloud: StandInCloud) -> None:
            cloud.first_answer = lambda: moved(status, f"ws://127.0.0.1:{port}/ws/station")

        await other.linked()
        port = other.cloud.port
        async with pair(prepare=redirects, factor=200) as p:
            await p.station.until(lambda: p.station.liaison._session.attempts >= 3)

            assert other.cloud.connections == 1
            assert p.station.board.status.last_error == f"The cloud answers with HTTP {status}."


def moved(status: int, to: str) -> Response:
    from websockets.datastructures import Headers  # noqa: PLC0415

    return Response(status, "Moved", Headers({"Location": to, "Content-Length": "0"}))


async def test_no_proxy_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with pair() as p:
        await p.linked()


async def test_accepted_and_closed_at_once_for_minutes_is_tried_less_and_less_often() -> None:
    async def closes(p: Any, counts: Sequence[int]) -> None:
        while p.cloud.connections < counts[0]:
            for link in list(p.cloud.links):
                link.cut()
            await asyncio.sleep(0.001)

    async with pair(factor=300) as p:
        began = p.station.clock.monotonic()
        await closes(p, [8])
        took = p.station.clock.monotonic() - began

        assert took > 2 + 4 + 8 + 16 + 32 + 60
        assert p.cloud.most_at_once == 1
        await p.linked()


async def test_a_half_open_link_is_found_by_its_missing_pong() -> None:
    async with pair(factor=60) as p:
        await p.linked()
        p.cloud.link.fall_silent()
        await p.station.until(lambda: p.station.mode is not Mode.AUTHENTICATED)
        assert p.station.board.status.last_error == "The cloud is silent: no pong came."

        p.cloud.link.cut()
        await p.linked()
        assert p.station.board.status.reconnects == 1


async def test_a_cloud_that_never_answers_is_left_and_asked_again() -> None:
    def silent(cloud: StandInCloud) -> None:
        cloud.answer = {}

    async with pair(prepare=silent, factor=100) as p:
        await p.station.until(lambda: p.cloud.connections == 2)
        assert p.station.board.status.last_error == "The cloud doesn't answer station_auth."

        p.cloud.answer = None
        await p.linked()


async def test_nonsense_is_answered_and_too_much_of_it_ends_the_link() -> None:
    async with pair() as p:
        await p.linked()
        for frame in ("{", b"\x00", "[]", "{}"):
            await p.cloud.link.say(frame)
        await p.cloud.until(lambda: len(p.record.frames()) == 5)
        assert [frame["error"]["code"] for frame in p.record.frames()[1:]] == [-32700, -32700, -32600, -32600]
        assert (await p.cloud.link.call("echo"))["result"] == {"params": None}

        for _ in range(16):
            await p.cloud.link.say("{")
        await p.cloud.until(lambda: not p.cloud.links)
        assert p.record.entries[-1].frame == 1008
        assert sum("error" in frame for frame in p.record.frames()) == 20
        await p.station.until(lambda: p.station.link.oddities.answers["malformed"] == 20)


async def test_an_oversized_frame_ends_the_link_and_the_next_one_stands() -> None:
    async with pair() as p:
        await p.linked()
        await p.cloud.link.say(" " * (1024 * 1024 + 1))
        await p.cloud.until(lambda: p.cloud.connections == 2)
        await p.linked()
        assert (await p.cloud.link.call("echo"))["result"] == {"params": None}


async def test_ten_thousand_calls_at_once_are_each_answered() -> None:
    async with pair(factor=1) as p:
        await p.linked()
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(p.cloud.link.call("echo", [n])) for n in range(10_000)]
        answers = [task.result() for task in calls]

    served = [answer for answer in answers if "result" in answer]
    assert {answer["error"]["data"]["code"] for answer in answers if "error" in answer} <= {"rate_limited"}
    assert len(served) > 256


async def test_a_station_that_stops_says_goodbye() -> None:
    async with pair() as p:
        await p.linked()

    assert [entry.frame for entry in p.record.entries if entry.what == "closed"] == [1001]
