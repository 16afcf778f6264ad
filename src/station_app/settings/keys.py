from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from station_adapters.system.files import disk_errors, read_private, write_atomically
from station_app.settings import checks
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_app.settings.model import Secret, Settings

T = TypeVar("T")

SEALING: Final = "sealing"
CPUINFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class StationKeys:
    """What makes a station this one: its id, and the secrets that outlive a restart; *broker* is its own MQTT login."""

    station_id: str
    jwt_secret: Secret
    agent_token: Secret
    broker: Secret
    sealing: Secret
    """What seals the secrets in the database: without it they can't be read any more."""


def prepare(settings: Settings, folder: Path, cpuinfo: Path = CPUINFO) -> StationKeys:
    """
    Take what the settings give, and generate and keep in *folder* what they don't.

    To be called by the one who holds the folder's lock. Raise `SettingInvalid` for a kept secret that is damaged or
    that others can read, `StoreFull` when one can't be kept.
    """
    return StationKeys(
        station_id=settings.station_id or board_serial(cpuinfo) or _kept(folder / "station_id", _id, checks.station_id),
        jwt_secret=settings.jwt_secret or _kept(folder / "jwt_secret", _secret, checks.secret),
        agent_token=settings.agent_token or _kept(folder / "agent_token", _secret, checks.secret),
        broker=_kept(folder / "broker", _secret, checks.secret),
        sealing=_kept(folder / SEALING, _secret, checks.secret),
    )


def is_new(folder: Path) -> bool:
    """Whether no station has kept secrets in *folder* yet; one that can't be looked into counts as new."""
    return not os.path.exists(folder / SEALING)  # noqa: PTH110  # Path's raises for what may not be read


def board_serial(cpuinfo: Path) -> str | None:
    """The board's serial number, where it has one that it shares with no other board."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return None
    serial = next((line.partition(":")[2].strip() for line in lines if line.startswith("Serial")), "")
    if not serial.strip("0"):  # boards without a serial number report zeros
        return None
    try:
        return checks.station_id(serial)
    except checks.Unfit:
        return None


def _kept(path: Path, make: Callable[[], str], check: Callable[[str], T]) -> T:
    with disk_errors(path):
        missing = not path.exists()
    if missing:
        write_atomically(path, f"{make()}\n".encode())
    try:
        return check(read_private(path).decode(errors="replace").rstrip("\n"))
    except checks.Unfit as reason:
        raise SettingInvalid(f"{path} {reason}. Remove the file: station makes a new one.") from None


def _id() -> str:
    return secrets.token_hex(8)  # as long as a board's serial


def _secret() -> str:
    return secrets.token_urlsafe(32)
