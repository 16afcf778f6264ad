from __future__ import annotations

from typing import Any

import msgspec
import pytest

from station_adapters.http import messages
from station_adapters.http.bodies import decode
from station_adapters.shapes.devices import device_out
from station_core import events as all_events
from station_core.devices import events as device_events
from station_core.errors import Malformed
from tests.contract.golden import WIRE, cases, device, fields


@cases("live/said")
def test_what_happened_is_told_byte_by_byte(case: dict[str, Any]) -> None:
    kind = getattr(device_events, case["event"], None) or getattr(all_events, case["event"])
    event = kind(**fields(case["fields"]))

    assert messages.is_broadcast(event)
    assert messages.broadcast(event, case["seq"]).decode() == case["frame"]


@cases("live/once")
def test_what_one_socket_gets_is_told_byte_by_byte(case: dict[str, Any]) -> None:
    if "devices" in case:
        frame = messages.snapshot([device_out(device(one)) for one in case["devices"]], [], case["seq"])
    else:
        frame = messages.error(case["code"]) if "code" in case else messages.PONG

    assert frame == case["frame"]


@cases("live/heard")
def test_what_a_client_says_is_read_as_the_page_says(case: dict[str, Any]) -> None:
    assert msgspec.to_builtins(decode(case["frame"], messages.Heard)) == case["means"]


@cases("live/refused")
def test_what_a_client_must_not_say_is_refused_by_its_code(case: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refused:
        decode(case["frame"], messages.Heard)

    assert refused.value.code == case["code"]


def test_there_is_a_case_for_every_message() -> None:
    spoken = {struct.__struct_config__.tag for struct in messages._MESSAGES.values()}
    heard = {struct.__struct_config__.tag for struct in messages.Heard.__args__}
    said = {path.stem for path in (WIRE / "live" / "said").glob("*.json")}

    assert spoken <= said
    assert {f"link_status_{link}" for link in messages.LINKS} <= said
    assert heard <= {path.stem for path in (WIRE / "live" / "heard").glob("*.json")}
