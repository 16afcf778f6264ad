"""
What the store keeps of JSON and text: the same verdict before either database sees it, for they disagree.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_core.errors import ChangeRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

DEPTH: Final = 64  # no wire lets through half of it; what is encoded must be decodable from any stack

_encode = msgspec.json.Encoder(enc_hook=dict).encode  # the hook: read-only mappings
_decode = msgspec.json.Decoder().decode


def to_json(value: object) -> str:
    """Compact JSON text; raise `ChangeRefused` for what no database can keep."""
    try:
        encoded = _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ChangeRefused(type(error).__name__) from None
    # msgspec writes NaN as null and takes NUL and any depth; only what may be one of these is looked at closely.
    if b"null" in encoded or b"\\u0000" in encoded or encoded.count(b"{") + encoded.count(b"[") > DEPTH:
        _check(value, DEPTH)
    return encoded.decode()


def from_json(text: str | bytes) -> Any:
    """What `to_json` was given."""
    return _decode(text)


def check_texts(texts: Iterable[str | None]) -> None:
    """Raise `ChangeRefused` unless all can be kept: no NUL, no lone surrogate."""
    joined = "".join(text for text in texts if text is not None)
    if "\0" in joined:
        raise ChangeRefused("NUL")
    if not joined.isascii():
        try:
            joined.encode()
        except UnicodeEncodeError:
            raise ChangeRefused("a lone surrogate") from None


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ChangeRefused("NUL")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ChangeRefused("a number that isn't finite")
    elif isinstance(value, list | tuple):
        _check_all(value, depth)
    elif hasattr(value, "items"):
        _check_all(value.keys(), depth)  # type: ignore[attr-defined]  # a mapping
        _check_all(value.values(), depth)  # type: ignore[attr-defined]  # same


def _check_all(values: Iterable[object], depth: int) -> None:
    if depth == 0:
        raise ChangeRefused("nested too deep")
    for value in values:
        _check(value, depth - 1)
