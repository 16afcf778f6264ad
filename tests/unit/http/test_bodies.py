from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.http.bodies import decode
from station_adapters.http.schemas import DeviceIn, DevicePatch, StateIn
from station_core.errors import Malformed


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"externalId":"lamp","name":5,"type":"light"}', "name: Expected `str`, got `int`."),
        (b'{"externalId":"lamp","name":null,"type":"light"}', "name: Expected `str`, got `null`."),
        (b'{"externalId":"lamp","name":"Lamp"}', "Object missing required field `type`."),
        (b'["lamp"]', "Expected `object`, got `array`."),
        (b"null", "Expected `object`, got `null`."),
    ],
)
def test_the_field_that_is_wrong_is_named(raw: bytes, says: str) -> None:
    with pytest.raises(Malformed) as refused:
        decode(raw, DeviceIn)

    assert str(refused.value) == says


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"state":{"a":NaN}}',
        b'{"state":{"a":Infinity}}',
        b'{"state":{"a":1e999}}',
        b'{"state":{"a":"\\ud800"}}',
        b'{"state":{"a":"\xed\xa0\x80"}}',
        b'{"state":' * 20_000,
        b"[" * 100_000,
        b'{"state":{"a":' + b"[" * 100_000,
        b'{"state":{}} {}',
    ],
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        decode(raw, StateIn)


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with suppress(Malformed):
        decode(raw, dict[str, Any])


def test_keys_that_nobody_knows_are_ignored() -> None:
    taken = decode(b'{"externalId":"lamp","name":"Lamp","type":"light","room":"hall","id":7}', DeviceIn)

    assert taken == DeviceIn(external_id="lamp", name="Lamp", type="light")


def test_a_text_that_reads_null_is_a_text() -> None:
    assert decode(b'{"zoneId":"null"}', DevicePatch).zone_id == "null"
    assert decode(b'{"zoneId":null}', DevicePatch).zone_id is None
