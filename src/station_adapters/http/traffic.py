from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from station_core.measures import SECONDS, Distribution

if TYPE_CHECKING:
    from litestar.types import HTTPScope

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE: Final = "none"
OTHER: Final = "other"


class Traffic:
    """
    What was asked and how it was answered, by the route's template, method and status.

    Never by the path, which holds ids, nor by a method that somebody made up: what is counted is bounded.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.seconds: dict[tuple[str, str], Distribution] = {}

    def answered(self, scope: HTTPScope, status: int, seconds: float) -> None:
        """A request has its answer."""
        route = scope.get("path_template") or NO_ROUTE
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self.requests[route, method, status] += 1
        if (spread := self.seconds.get((route, method))) is None:
            spread = self.seconds[route, method] = Distribution(SECONDS)
        spread.observe(seconds)
