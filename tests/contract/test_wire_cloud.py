from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from station_adapters.cloud import frames
from station_adapters.cloud.faults import METHOD_NOT_FOUND
from station_adapters.cloud.jsonrpc import Peer, Plain, Request, Say
from station_adapters.memory.clock import MemoryClock
from station_core.errors import Malformed
from tests.contract.golden import WIRE, cases

SAID = {struct.__struct_config__.tag: struct for struct in (frames.ClaimHandshake, frames.StationAuth)}


def plain(frame: str) -> Plain:
    (met,) = Peer(MemoryClock().monotonic).receive(frame)
    assert isinstance(met, Plain)
    return met


@cases("cloud/said")
def test_what_the_station_says_is_written_byte_by_byte(case: dict[str, Any]) -> None:
    message = SAID[json.loads(case["frame"])["type"]](**case["fields"])

    assert frames.write(message) == case["frame"]


@cases("cloud/heard")
def test_what_the_cloud_says_is_read_as_the_page_says(case: dict[str, Any]) -> None:
    met = plain(case["frame"])

    assert msgspec.to_builtins(frames.read(met.type, met.body)) == case["means"]


@cases("cloud/refused")
def test_what_has_another_shape_is_refused(case: dict[str, Any]) -> None:
    met = plain(case["frame"])

    with pytest.raises(Malformed) as refused:
        frames.read(met.type, met.body)

    assert refused.value.code == case["code"]


@cases("cloud/answered")
def test_json_rpc_is_answered_byte_by_byte(case: dict[str, Any]) -> None:
    peer = Peer(MemoryClock().monotonic)

    answers: list[str | None] = []
    for met in peer.receive(case["frame"]):
        if isinstance(met, Request):
            answers.append(peer.refuse(met, METHOD_NOT_FOUND))
        elif isinstance(met, Say):
            answers.append(met.frame)

    assert [answer for answer in answers if answer is not None] == case["answers"]


def test_a_type_that_nobody_told_us_of_is_no_error() -> None:
    assert frames.read("weather", {"type": "weather"}) is None


def test_there_is_a_case_for_every_message() -> None:
    assert set(SAID) == {path.stem for path in (WIRE / "cloud" / "said").glob("*.json")}
    assert set(frames.HEARD) <= {path.stem for path in (WIRE / "cloud" / "heard").glob("*.json")}


@pytest.mark.parametrize("body", [None, 1, [], {}, {"cloudUserId": 1}, {"cloudUserId": "c", "role": None}])
def test_a_bad_member_of_a_list_is_refused_alone(body: object) -> None:
    with pytest.raises(Malformed):
        frames.member(body)


def test_no_message_shows_a_secret() -> None:
    token = frames.ClaimSuccess(station_token="secret-token")
    handshake = frames.ClaimHandshake(chip_id="1", claim_secret="secret-claim")
    user = frames.Member(cloud_user_id="1", station_password_hash="secret-hash")
    changed = frames.StationPasswordChanged(cloud_user_id="1", station_password_hash="secret-hash")

    shown = repr([token, handshake, frames.StationAuth(station_token="secret-token"), user, changed])
    assert "secret" not in shown.replace("claim_secret", "")
