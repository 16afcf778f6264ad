from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import Scope

FORWARDED_FOR: Final = b"x-forwarded-for"
FORWARDED_PROTO: Final = b"x-forwarded-proto"
FORWARDED_HOST: Final = b"x-forwarded-host"
DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
OURS: Final = frozenset({b"same-origin", b"none"})
"""What Sec-Fetch-Site says of a page of ours, and of what the user does without a page."""


class Callers:
    """
    Who calls, and how, seen through the proxies that the operator trusts; what anybody else forwards isn't read.

    *trusted* are addresses and networks.
    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = [ip_network(one) for one in trusted]

    def address(self, scope: Scope) -> str | None:
        """The caller's address; of a chain of proxies the first that isn't trusted, counted from here."""
        peer = _peer(scope)
        if not self._trusts(peer):
            return None if peer is None else str(peer)
        for hop in reversed(_all(scope, FORWARDED_FOR)):
            behind = _read(hop)
            if behind is None:
                break
            peer = behind
            if not self._trusts(peer):
                break
        return str(peer)

    def is_tls(self, scope: Scope) -> bool:
        """Whether the caller's own connection was encrypted."""
        if scope["scheme"] in {"https", "wss"}:
            return True
        return self._trusts(_peer(scope)) and _all(scope, FORWARDED_PROTO)[:1] == ["https"]

    def host(self, scope: Scope) -> str | None:
        """Host and port that the caller asked for, in lower case; None when it can't be told."""
        forwarded = _all(scope, FORWARDED_HOST) if self._trusts(_peer(scope)) else []
        named = forwarded[:1] or _all(scope, b"host")
        return named[0].lower() if len(named) == 1 else None

    def is_own(self, scope: Scope) -> bool:
        """Whether a page of the station's own asks: the browser says so, and nothing else."""
        origins = [value.decode("latin-1") for key, value in scope["headers"] if key == b"origin"]
        return len(origins) == 1 and not self.is_foreign(scope) and self._is_ours(origins[0], scope)

    def is_foreign(self, scope: Scope) -> bool:
        """Whether a page of another origin asks; what is no browser names none."""
        for key, value in scope["headers"]:
            if key == b"origin" and not self._is_ours(value.decode("latin-1"), scope):
                return True
            if key == b"sec-fetch-site" and value not in OURS:
                return True
        return False

    def _is_ours(self, origin: str, scope: Scope) -> bool:
        scheme, _, authority = origin.lower().partition("://")
        default = DEFAULT_PORTS.get(scheme)
        host = self.host(scope)
        if default is None or host is None or (scheme == "http" and self.is_tls(scope)):
            return False
        return authority.removesuffix(default) == host.removesuffix(default)

    def _trusts(self, peer: IPv4Address | IPv6Address | None) -> bool:
        return peer is not None and any(peer in network for network in self._trusted)


def _peer(scope: Scope) -> IPv4Address | IPv6Address | None:
    client = scope["client"]
    return None if client is None else _read(client[0])


def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _all(scope: Scope, name: bytes) -> list[str]:
    """What is listed in the headers of this name, in their order."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [item for line in lines for part in line.split(",") if (item := part.strip())]
