from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.sql.batch import is_id, pack, unpack
from station_adapters.sql.content import DEPTH, check_texts, from_json, to_json
from station_adapters.sql.tables import EPOCH, MICROSECOND, microseconds
from station_core.errors import ChangeRefused

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
)


def nested(depth: int) -> object:
    value: object = {}
    for n in range(depth - 1):
        value = {"a": value} if n % 2 else [value]
    return value


@given(VALUES)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert repr(from_json(to_json(value))) == repr(value)


@pytest.mark.parametrize(
    "poison",
    [
        math.nan,
        [math.inf],
        {"a": {"b": [-math.inf]}},
        "\0",
        {"\0": 1},
        ["\\\0"],
        "\ud800",
        {"\udfff": None},
        nested(DEPTH + 1),
        pytest.param(object(), id="object"),
        {"a": b"bytes", "b": 1j},
    ],
    ids=repr,
)
def test_what_no_database_can_keep_is_refused(poison: object) -> None:
    with pytest.raises(ChangeRefused):
        to_json(poison)


@pytest.mark.parametrize(
    "value",
    [None, "null", "\\u0000", "\\\\u0000", {"null": None}, nested(DEPTH), [[]] * 100, MappingProxyType({"a": [None]})],
    ids=lambda value: repr(value)[:20],
)
def test_what_only_looks_like_it_is_kept(value: object) -> None:
    assert from_json(to_json(value)) == value


def test_texts_are_refused_for_nul_and_for_lone_surrogates() -> None:
    check_texts(["", None, "é🦀", "\x01"])
    for text in ("\0", "a\0", "\ud83e"):
        with pytest.raises(ChangeRefused):
            check_texts(["good", text])


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))])))
def test_a_time_is_whole_microseconds_since_1970(instant: datetime) -> None:
    assert EPOCH + microseconds(instant) * MICROSECOND == instant


@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32 - 1))))
def test_deliveries_are_packed_and_unpacked(deliveries: list[tuple[int, int]]) -> None:
    assert unpack(pack(deliveries)) == deliveries
    assert len(pack(deliveries)) == 8 * len(deliveries)


def test_only_a_uuid_as_the_station_writes_it_is_an_id() -> None:
    assert is_id("0b6c8b5e-4b5f-4d1c-9a57-0c7f2a1e9d00")
    for text in (
        "",
        "0B6C8B5E-4B5F-4D1C-9A57-0C7F2A1E9D00",
        "0b6c8b5e4b5f4d1c9a570c7f2a1e9d00",
        "0b6c8b5e-4b5f-4d1c-9a57-0c7f2a1e9d00\n",
    ):
        assert not is_id(text)
