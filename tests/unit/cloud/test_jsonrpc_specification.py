"""The examples of https://www.jsonrpc.org/specification, section 7, each as it's printed there."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from station_adapters.cloud.faults import METHOD_NOT_FOUND
from station_adapters.cloud.jsonrpc import Peer, Request, Say
from station_adapters.memory.clock import MemoryClock

PARSE_ERROR: Final = '{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}'
INVALID: Final = '{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}'

# name → what is sent, and what is answered
EXAMPLES: Final = {
    "positional parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        '{"jsonrpc": "2.0", "result": 19, "id": 1}',
    ),
    "positional parameters the other way round": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        '{"jsonrpc": "2.0", "result": -19, "id": 2}',
    ),
    "named parameters": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        '{"jsonrpc": "2.0", "result": 19, "id": 3}',
    ),
    "named parameters the other way round": (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        '{"jsonrpc": "2.0", "result": 19, "id": 4}',
    ),
    "a notification": ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    "a notification without parameters": ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    "a method that there isn't": (
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        '{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}',
    ),
    "no JSON": ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', PARSE_ERROR),
    "no request": ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', INVALID),
    "a batch that is no JSON": (
        '[\n  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},\n  {"jsonrpc": "2.0", "method"\n]',
        PARSE_ERROR,
    ),
    "an empty batch": ("[]", INVALID),
    "a batch of one that is no request": ("[1]", f"[{INVALID}]"),
    "a batch without any request": ("[1,2,3]", f"[{INVALID}, {INVALID}, {INVALID}]"),
    "a batch": (
        """[
            {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
            {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
            {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        """[
            {"jsonrpc": "2.0", "result": 7, "id": "1"},
            {"jsonrpc": "2.0", "result": 19, "id": "2"},
            {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
            {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
            {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
        ]""",
    ),
    "a batch of notifications": (
        """[
            {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
            {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
        ]""",
        None,
    ),
}


def subtract(params: Any) -> int:
    a, b = params if isinstance(params, list) else (params["minuend"], params["subtrahend"])
    return int(a - b)


METHODS: Final[dict[str, Any]] = {
    "subtract": subtract,
    "sum": sum,
    "get_data": lambda _: ["hello", 5],
    "update": lambda _: None,
    "notify_sum": lambda _: None,
    "notify_hello": lambda _: None,
}


def answer(peer: Peer, frame: str) -> list[str]:
    """All frames that an end with `METHODS` answers."""
    said: list[str | None] = []
    for met in peer.receive(frame):
        if isinstance(met, Say):
            said.append(met.frame)
        elif isinstance(met, Request):
            method = METHODS.get(met.method)
            said.append(peer.refuse(met, METHOD_NOT_FOUND) if method is None else peer.reply(met, method(met.params)))
    return [frame for frame in said if frame is not None]


@pytest.mark.parametrize(("sent", "answered"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_examples_of_the_specification_are_answered_as_it_says(sent: str, answered: str | None) -> None:
    answers = answer(Peer(MemoryClock().monotonic), sent)

    assert [json.loads(one) for one in answers] == ([] if answered is None else [json.loads(answered)])


def test_there_are_fifteen_examples() -> None:
    assert len(EXAMPLES) == 15
