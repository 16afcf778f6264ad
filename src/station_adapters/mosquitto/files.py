"""The files that Mosquitto reads, as text made from values alone; no I/O."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from station_core.devices.credentials import Account

ITERATIONS: Final = 1  # a token of 256 random bits needs no slow digest, and all devices come at once after a power cut
SALT: Final = 12  # bytes, as mosquitto_passwd takes them
PACKET_LIMIT: Final = 1024 * 1024 + 65_536  # bytes: 1 MiB and a topic; the station judges what is smaller
MEMORY_LIMIT: Final = 256 * 1024 * 1024  # bytes: what devices may make the broker hold while the station is away
CONNECTIONS: Final = 2_000

DEVICE_WRITES: Final = ("handshake", "state", "event", "heartbeat", "command/ack")
DEVICE_READS: Final = ("handshake/ack", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user of the broker; one of the station's own holds a `/`, so that no device can bear its name."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where devices reach the broker; *anonymous* lets in older firmware that knows no password, and whoever else."""

    host: str
    port: int
    anonymous: bool = False


def digest(token: str) -> str:
    """The token as Mosquitto keeps it: PBKDF2-HMAC-SHA512, `$7$iterations$salt$hash`."""
    salt = os.urandom(SALT)
    derived = hashlib.pbkdf2_hmac("sha512", token.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def configuration(listener: Listener, folder: Path, *, run_as: str, persistence: Path) -> str:
    """mosquitto.conf; *run_as* is the station's own user, or Mosquitto started as root would become another."""
    lines = [
        "# Made by station at each start; changes are lost.",
        "per_listener_settings false",
        f"user {run_as}",
        f"listener {listener.port} {listener.host}",
        f"allow_anonymous {_truth(listener.anonymous)}",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'acl'}",
        # Whoever may choose a client id can throw another client off. A device without a password has no user name
        # to take one from; the station's own client id is a secret then.
        f"use_username_as_clientid {_truth(not listener.anonymous)}",
        "set_tcp_nodelay true",
        f"max_connections {CONNECTIONS}",
        "max_inflight_messages 0",
        "max_queued_messages 0",
        f"memory_limit {MEMORY_LIMIT}",
        f"max_packet_size {PACKET_LIMIT}",
        "persistent_client_expiration 2d",
        # What the broker acknowledged and the station hasn't kept yet outlives the end of both (SIGTERM saves it).
        "persistence true",
        f"persistence_location {persistence}/",
        "autosave_interval 60",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp false",
        "connection_messages false",
    ]
    return "\n".join(lines) + "\n"


def passwords(accounts: Sequence[Account], own: Sequence[Login]) -> str:
    """The password file."""
    lines = [f"{login.user}:{digest(login.password)}" for login in own]
    lines += [f"{account.external_id}:{account.digest}" for account in accounts if can_log_in(account.external_id)]
    return "\n".join(lines) + "\n"


def speaker(station: Login) -> Login:
    """Who the station is on the connection that it speaks on: where the user is the client id, a user has one alone."""
    return Login(user=f"{station.user}/speaker", password=station.password)


def rights(station: Login, *, anonymous: bool) -> str:
    """The ACL file: a device its own topics, the station the ends of all of them, everybody else nothing."""
    lines = []
    if anonymous:
        # Before any user: for clients without one. They may play any device; that is what the setting's warning says.
        lines += [f"topic write station/+/device/+/{suffix}" for suffix in DEVICE_WRITES]
        lines += [f"topic read station/+/device/+/{suffix}" for suffix in DEVICE_READS]
    for login in (station, speaker(station)):
        lines.append(f"user {login.user}")
        # What a device said it also writes: with nothing, to have it forgotten.
        lines += [f"topic readwrite station/+/device/+/{suffix}" for suffix in DEVICE_WRITES]
        lines += [f"topic write station/+/device/+/{suffix}" for suffix in DEVICE_READS]
    lines += [f"pattern write station/+/device/%u/{suffix}" for suffix in DEVICE_WRITES]
    lines += [f"pattern read station/+/device/%u/{suffix}" for suffix in DEVICE_READS]
    return "\n".join(lines) + "\n"


def can_log_in(external_id: str) -> bool:
    """Whether Mosquitto's password file can name this user: it has no way to write a `:` in a name."""
    return ":" not in external_id


def _truth(value: object) -> str:
    return "true" if value else "false"
