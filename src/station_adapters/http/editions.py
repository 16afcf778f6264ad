"""Entity tags of devices (docs/protocols.md §4, "What has changed since")."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_core.errors import Stale

if TYPE_CHECKING:
    from litestar import Request

    from station_adapters.shapes.devices import DeviceOut

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST: Final = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")


def etag(device: DeviceOut, edition: str) -> str:
    """A strong tag: what people have set, then all that is shown."""
    shown = hashlib.sha256(msgspec.json.encode(device)).hexdigest()[:16]
    return f'"{edition}-{shown}"'


def is_known(request: Request[Any, Any, Any], tag: str) -> bool:
    """Whether the client holds what bears this tag (If-None-Match)."""
    named = request.headers.get("if-none-match")
    if named is None:
        return False
    return named.strip() == "*" or tag.strip('"') in _tags(named, weak=True)


def wanted_editions(request: Request[Any, Any, Any]) -> frozenset[str] | None:
    """The editions that a change is meant for (If-Match), None for any; raise `Stale` for a header that names none."""
    named = request.headers.get("if-match")
    if named is None or named.strip() == "*":
        return None
    editions = frozenset(tag.partition("-")[0] for tag in _tags(named, weak=False))
    if not editions:
        raise Stale
    return editions


def _tags(named: str, *, weak: bool) -> list[str]:
    if not _LIST.fullmatch(named):
        return []
    return [tag for mark, tag in _TAG.findall(named) if weak or not mark]
