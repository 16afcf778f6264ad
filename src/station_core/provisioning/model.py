"""What is in radio range, and how far a provisioning has come; values only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from station_core.audit.model import SYSTEM, Actor, Subject, SubjectKind
from station_core.errors import Malformed
from station_core.values import text_weight

if TYPE_CHECKING:
    from datetime import datetime


SSID_BOUND: Final = 32  # bytes, IEEE 802.11 §9.4.2.2
PASSPHRASE: Final = (8, 64)  # bytes of a WPA passphrase; 64 are the key itself in hex digits


class Known(IntEnum):
    """By what a device in range is identified, weakest first (docs/protocols.md §2)."""

    ADDRESS = 0
    NAME = 1
    SERVICE_DATA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One advertisement of a factory-fresh device, understood; *name* is what it calls itself, if it does."""

    address: str
    external_id: str
    device_type: str
    known_by: Known
    rssi: int
    """dBm."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A device in range that waits for being provisioned, or that already is."""

    address: str
    external_id: str
    device_type: str
    known_by: Known
    default_name: str
    rssi: int
    """dBm."""
    last_seen: datetime
    provisioned: bool

    def seen(self, sighting: Sighting, *, at: datetime) -> Candidate:
        """After another advertisement from the same address: its identity may get better, never worse."""
        if sighting.known_by < self.known_by:
            return replace(self, rssi=sighting.rssi, last_seen=at)
        return replace(
            self,
            external_id=sighting.external_id,
            device_type=sighting.device_type,
            known_by=sighting.known_by,
            default_name=sighting.name or default_name(sighting),
            rssi=sighting.rssi,
            last_seen=at,
        )


def default_name(sighting: Sighting) -> str:
    """What a person would call a device that doesn't name itself."""
    return f"{sighting.device_type} {sighting.external_id}"


class Step(StrEnum):
    """How far a provisioning has come; the last three end it."""

    LOOKING = "looking"
    FOUND = "found"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WRITTEN = "written"
    WAITING = "waiting_for_handshake"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in {Step.DONE, Step.FAILED, Step.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One provisioning, from the wish to its end; *code* says why it failed."""

    id: str
    external_id: str
    name: str
    created_at: datetime
    by: Actor = SYSTEM
    zone_id: str | None = None
    step: Step = Step.LOOKING
    code: str | None = None
    device_id: str | None = None

    @property
    def subject(self) -> Subject:
        """As what something is done to."""
        return Subject(kind=SubjectKind.PROVISIONING, id=self.id, name=self.external_id)


class Handover(StrEnum):
    """Whether the agent knows of the home's network."""

    WANTED = "wanted"
    """A person has told it, and the agent hasn't asked since."""
    TAKEN = "taken"
    """The agent was told, and hasn't told since where it is."""
    KNOWN = "known"
    """It's the agent's own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wifi:
    """The home's network, as devices join it."""

    ssid: str
    password: str = field(repr=False)
    handover: Handover = Handover.KNOWN

    def same_as(self, other: Wifi) -> bool:
        """Whether it's the same network, whoever knows of it."""
        return (self.ssid, self.password) == (other.ssid, other.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """What a device needs to know of its station: the broker as devices reach it, and the station's id."""

    mqtt_host: str
    mqtt_port: int
    station_id: str


def payload(wifi: Wifi, whereabouts: Whereabouts, *, external_id: str, token: str) -> bytes:
    """What is written to a device: the JSON of docs/protocols.md §2."""
    told = {
        "ssid": wifi.ssid,
        "password": wifi.password,
        "mqtt_host": whereabouts.mqtt_host,
        "mqtt_port": whereabouts.mqtt_port,
        "device_id": external_id,
        "device_token": token,
        "station_id": whereabouts.station_id,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def checked_wifi(ssid: str, password: str) -> Wifi:
    """Raise `Malformed` for what no network has: IEEE 802.11 SSIDs are 1 to 32 bytes, WPA passphrases 8 to 63."""
    for text in (ssid, password):
        text_weight(text)
    if not 0 < len(ssid.encode()) <= SSID_BOUND:
        raise Malformed(f"A network's name has 1 to {SSID_BOUND} bytes.")
    if password and not PASSPHRASE[0] <= len(password.encode()) <= PASSPHRASE[1]:
        raise Malformed("A network's password has 8 to 63 bytes, or 64 hex digits, or is empty for an open network.")
    return Wifi(ssid=ssid, password=password)
