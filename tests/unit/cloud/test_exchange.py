from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.cloud.exchange import Exchange
from station_adapters.cloud.jsonrpc import Limits, Plain
from station_adapters.cloud.once import Once
from station_adapters.memory.clock import MemoryClock, settled
from station_core.errors import CloudRefused, CloudUnavailable, CommandInvalid, DeviceOffline, StationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Scene:
    def __init__(self, group: asyncio.TaskGroup, **limits: Any) -> None:
        self.clock = MemoryClock()
        self.gate = asyncio.Event()
        self.once = Once("unheard of")
        self.exchange = Exchange(
            {"echo": self.echo, "slow": self.slow, "fail": self.fail, "odd": self.odd, "bug": self.bug},
            group=group,
            monotonic=self.clock.monotonic,
            unheard_of=self.once,
            limits=Limits(**limits),
        )
        self.exchange.open = True
        self.failure: StationError = DeviceOffline()

    async def echo(self, params: Any) -> Any:
        return {"params": params}

    async def slow(self, _params: Any) -> Any:
        await self.gate.wait()
        return "done"

    async def fail(self, _params: Any) -> Any:
        raise self.failure

    async def odd(self, _params: Any) -> Any:
        return object()

    async def bug(self, _params: Any) -> Any:
        raise ZeroDivisionError

    async def said(self) -> Any:
        async with asyncio.timeout(5):
            item = await self.exchange.outlet.take()
        assert isinstance(item, str)
        return json.loads(item)

    async def answer(self, method: str, params: Any = None) -> Any:
        self.exchange.take(json.dumps({"id": 1, "method": method, "params": params}))
        return await self.said()


@asynccontextmanager
async def scene(**limits: Any) -> AsyncIterator[Scene]:
    async with asyncio.TaskGroup() as group:
        scene = Scene(group, **limits)
        yield scene
        scene.gate.set()


async def test_a_call_of_the_cloud_is_served() -> None:
    async with scene() as s:
        answer = await s.answer("echo", {"a": 1})

    assert answer == {"jsonrpc": "2.0", "result": {"params": {"a": 1}}, "id": 1}


async def test_nothing_is_served_before_the_link_is_authenticated() -> None:
    async with scene() as s:
        s.exchange.open = False
        answer = await s.answer("echo")

    assert answer["error"]["data"] == {"code": "unauthenticated"}


async def test_a_slow_call_holds_nobody_up() -> None:
    async with scene() as s:
        s.exchange.take('{"id": 1, "method": "slow"}')
        s.exchange.take('{"id": 2, "method": "echo"}')
        quick = await s.said()
        s.gate.set()
        slow = await s.said()

    assert (quick["id"], slow["id"], slow["result"]) == (2, 1, "done")


async def test_a_failure_is_told_by_its_code_and_a_bug_by_no_more_than_that(caplog: pytest.LogCaptureFixture) -> None:
    async with scene() as s:
        offline = await s.answer("fail")
        s.failure = CommandInvalid()
        invalid = await s.answer("fail")
        bug, odd = await s.answer("bug"), await s.answer("odd")

    assert (offline["error"]["code"], offline["error"]["data"]) == (-32000, {"code": "device_offline"})
    assert (invalid["error"]["code"], invalid["error"]["data"]) == (-32602, {"code": "command_invalid"})
    assert bug["error"] == odd["error"]
    assert bug["error"]["data"] == {"code": "internal"}
    assert "ZeroDivisionError" in caplog.text


async def test_an_unknown_method_is_answered_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with scene() as s:
        answers = [await s.answer("station.fly") for _ in range(3)]

    assert [answer["error"]["code"] for answer in answers] == [-32601] * 3
    assert len(caplog.records) == 1
    assert s.once.counts["station.fly"] == 3


async def test_ten_thousand_calls_at_once_are_each_answered_and_few_are_under_way() -> None:
    async with scene(answering=50) as s:
        for number in range(10_000):
            s.exchange.take(f'{{"id": {number}, "method": "slow"}}')
        s.gate.set()
        answers = [await s.said() for _ in range(10_000)]

    assert sum("result" in answer for answer in answers) == 50
    assert {answer["error"]["data"]["code"] for answer in answers if "error" in answer} == {"rate_limited"}
    assert {answer["id"] for answer in answers} == set(range(10_000))


async def test_a_plain_message_is_handed_on() -> None:
    async with scene() as s:
        met = s.exchange.take('{"type": "auth_ok"}')

    assert met == [Plain(type="auth_ok", body={"type": "auth_ok"})]


async def test_a_call_of_ours_gets_its_answer_or_an_error() -> None:
    async with scene() as s, asyncio.TaskGroup() as group:
        asked = [group.create_task(s.exchange.call("cloud.time", [n])) for n in range(2)]
        refused = group.create_task(fails(s.exchange.call("cloud.fly"), CloudRefused))
        sent = [await s.said() for _ in range(3)]
        s.exchange.take(json.dumps([{"id": sent[1]["id"], "result": 5}, {"id": sent[0]["id"], "result": 4}]))
        s.exchange.take(json.dumps({"id": sent[2]["id"], "error": {"code": 1, "message": "Can't."}}))

    assert [task.result() for task in asked] == [4, 5]
    assert refused.result() == "Can't."


async def fails(call: Any, error: type[StationError]) -> str:
    with pytest.raises(error) as raised:
        await call
    return str(raised.value)


async def test_a_call_that_nobody_answers_fails_in_its_time_and_at_the_end_of_the_link() -> None:
    async with scene() as s, asyncio.TaskGroup() as group:
        group.create_task(fails(s.exchange.call("a", within=5), CloudUnavailable))
        last = group.create_task(fails(s.exchange.call("b", within=500), CloudUnavailable))
        cancelled = group.create_task(s.exchange.call("c", within=5))
        await settled()
        cancelled.cancel()
        await s.clock.advance(5)
        s.exchange.tick()
        await settled()
        assert not last.done()
        s.exchange.over()


async def test_who_sends_a_lot_waits_for_room_and_pings_keep_their_place() -> None:
    async with scene() as s, asyncio.TaskGroup() as group:
        for number in range(1_000):
            s.exchange.notify("n", [number])
        delivered = group.create_task(s.exchange.delivered())
        waiting = group.create_task(s.exchange.room())
        await settled()
        for _ in range(500):
            await s.said()
        await settled()
        assert not waiting.done()
        for _ in range(500):
            await s.said()
        await waiting
        pong = await s.exchange.outlet.take()
        assert isinstance(pong, asyncio.Future)
        assert not delivered.done()
        pong.set_result(None)


def test_who_invents_names_without_end_is_counted_without_a_line_for_each(caplog: pytest.LogCaptureFixture) -> None:
    once = Once("unheard of")
    for number in range(150):
        once.tell(f"{number}" + "x" * 100)
        once.tell("again")

    assert len(caplog.records) == 100
    assert (once.others, once.counts["again"]) == (51, 150)
    assert max(map(len, once.counts)) == 64
