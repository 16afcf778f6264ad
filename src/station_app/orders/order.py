from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from station_core.home import Home


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of an order that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    One thing that can be ordered.

    *wants* is the type of its arguments; *live* says that it needs a running station, *always* that it's carried out
    also while that one starts or stops.
    """

    wants: type[msgspec.Struct]
    carry_out: Callable[[Home, Any], Awaitable[Any]]
    live: bool = False
    always: bool = False
