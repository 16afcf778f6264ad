"""
What a JSON value may be, on every wire (docs/protocols.md, "What a JSON value may be").

One rule, applied by every edge after decoding, so that no database and no reader ever sees what another would refuse.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from station_core.errors import ExternalIdInvalid, Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

MAX_DEPTH: Final = 32
MAX_KEYS: Final = 128
MAX_TEXT: Final = 4 * 1024  # bytes of UTF-8
MAX_MESSAGE: Final = 64 * 1024  # bytes of an incoming message, and of a merged state
INT_BOUND: Final = 2**63  # exclusive

_NAMES_KEPT: Final = 256  # objects whose names' weight is remembered
_NAMES_UP_TO: Final = 1_024  # bytes of it, so that all of them take 1 MiB
_NAMES: Final[dict[tuple[str, ...], int]] = {}

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_NUMBER_WEIGHT: Final = 24  # no finite double or 64-bit integer is longer in shortest form
# What holds or is text takes more in memory than in JSON, where `[]` has two bytes (CPython, 64 bits; sys.getsizeof):
_HOLDER_WEIGHT: Final = 64
_TEXT_WEIGHT: Final = 48
_PLACE_WEIGHT: Final = 8
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,64}")


def object_weight(value: Mapping[str, Value], depth: int = 1) -> int:
    """
    An upper bound of the object's size in bytes of compact JSON, and of much the order of what it takes in memory.

    Raise `Malformed` when it's none we accept.
    """
    if len(value) > MAX_KEYS:
        raise Malformed(f"An object has over {MAX_KEYS} keys.")
    weight = _names_weight(tuple(value))
    for item in value.values():
        # The commonest kinds first: this runs for every report of every device.
        kind = type(item)
        if kind is float:
            if item - item:  # type: ignore[operator]  # narrowed by kind; not a number, but for a finite one
                raise Malformed("A number isn't finite.")
            weight += _NUMBER_WEIGHT
        elif kind is bool:
            weight += 5
        elif kind is int:
            if not -INT_BOUND < item < INT_BOUND:  # type: ignore[operator]  # narrowed by kind
                raise Malformed("An integer doesn't fit 64 bits.")
            weight += _NUMBER_WEIGHT
        else:
            weight += value_weight(item, depth + 1)
    return weight


def value_weight(value: Value, depth: int = 1) -> int:
    """As `object_weight`, for any value; *depth* counts the containers around and including this one."""
    if value is None or isinstance(value, bool):
        return 5
    if isinstance(value, str):
        return _TEXT_WEIGHT + text_weight(value)
    if isinstance(value, int):
        if not -INT_BOUND < value < INT_BOUND:
            raise Malformed("An integer doesn't fit 64 bits.")
        return _NUMBER_WEIGHT
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Malformed("A number isn't finite.")
        return _NUMBER_WEIGHT
    if depth > MAX_DEPTH:
        raise Malformed(f"Nested deeper than {MAX_DEPTH}.")
    if isinstance(value, dict):
        return _HOLDER_WEIGHT + object_weight(value, depth)
    if isinstance(value, list):
        return _HOLDER_WEIGHT + sum(_PLACE_WEIGHT + value_weight(item, depth + 1) for item in value)
    raise Malformed("Not a JSON value.")


def text_weight(text: str) -> int:
    """The text's size in bytes of JSON; raise `Malformed` for NUL, lone surrogates, over 4 KiB of UTF-8."""
    if not isinstance(text, str):
        raise Malformed("Not a text.")
    if text.isascii() and text.isidentifier():
        size = len(text)  # as nearly all keys: nothing in it is escaped
        weight = size + 2
    else:
        if "\0" in text:
            raise Malformed("A text holds U+0000.")
        try:
            size, weight = len(text.encode()), len(_COMPACT.encode(text).encode())
        except UnicodeEncodeError:
            raise Malformed("A text has a lone surrogate.") from None
    if size > MAX_TEXT:
        raise Malformed(f"A text is over {MAX_TEXT} bytes.")
    return weight


def _names_weight(names: tuple[str, ...]) -> int:
    """An object's weight without its values; remembered, for the reports of a house have a dozen different names."""
    weight = _NAMES.get(names)
    if weight is None:
        weight = 2
        for name in names:
            weight += text_weight(name) + 2
        if weight <= _NAMES_UP_TO:
            if len(_NAMES) >= _NAMES_KEPT:
                _NAMES.clear()
            _NAMES[names] = weight
    return weight


def object_size(value: Mapping[str, Value]) -> int:
    """Of an object that was found acceptable: its exact size in bytes of compact JSON."""
    return len(_COMPACT.encode(value).encode())


def external_id(text: object) -> str:
    """The id a device bears on the wires, or raise `ExternalIdInvalid`; none can act as a topic filter."""
    if isinstance(text, str) and _EXTERNAL_ID.fullmatch(text):
        return text
    raise ExternalIdInvalid


def tag(text: object) -> str:
    """A device type or kit tag, or raise `Malformed`."""
    if isinstance(text, str) and _TAG.fullmatch(text):
        return text
    raise Malformed("A type or tag is 1 to 64 of A-Z a-z 0-9 _ -.")
