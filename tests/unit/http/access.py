"""docs/access.md, read: which credential is let in where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Litestar

PAGE: Final = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
PEOPLE: Final = frozenset({"owner", "admin", "member"})
SOCKETS: Final = frozenset({"/ws", "/api/ws"})


def _table(header: str) -> list[tuple[str, str]]:
    lines = PAGE.partition(f"\n| {header} |\n|---|---|\n")[2].splitlines()
    table = lines[: next(n for n, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    return [(left.strip(), right.strip()) for _, left, right, _ in (line.split("|") for line in table)]


def _who(cell: str) -> frozenset[str]:
    """What is said before the semicolon; after it, the page tells people more."""
    return frozenset(re.findall(r"\w+", cell.partition(";")[0]))


CREDENTIALS: Final[Mapping[str, frozenset[str]]] = {name: _who(cell) for name, cell in _table("credential | passes as")}
ROUTES: Final[Mapping[str, frozenset[str]]] = {
    route: _who(cell) for routes, cell in _table("route | who") for route in re.findall(r"`([^`]+)`", routes)
}
MESSAGES: Final[Mapping[str, frozenset[str]]] = {name.strip("`"): _who(cell) for name, cell in _table("message | who")}


def lets_in(who: frozenset[str], credential: str) -> bool:
    """Whether the row's *who* lets somebody in who has this credential."""
    return "anybody" in who or bool(who & CREDENTIALS[credential])


def refusal(who: frozenset[str], credential: str) -> tuple[int, str]:
    """How somebody is refused: status and code."""
    too_low = bool(CREDENTIALS[credential] & PEOPLE and who & PEOPLE)
    return (403, "forbidden") if too_low else (401, "unauthenticated")


def routes_of(app: Litestar) -> set[str]:
    """Every route of an application, with its method; OPTIONS is every path's."""
    return {f"{method} {route.path_format}" for route in app.routes for method in route.methods if method != "OPTIONS"}


def sockets_of(app: Litestar) -> set[str]:
    """The paths that know no methods."""
    return {route.path for route in app.routes if not route.methods}
