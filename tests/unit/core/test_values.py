from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_core.errors import ExternalIdInvalid, Malformed
from station_core.values import (
    INT_BOUND,
    MAX_DEPTH,
    MAX_KEYS,
    MAX_TEXT,
    external_id,
    object_size,
    object_weight,
    tag,
    text_weight,
    value_weight,
)

if TYPE_CHECKING:
    from station_core.values import Value

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
NUMBERS = st.integers(1 - INT_BOUND, INT_BOUND - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def nested(depth: int) -> Value:
    value: Value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(st.dictionaries(TEXTS, VALUES, max_size=10))
def test_the_weight_of_an_object_is_at_least_its_size_in_json(value: dict[str, Value]) -> None:
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    assert object_weight(value) >= size == object_size(value)


@given(VALUES)
def test_the_weight_of_a_value_is_at_least_its_size_in_json(value: Value) -> None:
    assert value_weight(value) >= len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "value",
    [
        INT_BOUND - 1,
        1 - INT_BOUND,
        1.7976931348623157e308,
        "ä" * (MAX_TEXT // 2),
        "a" * MAX_TEXT,
        "\n" * MAX_TEXT,
        nested(MAX_DEPTH),
        {str(n): n for n in range(MAX_KEYS)},
        [None] * 10_000,
    ],
)
def test_what_is_within_the_bounds_is_a_value(value: Value) -> None:
    assert value_weight(value) > 0


@pytest.mark.parametrize(
    "value",
    [
        INT_BOUND,
        -INT_BOUND,
        math.nan,
        math.inf,
        -math.inf,
        "ä" * (MAX_TEXT // 2) + "a",
        "a" * (MAX_TEXT + 1),
        "a\0b",
        "\0",
        "\ud800",
        nested(MAX_DEPTH + 1),
        {str(n): n for n in range(MAX_KEYS + 1)},
        {"a\0": 1},
        {"": math.nan},
        {"a": {"b": [{"c": math.inf}]}},
        object(),
        {1: "a"},
        (1, 2),
    ],
)
def test_what_is_beyond_a_bound_is_malformed(value: Value) -> None:
    with pytest.raises(Malformed):
        value_weight(value)
    with pytest.raises(Malformed):
        object_weight({"key": value}, 1)


def test_depth_counts_objects_and_lists_alike() -> None:
    value: Value = 1
    for level in range(MAX_DEPTH):
        value = {"k": value} if level % 2 else [value]

    assert value_weight(value) > 0
    with pytest.raises(Malformed):
        value_weight([value])


def test_an_objects_weight_is_the_same_again_however_many_names_there_were_meanwhile() -> None:
    first = {"on": True, "t": 1.5}
    before = object_weight(first)
    for n in range(600):
        object_weight({f"name{n}": n})
    large = {f"{n}" + "x" * 500: n for n in range(3)}

    assert object_weight(first) == before
    assert object_weight(large) == object_weight(large) > 1_500


@pytest.mark.parametrize("text", ["a", "A-1", "sh:aa:bb:cc", "0.1_2", "x" * 64])
def test_an_external_id_is_a_plain_word(text: str) -> None:
    assert external_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "x" * 65, "+", "#", "a/b", "a+", "-a", ".a", "a b", "ä", "a\n", "a\0", "$SYS", None, 7]
)
def test_an_external_id_can_never_act_as_a_topic(text: object) -> None:
    with pytest.raises(ExternalIdInvalid):
        external_id(text)


@pytest.mark.parametrize("text", ["light", "switch-pir", "-", "x" * 64])
def test_a_tag_is_a_plain_word(text: str) -> None:
    assert tag(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a.b", "a:b", "a\n", None, 1])
def test_anything_else_is_no_tag(text: object) -> None:
    with pytest.raises(Malformed):
        tag(text)


def test_a_text_is_weighed_with_its_quotes_and_escapes() -> None:
    assert text_weight("on") == 4
    assert text_weight('a"b') == 6
    assert text_weight("ä") == 4


@pytest.mark.parametrize(
    "held",
    [[[]] * 500 + [[n] for n in range(500)], [{} for _ in range(500)], [f"a {n}" for n in range(500)]],
    ids=["lists", "objects", "texts"],
)
def test_what_holds_little_weighs_what_it_takes_in_memory(held: list[Value]) -> None:
    in_memory = sys.getsizeof(held) + sum(sys.getsizeof(item) for item in held)

    assert object_weight({"held": held}) >= in_memory * 0.9
    assert object_size({"held": held}) < in_memory / 2
