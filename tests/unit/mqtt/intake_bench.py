from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from station_adapters.mqtt.intake import Intake
from station_adapters.mqtt.topics import Route, Suffix

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_adapters.mqtt.merging import Message


class Wire:
    def acknowledge(self, packet_ids: list[int]) -> None:
        raise AssertionError(packet_ids)  # the intake acknowledges nothing by itself


class Bench:
    """An intake whose turns of the loop are taken by hand."""

    def __init__(self) -> None:
        self.handled: list[Message] = []
        self.turns: list[Callable[[], None]] = []
        self.room = True
        self.keys = 128  # of a device's state
        self.roomy = 0
        self.shedding: list[bool] = []
        self.wire = Wire()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.intake = Intake(
            handle=self.handled.append,
            room=lambda: self.room,
            fits=self.fits,
            soon=self.turns.append,
            on_roomy=self.had_room,
            on_shedding=self.shedding.append,
            counts=self.counts,
        )

    def fits(self, _device: str, report: dict[str, Any]) -> bool:
        return len(report) <= self.keys

    def had_room(self) -> None:
        self.roomy += 1

    def offer(
        self,
        report: object,
        device: str = "d",
        *,
        suffix: Suffix = Suffix.STATE,
        packet_id: int = 0,
        flags: int = 0,
        station_id: str = "s",
    ) -> None:
        payload = report if isinstance(report, bytes) else json.dumps({"state": report}).encode()
        self.intake.offer(Route(station_id, device, suffix, 0), payload, packet_id, flags, self.wire)

    def run(self) -> None:
        while self.turns:
            self.turns.pop(0)()

    def reports(self) -> list[dict[str, Any]]:
        return [said for message in self.handled if isinstance(said := self.said(message), dict)]

    def said(self, message: Message) -> dict[str, Any] | bytes:
        """A report as it's handled, anything else as it came."""
        if message.route.suffix is not Suffix.STATE:
            return message.payload
        report: dict[str, Any] = json.loads(message.payload)["state"] if message.report is None else message.report
        return report
