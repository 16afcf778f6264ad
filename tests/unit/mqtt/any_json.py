"""What clients and devices may send, right and wrong, as Hypothesis strategies."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(), max_size=20),
    st.sampled_from(
        ["", "\0", "a\0b", "\ud800", "\udfff\ud800", "\U0001f600", '"\\', "x" * 4_096, "x" * 4_097, "é" * 2_049]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) + 1, 2**64, 10**400, 1e308, -0.0, 5e-324]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)


def nested(depth: int) -> Any:
    """Arrays and objects by turns."""
    value: Any = 0
    for n in range(depth):
        value = [value] if n % 2 else {"a": value}
    return value


VALUES = st.one_of(
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
        max_leaves=20,
    ),
    st.builds(nested, st.integers(28, 36) | st.just(900)),
    st.builds(lambda count: {f"k{n}": n for n in range(count)}, st.integers(126, 200)),
    st.builds(lambda count: ["x" * 4_000] * count, st.integers(14, 17)),
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=6) | st.builds(
    lambda first, count: {f"{first}{n}": n for n in range(count)}, st.sampled_from("ab"), st.integers(60, 200)
)


def encoded(value: Any) -> bytes:
    """As sloppy a writer would: NaN, lone surrogates, integers without end."""
    return json.dumps(value).encode()


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """A valid text in which some bytes were lost, doubled or replaced."""
    text = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        upto = draw(st.integers(at, min(len(text), at + 4)))
        text[at:upto] = draw(
            st.one_of(st.binary(max_size=3), st.just(bytes(text[at:upto]) * 2), st.sampled_from(MARKS))
        )
    return bytes(text)


MARKS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"NaN",
    b"1e999",
    b"-",
    b"\xff",
]
