"""What a raw advertisement means: the whole of docs/protocols.md §2, "Finding candidates"; no I/O."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from station_core.errors import Malformed
from station_core.provisioning.model import Known, Sighting
from station_core.values import external_id, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME_PREFIX: Final = "SH_"
UNKNOWN_TYPE: Final = "unknown"
ADDRESSES: Final = 1024  # remembered at once; strangers change theirs every few minutes
PARTS: Final = 32  # service ids, and service data, remembered of one address


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What a radio hears of one address; ids of services in lower case."""

    address: str
    rssi: int
    name: str | None = None
    service_uuids: tuple[str, ...] = ()
    service_data: Mapping[str, bytes] = field(default_factory=dict)

    def carries(self, service_uuid: str) -> bool:
        """Whether it names the service, in its list or by data for it."""
        return service_uuid in self.service_uuids or service_uuid in self.service_data


class Heard:
    """What was heard of each address so far: a device may tell its name and its service in separate packets."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Advertisement] = OrderedDict()

    def merged(self, latest: Advertisement) -> Advertisement:
        """The *latest*, completed with what earlier ones from its address said."""
        if (before := self._known.pop(latest.address, None)) is not None:
            latest = Advertisement(
                address=latest.address,
                rssi=latest.rssi,
                name=latest.name or before.name,
                service_uuids=tuple(dict.fromkeys((*latest.service_uuids, *before.service_uuids)))[:PARTS],
                service_data=dict([*({**before.service_data, **latest.service_data}).items()][-PARTS:]),
            )
        self._known[latest.address] = latest
        if len(self._known) > ADDRESSES:
            self._known.popitem(last=False)
        return latest


def sighting(advertisement: Advertisement, service_uuid: str) -> Sighting | None:
    """The factory-fresh device that advertises, or None: without the service, or under an id that §1 forbids."""
    if not advertisement.carries(service_uuid):
        return None
    try:
        device_type, identity, known_by = _identity(advertisement, service_uuid)
        return Sighting(
            address=advertisement.address,
            external_id=external_id(identity),
            device_type=tag(device_type),
            known_by=known_by,
            rssi=advertisement.rssi,
            name=_spoken(advertisement.name),
        )
    except Malformed:
        return None


def _identity(advertisement: Advertisement, service_uuid: str) -> tuple[str, str, Known]:
    data = advertisement.service_data.get(service_uuid, b"")
    if data.isascii() and (found := _pair(data.decode("ascii"), ":")):
        return *found, Known.SERVICE_DATA
    name = advertisement.name or ""
    if name.startswith(NAME_PREFIX) and (found := _pair(name.removeprefix(NAME_PREFIX), "_")):
        return *found, Known.NAME
    return UNKNOWN_TYPE, advertisement.address.replace(":", "").replace("-", "").lower(), Known.ADDRESS


def _pair(text: str, separator: str) -> tuple[str, str] | None:
    """Type and id, or None where one is missing; whether they're allowed is asked later, and a no is final."""
    device_type, _, identity = text.partition(separator)
    return (device_type, identity) if device_type and identity else None


def _spoken(name: str | None) -> str | None:
    """The name as people may read it; what isn't clean text (bytes that were no UTF-8 among it) is none."""
    if name is None or not (name := name.strip()) or not name.isprintable() or "\N{REPLACEMENT CHARACTER}" in name:
        return None
    return name
