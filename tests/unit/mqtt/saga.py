from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from station_core.devices.model import Status

if TYPE_CHECKING:
    from station_core.devices.activity import Activity
    from tests.unit.mqtt.scripted_broker import Station

DEVICES: Final = ("lamp", "door")


class Saga:
    """What a device said, in its order, and what must have come of it."""

    def __init__(self) -> None:
        self.events: list[int] = []
        self.repeatable: set[int] = set()  # came to a broker that forgot, and so again
        self.number: int | None = None
        self.on: bool | None = None
        self.flips: list[bool] = []
        self.session: int | None = None
        self.status: Status | None = Status.OFFLINE  # None: as it may be after a kill
        self.changes: list[Status] = []

    def turned(self, status: Status) -> None:
        if status is not self.status:
            self.changes.append(status)
        self.status = status

    def says(self, suffix: str, said: dict[str, Any]) -> None:
        if suffix == "heartbeat" and said["status"] == "offline":
            session = said.get("session")
            if session is None or self.session is None or session >= self.session:
                self.turned(Status.OFFLINE)
            return
        self.turned(Status.ONLINE)
        if suffix == "handshake" or said.get("session") is not None:
            self.session = said["session"]
        if suffix == "event":
            self.events.append(said["data"]["n"])
        elif suffix == "state":
            self.number = said["state"].get("n", self.number)
            on = said["state"].get("on", self.on)
            if self.on is not None and on is not self.on:
                self.flips.append(on)
            self.on = on

    def check(self, station: Station, name: str, *, forgot: bool = False, killed: bool = False) -> None:
        """All had its effect; some was said again if a broker *forgot*, and a station that was *killed* forgets too."""
        [device] = [one for one in station.home.household.devices() if one.external_id == name]
        kept = station.store._by_external_id(name)
        assert device.state.get("n") == self.number
        assert device.state.get("on") is self.on
        assert device.session == self.session
        assert kept is not None
        assert kept.state == device.state
        assert self.status in {None, device.status}
        if not forgot:
            assert [item.payload["newValue"] for item in feed(station, name, "state_transition")] == self.flips
        if not forgot and not killed:
            assert [item.payload["status"] for item in feed(station, name, "status_changed")] == self.changes


def feed(station: Station, device: str, event_type: str) -> list[Activity]:
    """What is told of a device, oldest first."""
    return [
        item for item in station.store._feed if item.device_name == device.title() and item.event_type == event_type
    ]


def numbers(feed: list[Activity]) -> list[int]:
    """Of the events that devices numbered; those that stand for a flip bear none."""
    told: list[Any] = [item.payload["data"] for item in feed]
    return [data["n"] for data in told if "n" in data]
