from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.cloud.faults import INTERNAL, METHOD_NOT_FOUND, fault_of
from station_adapters.cloud.jsonrpc import Answer, HangUp, Limits, Peer, Plain, Request, Say
from station_adapters.memory.clock import MemoryClock
from station_core.errors import CloudRefused, CloudUnavailable, RateLimited

PARSE_ERROR, INVALID_REQUEST = -32700, -32600

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "type"])
OBJECTS = st.dictionaries(FIELDS, JSON | st.just("2.0"), max_size=7)


def peer(**limits: Any) -> Peer:
    return Peer(MemoryClock().monotonic, Limits(**limits))


def said(met: Any) -> Any:
    assert isinstance(met, Say)
    return json.loads(met.frame)


def request(peer: Peer, frame: str) -> Request:
    (met,) = peer.receive(frame)
    assert isinstance(met, Request)
    return met


def test_a_call_without_the_version_is_answered_with_it() -> None:
    end = peer()

    frame = end.reply(request(end, '{"id": 7, "method": "devices.snapshot"}'), {"devices": []})

    assert json.loads(frame or "") == {"jsonrpc": "2.0", "result": {"devices": []}, "id": 7}


@pytest.mark.parametrize("id_", ["1", '"a"', "null", "1.5", "-3"])
def test_an_id_comes_back_as_it_was(id_: str) -> None:
    end = peer()

    frame = end.refuse(request(end, f'{{"id": {id_}, "method": "m"}}'), METHOD_NOT_FOUND)

    assert json.loads(frame or "")["id"] == json.loads(id_)


@pytest.mark.parametrize(
    "frame",
    [
        '{"id": true, "method": "m"}',
        '{"id": [], "method": "m"}',
        '{"id": {}, "method": "m"}',
        '{"method": null, "type": "station_reset"}',
        '{"method": "m", "params": 1}',
        '{"method": "m", "params": "a"}',
        '{"jsonrpc": "1.0", "method": "m"}',
        '{"jsonrpc": null, "method": "m"}',
        '{"jsonrpc": "2.0", "type": "station_reset"}',
        '{"type": 1}',
        "{}",
        "1",
        "null",
        '"station_reset"',
        '[{"type": "station_reset"}]',
        f'{{"method": "m", "params": {"[" * 40}{"]" * 40}}}',
        '{"method": "m", "params": ["\\u0000"]}',
        '{"method": "m", "params": [9223372036854775808]}',
        f'{{"method": "m", "params": ["{"x" * 5000}"]}}',
        f'{{"method": "{"m" * 5000}"}}',
    ],
)
def test_what_is_no_request_is_answered_without_an_id_and_does_nothing(frame: str) -> None:
    (met,) = peer().receive(frame)

    error = said(met)[0] if frame.startswith("[") else said(met)
    assert (error["error"]["code"], error["id"]) == (INVALID_REQUEST, None)


@pytest.mark.parametrize("frame", ["", "{", "NaN", "[" * 100_000, '{"a": "\\ud800"}', b'{"type": "auth_ok"}', b"\xff"])
def test_what_is_no_json_is_answered_without_an_id(frame: str | bytes) -> None:
    (met,) = peer().receive(frame)

    assert (said(met)["error"]["code"], said(met)["id"]) == (PARSE_ERROR, None)


def test_a_frame_over_its_bound_means_nothing() -> None:
    frame = json.dumps({"method": "m", "params": ["é" * 1000]}, ensure_ascii=False)

    assert isinstance(peer(frame=3000).receive(frame)[0], Request)
    assert said(peer(frame=2000).receive(frame)[0])["error"]["code"] == INVALID_REQUEST


def test_a_batch_over_its_bound_is_refused_whole() -> None:
    frame = json.dumps([{"method": "m", "id": 1}] * 3)

    assert said(peer(batch=2).receive(frame)[0])["error"]["code"] == INVALID_REQUEST
    assert len(peer(batch=3).receive(frame)) == 3


def test_a_batch_is_answered_in_its_order_once_all_are_done() -> None:
    end = peer()
    first, notice, second = end.receive('[{"method":"a","id":1},{"method":"b"},{"method":"c","id":2}]')
    assert isinstance(first, Request)
    assert isinstance(notice, Request)
    assert isinstance(second, Request)

    assert end.reply(second, "late") is None
    assert end.reply(notice, "nobody is told") is None
    answers = end.reply(first, "early")
    assert [one["result"] for one in json.loads(answers or "")] == ["early", "late"]


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "auth_ok"}',
        '{"type": "auth_error", "code": "invalid_token", "error": "why"}',
        '{"type": "x", "id": 4}',
        '{"type": "x", "result": 4, "params": {}}',
    ],
)
def test_an_object_with_a_type_and_nothing_of_json_rpc_is_plain(frame: str) -> None:
    (met,) = peer().receive(frame)

    assert met == Plain(type=json.loads(frame)["type"], body=json.loads(frame))


@pytest.mark.parametrize("frame", ['{"type": "station_reset", "method": "m"}', '{"type": "x", "method": "m", "id": 1}'])
def test_what_has_a_method_is_a_request_whatever_its_type(frame: str) -> None:
    assert request(peer(), frame).method == "m"


@pytest.mark.parametrize(
    "frame",
    [
        '{"id": 99, "result": 1}',
        '{"id": "1", "result": 1}',
        '{"id": true, "result": 1}',
        '{"id": null, "error": {"code": -32700, "message": "Parse error"}}',
        '{"id": [1], "result": 1}',
        '{"jsonrpc": "2.0", "result": 1}',
        '{"error": 1}',
        '{"type": "auth_ok", "id": 5, "result": 1}',
        '[{"id": 99, "result": 1}, {"id": 98, "error": {}}]',
    ],
)
def test_an_answer_to_nothing_is_counted_and_not_answered(frame: str) -> None:
    end = peer()
    end.call("m", within=10)

    assert list(end.receive(frame)) == []
    assert end.counts["answer_to_nothing"] == (2 if frame.startswith("[") else 1)


@pytest.mark.parametrize("frame", ['{"id": 1, "result": 1, "error": {}}', '{"id": 1, "error": null}'])
def test_an_answer_that_says_two_things_or_none_is_counted(frame: str) -> None:
    end = peer()
    end.call("m", within=10)

    assert list(end.receive(frame)) == []
    assert end.counts["answer_unusable"] == 1


def test_a_call_gets_its_answer_once() -> None:
    end = peer()
    id_, frame = end.call("cloud.time", {"zone": "UTC"}, within=10)
    sent = {"jsonrpc": "2.0", "method": "cloud.time", "params": {"zone": "UTC"}, "id": id_}

    assert json.loads(frame) == sent
    assert list(end.receive(f'{{"id": {id_}, "result": null}}')) == [Answer(id=id_)]
    assert list(end.receive(f'{{"id": {id_}, "result": 2}}')) == []
    assert end.counts["answer_to_nothing"] == 1
    assert end.due() is None


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ({"code": 1, "message": "Never."}, "Never."),
        ("No.", "The cloud answered with an error."),
        ({"message": 5}, "The cloud answered with an error."),
    ],
)
def test_an_error_is_a_typed_one(error: Any, says: str) -> None:
    end = peer()
    id_, _ = end.call("m", within=10)

    (met,) = end.receive(json.dumps({"id": id_, "error": error, "result": None}))

    assert isinstance(met, Answer)
    assert isinstance(met.error, CloudRefused)
    assert str(met.error) == says


async def test_a_call_has_a_deadline_and_then_its_answer_is_late() -> None:
    clock = MemoryClock()
    end = Peer(clock.monotonic)
    slow, _ = end.call("m", within=30)
    quick, _ = end.call("m", within=10)

    assert end.due() == 10
    await clock.advance(10)
    (answer,) = end.expired()
    assert answer.id == quick
    assert isinstance(answer.error, CloudUnavailable)
    assert list(end.receive(f'{{"id": {quick}, "result": 1}}')) == []
    assert end.due() == 30
    assert [one.id for one in end.over()] == [slow]


def test_more_calls_of_ours_than_the_bound_are_refused() -> None:
    end = peer(asking=1)
    end.call("m", within=10)

    with pytest.raises(RateLimited):
        end.call("m", within=10)


def test_more_requests_than_the_bound_are_refused_until_some_are_done() -> None:
    end = peer(answering=1)
    first = request(end, '{"method": "m", "id": 1}')

    (refused,) = end.receive('{"method": "m", "id": 2}')
    assert said(refused)["error"] == {
        "code": -32000,
        "message": "Too many calls are under way.",
        "data": {"code": "rate_limited"},
    }
    assert list(end.receive('{"method": "m"}')) == []
    assert end.counts["beyond_bound"] == 2
    end.refuse(first, INTERNAL)
    assert isinstance(end.receive('{"method": "m", "id": 2}')[0], Request)


async def test_who_talks_nonsense_too_often_is_hung_up_on() -> None:
    clock = MemoryClock()
    end = Peer(clock.monotonic, Limits(malformed=3, malformed_within=60))

    assert [type(met) for met in end.receive("[1,2]")] == [Say]
    await clock.advance(61)
    assert [type(met) for met in end.receive("{")] == [Say]
    assert [type(met) for met in end.receive("[1,2,{}]")] == [Say, HangUp]
    assert end.counts["malformed"] == 6


def test_what_a_handler_raises_is_told_by_its_code() -> None:
    end = peer()

    frame = end.refuse(request(end, '{"method": "m", "id": 1}'), fault_of(CloudUnavailable()))

    assert json.loads(frame or "")["error"] == {
        "code": -32000,
        "message": "The cloud can't be reached now.",
        "data": {"code": "cloud_unavailable"},
    }


@given(OBJECTS | st.lists(OBJECTS, max_size=4) | JSON)
def test_whatever_comes_is_one_thing_and_only_requests_and_nonsense_are_answered(message: Any) -> None:
    end = peer()
    end.call("m", within=10)

    met = end.receive(json.dumps(message))

    kinds = {type(one) for one in met}
    assert kinds <= {Say, Request, Answer, Plain}
    if Plain in kinds:
        assert kinds == {Plain}
        assert "method" not in message
    replies = [end.reply(one, None) for one in met if isinstance(one, Request)]
    if Say not in kinds and not any(replies):
        assert end.counts["malformed"] == 0


@given(st.text() | st.binary())
def test_no_text_and_no_bytes_break_it(frame: str | bytes) -> None:
    peer().receive(frame)
