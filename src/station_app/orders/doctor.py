"""What may be wrong with a station and its machine, and what to do about it."""

from __future__ import annotations

import asyncio
import shutil
import stat
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from station_adapters.sql.migrations import current, revisions
from station_app.orders.order import Order
from station_app.settings import BleTransport
from station_core.clock import is_plausible
from station_core.errors import ClaimSealed, NotFound, StationError
from station_core.health import BLE, MQTT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from station_adapters.sql.engine import Database
    from station_app.settings import Settings
    from station_core.home import Home

ASKED_WITHIN: Final = 5.0  # seconds
TIGHT: Final = 512 * 2**20  # bytes of free disk; below, it's a warning
FULL: Final = 64 * 2**20  # bytes; below, it has failed
SECRETS: Final = ("jwt_secret", "agent_token", "broker", "sealing")  # in the data folder
RADIOS: Final = Path("/sys/class/bluetooth")
CLOUD: Final = "cloud"
UNSEAL: Final = "Put the file back and restart, or give the claim up: station claim --again"
BROKERS: Final = "/usr/sbin:/usr/local/sbin"  # beside PATH, which a user's often lacks


class State(StrEnum):
    """How a part is; `off`: not wanted by the settings, or not to be judged now."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    OFF = "off"


class Finding(msgspec.Struct, frozen=True):
    """How it is, in a sentence, and what to do."""

    state: State
    detail: str
    todo: str = ""


class Examined(msgspec.Struct, forbid_unknown_fields=True):
    """One part, or None for all."""

    part: str | None = None


class Doctor:
    """Looks at each part of a station, whether it runs or not; changes nothing."""

    def __init__(self, settings: Settings, database: Database, home: Home) -> None:
        self._settings = settings
        self._database = database
        self._home = home
        self._parts: Mapping[str, Callable[[], Awaitable[Finding]]] = {
            "database": self._asked_database,
            "migrations": self._migrations,
            "broker": self._broker,
            "secrets": self._secrets,
            "disk": self._disk,
            "clock": self._clock,
            "ble": self._bluetooth,
            "cloud": self._cloud,
        }

    @property
    def order(self) -> Order:
        """As an entry of the table."""
        return Order(wants=Examined, carry_out=lambda _, wanted: self.examine(wanted.part), always=True)

    async def examine(self, part: str | None = None) -> dict[str, Any]:
        """Findings by part; raise `NotFound` for a part that there isn't."""
        if part is not None and part not in self._parts:
            raise NotFound(f"There is no part {part[:32]}: name one of {', '.join(self._parts)}.")
        looks = self._parts if part is None else {part: self._parts[part]}
        return {name: msgspec.to_builtins(await look()) for name, look in looks.items()}

    async def _asked_database(self) -> Finding:
        return await self._of_database(
            lambda found: Finding(State.OK, f"It answers; its tables are at {found}." if found else "It answers.")
        )

    async def _migrations(self) -> Finding:
        newest = revisions()[-1]

        def judged(found: str | None) -> Finding:
            if found == newest:
                return Finding(State.OK, f"The tables are at {newest}.")
            if found is None:
                return Finding(State.WARN, "There are no tables yet.", "Start the station: it makes them.")
            if found in revisions():
                todo = f"Start the station: it takes them to {newest}."
                return Finding(State.WARN, f"The tables are at {found}.", todo)
            return Finding(State.FAIL, "A newer program made the tables.", "Install that version, or restore a backup.")

        return await self._of_database(judged)

    async def _of_database(self, judged: Callable[[str | None], Finding]) -> Finding:
        advice = "See that the database of STATION_DATABASE_URL runs and lets the station in."
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                return judged(await self._database.read(current))
        except TimeoutError:
            return Finding(State.FAIL, f"The database doesn't answer within {ASKED_WITHIN:.0f} seconds.", advice)
        except StationError as error:
            return Finding(State.FAIL, str(error), advice)

    async def _broker(self) -> Finding:
        part = self._home.health.parts.get(MQTT)
        if part is not None:
            if part.up:
                return Finding(State.OK, "The station is connected to its broker.")
            return Finding(State.FAIL, part.detail or "The broker is away.", "See the station's log.")
        address = self._settings.mqtt_url
        if address is None:
            if shutil.which("mosquitto") or shutil.which("mosquitto", path=BROKERS):
                return Finding(State.OK, "mosquitto is installed; the station starts it.")
            return Finding(State.FAIL, "There is no mosquitto here.", "Install it, or set STATION_MQTT_URL.")
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                _, writer = await asyncio.open_connection(address.host, address.port)
        except (OSError, TimeoutError):
            return Finding(State.FAIL, f"Nobody listens at {address.host}:{address.port}.", "See STATION_MQTT_URL.")
        writer.close()
        return Finding(State.OK, f"Somebody listens at {address.host}:{address.port}.")

    async def _secrets(self) -> Finding:
        found = [path for name in SECRETS if (path := self._settings.data_dir / name).exists()]
        if exposed := [str(path) for path in found if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]:
            return Finding(State.FAIL, f"Others may get at {', '.join(exposed)}.", f"chmod 600 {' '.join(exposed)}")
        if self._settings.data_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            folder = self._settings.data_dir
            return Finding(State.FAIL, f"{folder} is open to others.", f"chmod 700 {folder}")
        if self._settings.warnings:
            return Finding(State.WARN, " ".join(self._settings.warnings), "Change the settings that are named.")
        return Finding(State.OK, "Secrets and data are the station's alone.")

    async def _disk(self) -> Finding:
        free = shutil.disk_usage(self._settings.data_dir).free
        told = f"{free // 2**20} MiB are free at {self._settings.data_dir}."
        if free < TIGHT:
            return Finding(State.FAIL if free < FULL else State.WARN, told, "Make room: a full disk keeps nothing.")
        return Finding(State.OK, told)

    async def _clock(self) -> Finding:
        now = self._home.clock.now()
        if not is_plausible(now):
            return Finding(State.FAIL, f"The clock says {now:%Y-%m-%d}.", "Set it: timedatectl set-ntp true")
        return Finding(State.OK, f"The clock says {now:%Y-%m-%d %H:%M} UTC.")

    async def _bluetooth(self) -> Finding:
        if self._settings.ble_transport in {BleTransport.OFF, BleTransport.VIRTUAL}:
            return Finding(State.OFF, f"STATION_BLE_TRANSPORT is {self._settings.ble_transport.value}.")
        part = self._home.health.parts.get(BLE)
        if part is not None and part.up:
            return Finding(State.OK, "The station hears through its Bluetooth adapter.")
        if part is not None:
            advice = "See that bluetoothd runs and an adapter is on (bluetoothctl show); the station tries again."
            return Finding(State.WARN, f"{part.detail} No new device is found by radio.", advice)
        if RADIOS.is_dir() and any(RADIOS.iterdir()):
            return Finding(State.OK, "There is a Bluetooth adapter.")
        advice = "Plug one in, or set STATION_BLE_TRANSPORT to off."
        return Finding(State.WARN, "There is no Bluetooth adapter: no new device is found by radio.", advice)

    async def _cloud(self) -> Finding:
        if self._settings.cloud_url is None:
            return Finding(State.OFF, "STATION_CLOUD_HOST isn't set: the station works without a cloud.")
        if self._home.claim.sealed:
            return Finding(State.FAIL, ClaimSealed.fact, UNSEAL)
        part = self._home.health.parts.get(CLOUD)
        if part is None:
            return Finding(State.OFF, "No connection is held now.")
        if part.up:
            return Finding(State.OK, "The station is connected to its cloud.")
        return Finding(State.WARN, part.detail or "The cloud is away.", "The home goes on without it; see the log.")
