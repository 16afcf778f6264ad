"""The agent's wire, byte by byte (docs/protocols.md §4)."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.serialization import encode_json

from station_adapters.http import agent
from station_adapters.http.bodies import decode
from station_core.agent.model import Restart, State, What
from station_core.provisioning.model import Wifi
from tests.contract.golden import cases, fields


def restart(of: dict[str, Any] | None) -> Restart | None:
    if of is None:
        return None
    return Restart(**{**fields(of), "what": What(of["what"]), "state": State(of.get("state", "pending"))})


def written(case: dict[str, Any]) -> object:
    wanted = restart(case["restart"])
    if case["what"] == "tasks":
        return agent.tasks_out(None if case["wifi"] is None else Wifi(**case["wifi"]), wanted)
    assert wanted is not None
    return agent.restart_out(wanted)


@cases("agent/said")
def test_an_answer_is_written_byte_by_byte(case: dict[str, Any]) -> None:
    assert encode_json(written(case)).decode() == case["body"]


@cases("agent/heard")
def test_a_request_is_read_as_the_page_says(case: dict[str, Any]) -> None:
    assert msgspec.to_builtins(decode(case["body"], getattr(agent, case["what"]))) == case["means"]
