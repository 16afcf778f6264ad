from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from litestar import Request, Response, Router, get

if TYPE_CHECKING:
    from litestar.types import Scope

    from station_adapters.http.guards import Guards

FORWARDED: Final = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
"""Headers by which a proxy on this machine betrays that somebody else asks."""


class Figures(Protocol):
    """What the station tells of itself, ready to be scraped."""

    @property
    def content_type(self) -> str:
        """Of the text, without its charset, which is UTF-8."""
        ...

    async def text(self) -> bytes:
        """As of now."""
        ...


def metrics_routes(figures: Figures, guards: Guards) -> Router:
    """The figures, for owners and admins, and for a scraper on the same machine (docs/protocols.md §4)."""

    async def local_or_admin(request: Request[Any, Any, Any]) -> None:
        if not is_local(request.scope):
            await guards.admin(request)

    @get("/metrics", before_request=local_or_admin, include_in_schema=False)
    async def metrics() -> Response[bytes]:
        """All of them."""
        return Response(await figures.text(), media_type=figures.content_type)

    return Router("/", route_handlers=[metrics])


def is_local(scope: Scope) -> bool:
    """
    Whether a program on this machine asks for itself.

    The peer is the loopback, no proxy says that it asks for another, and the Host is the loopback too: a browser here
    that was led astray by its name service names another.
    """
    client = scope["client"]
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if client is None or len(hosts) != 1 or any(name in FORWARDED for name, _ in scope["headers"]):
        return False
    return _is_loopback(client[0]) and _is_loopback(_name(hosts[0].decode("latin-1")))


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
