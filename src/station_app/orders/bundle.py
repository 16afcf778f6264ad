"""What somebody needs who is to help and can't look: everything about a station but its secrets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import re
import shutil
import stat
from collections import Counter
from dataclasses import fields
from importlib.metadata import distributions, version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from station_adapters.sql.migrations import current, revisions
from station_app.logs import recent
from station_app.masking import MASK, masked
from station_app.orders.doctor import ASKED_WITHIN
from station_app.orders.order import Nothing, Order
from station_app.settings import Secret
from station_app.settings.shown import listed
from station_core.errors import StationError

if TYPE_CHECKING:
    from station_adapters.metrics.exposition import Exposition
    from station_adapters.sql.engine import Database
    from station_app.orders.doctor import Doctor
    from station_app.settings import Settings, StationKeys
    from station_core.home import Home

LONG: Final = 12  # characters; a shorter secret may be a word, and the places where that is missing would tell it
READ: Final = 256 * 1024  # bytes of one file of the broker
BROKER_FILES: Final = ("mosquitto.conf", "acl", "passwords")
_DIGEST: Final = re.compile(r"^([^:\n]*):.*$", re.MULTILINE)
_CONTROL: Final = re.compile(r"\x1b\[[0-9;]*m")
_ABOUT: Final = """\
What `station doctor --bundle` found out about a station, for whoever helps its operator.

Not in it: passwords, tokens and other secrets, what devices reported, people's names and addresses.
In it: names of hosts and folders, the ids of devices (broker/passwords, log.txt), and, of a station that was running,
the newest lines of its log. Look through it before you give it away.
"""


class Bundle:
    """Collects the documents of a support bundle, whether the station runs or not; changes nothing."""

    def __init__(
        self,
        *,
        settings: Settings,
        keys: StationKeys,
        database: Database,
        home: Home,
        doctor: Doctor,
        figures: Exposition,
    ) -> None:
        self._settings = settings
        self._secrets = _secrets(settings, keys)
        self._database = database
        self._home = home
        self._doctor = doctor
        self._figures = figures

    @property
    def order(self) -> Order:
        """As an entry of the table."""
        return Order(wants=Nothing, carry_out=lambda _, __: self.documents(), always=True)

    async def documents(self) -> dict[str, str]:
        """Text by name; nothing in it is a secret."""
        lines = recent()
        found = {
            "about.json": self._about(running=lines is not None),
            "settings.json": listed(self._settings),
            "doctor.json": await self._doctor.examine(),
            "migrations.json": await self._migrations(),
            "disk.json": self._disk(),
        }
        texts = {"README.txt": _ABOUT, **self._broker()}
        if lines is not None:
            found["health.json"] = self._health()
            texts["metrics.txt"] = (await self._figures.text()).decode()
            texts["log.txt"] = _CONTROL.sub("", "".join(f"{line}\n" for line in lines))
        texts |= {name: self._json(content) for name, content in found.items()}
        return {name: self._without_secrets(text) for name, text in texts.items()}

    def _json(self, content: Any) -> str:
        plain = msgspec.to_builtins(content, str_keys=True)
        return json.dumps(_masked_leaves(plain), ensure_ascii=False, indent=2) + "\n"

    def _without_secrets(self, text: str) -> str:
        """Whoever wrote it there: what the station knows to be a secret isn't in it."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _about(self, *, running: bool) -> dict[str, Any]:
        uname = platform.uname()
        libraries = {one.name: one.version for one in distributions() if one.name}
        return {
            "version": version("station"),
            "madeAt": self._home.clock.now().isoformat(),
            "running": running,
            "process": {"id": os.getpid(), "user": os.geteuid()},
            "python": platform.python_version(),
            "platform": {"system": uname.system, "release": uname.release, "machine": uname.machine},
            "libc": " ".join(platform.libc_ver()),
            "processors": os.cpu_count(),
            "load": os.getloadavg(),
            "libraries": dict(sorted(libraries.items(), key=lambda one: one[0].lower())),
        }

    def _health(self) -> dict[str, Any]:
        health = self._home.health
        return {
            "phase": health.phase,
            "ready": health.ready,
            "parts": {
                name: {"up": part.up, "since": part.since, "detail": part.detail} for name, part in health.parts.items()
            },
            "devices": Counter(f"{device.type} {device.status}" for device in self._home.household.devices()),
            "users": len(self._home.accounts.users()),
            "journalWaiting": self._home.journal.waiting,
        }

    async def _migrations(self) -> dict[str, Any]:
        known = revisions()
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                present = await self._database.read(current)
        except (StationError, TimeoutError) as error:
            return {"newest": known[-1], "error": str(error) or "It doesn't answer."}
        return {"newest": known[-1], "present": present}

    def _disk(self) -> dict[str, Any]:
        folder = self._settings.data_dir
        usage = shutil.disk_usage(folder)
        files = []
        for path in sorted(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # some of SQLite's come and go
                found = path.lstat()
                mode = stat.filemode(found.st_mode)
                files.append({"name": path.name, "mode": mode, "bytes": found.st_size, "user": found.st_uid})
        return {"folder": str(folder), "total": usage.total, "free": usage.free, "files": files}

    def _broker(self) -> dict[str, str]:
        """The files that the own broker reads; those of its logins without their digests."""
        folder = self._settings.data_dir / "mosquitto"
        found = {}
        for name in BROKER_FILES:
            if (path := folder / name).is_file():
                with path.open("rb") as file:
                    text = file.read(READ).decode(errors="replace")
                found[f"broker/{name}"] = _DIGEST.sub(rf"\1:{MASK}", text) if name == "passwords" else text
        return found


def _secrets(settings: Settings, keys: StationKeys) -> list[str]:
    """All that the station itself holds, however new; the longest first, for one may begin as another does."""
    held = [*msgspec.structs.astuple(settings), *(getattr(keys, field.name) for field in fields(keys))]
    known = {value.reveal() for value in held if isinstance(value, Secret)}
    for url in tuple(known):
        parts = urlsplit(url)
        known |= {parts.password or "", *(value for _, value in parse_qsl(parts.query))}
    known.add((settings.mqtt_url and settings.mqtt_url.password) or "")
    known |= {unquote(secret) for secret in known} | {quote(secret, safe="") for secret in known}
    return sorted((secret for secret in known if len(secret) >= LONG), key=len, reverse=True)


def _masked_leaves(value: Any) -> Any:
    """What looks like a secret inside a text is masked; names aren't judged, for a part is called "secrets"."""
    if isinstance(value, dict):
        return {key: _masked_leaves(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked_leaves(item) for item in value]
    return masked(value) if isinstance(value, str) else value
