from __future__ import annotations

from typing import Any

from station_core.devices.model import Status


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
