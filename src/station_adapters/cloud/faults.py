"""
What an error is in JSON-RPC (docs/protocols.md §4): -32602 for what is malformed, -32000 for all others, and beside it
the code that all wires share, in `data`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from station_core.errors import (
    LinkDown,
    Malformed,
    RateLimited,
    SettingInvalid,
    StationError,
    StoreNewer,
    StoreTaken,
)

_PARAMS: Final = -32602
_OURS: Final = -32000


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `error` object of a response."""

    code: int
    message: str
    data: dict[str, Any] | None = None


PARSE_ERROR: Final = Fault(-32700, "Parse error")
INVALID_REQUEST: Final = Fault(-32600, "Invalid Request")
METHOD_NOT_FOUND: Final = Fault(-32601, "Method not found")
TOO_MANY: Final = Fault(_OURS, "Too many calls are under way.", {"code": RateLimited.code})

BUGS: Final = frozenset({StationError, LinkDown, StoreTaken, SettingInvalid, StoreNewer})
"""By design none of these reaches a caller; one that does is a bug of ours, of which the caller learns no more."""

INTERNAL: Final = Fault(_OURS, StationError.fact, {"code": StationError.code})


def fault_of(error: StationError) -> Fault:
    """The error object for what a handler raised."""
    if type(error) in BUGS:
        return INTERNAL
    return Fault(_PARAMS if isinstance(error, Malformed) else _OURS, str(error), {"code": error.code})
