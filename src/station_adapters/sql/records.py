"""Between the core's values and the tables' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from station_adapters.sql.content import check_texts
from station_core.devices.credentials import Credential, Successor
from station_core.devices.model import Device, Status
from station_core.identity.model import Role, Session, User

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from station_core.devices.types import CommandType, DeviceType


def device_row(device: Device, credential: Credential) -> dict[str, Any]:
    """A new device's row; raise `ChangeRefused` for text that can't be kept."""
    row = {
        "id": device.id,
        "external_id": device.external_id,
        "name": device.name,
        "type": device.type,
        "zone_id": device.zone_id,
        "status": device.status.value,
        "last_known_state": device.state,
        "firmware_version": device.firmware_version,
        "chip": device.chip,
        "kit_tag": device.kit_tag,
        "last_heartbeat_at": device.last_heartbeat_at,
        "station_id": device.station_id,
        "session": device.session,
        "acks": device.acks,
        "device_token": credential.digest,
        "broker_digest": credential.broker_digest,
        "created_at": device.created_at,
        "updated_at": device.updated_at,
    }
    check_texts(value for value in row.values() if isinstance(value, str))
    return row


def device_in(row: RowMapping) -> Device:
    """The device that a row of `devices` tells of."""
    return Device(
        id=row["id"],
        external_id=row["external_id"],
        name=row["name"],
        type=row["type"],
        zone_id=row["zone_id"],
        status=Status(row["status"]),
        state=row["last_known_state"],
        firmware_version=row["firmware_version"],
        chip=row["chip"],
        kit_tag=row["kit_tag"],
        last_heartbeat_at=row["last_heartbeat_at"],
        station_id=row["station_id"],
        session=row["session"],
        acks=row["acks"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def credential_in(row: RowMapping) -> Credential | None:
    """The device's credential, None when it has none."""
    if row["device_token"] is None or row["broker_digest"] is None:
        return None
    return Credential(
        device_id=row["id"],
        external_id=row["external_id"],
        digest=row["device_token"],
        broker_digest=row["broker_digest"],
    )


def successor_in(row: RowMapping) -> Successor | None:
    """What the device is to have next, None when it stays with what it has."""
    if row["next_token"] is None:
        return None
    credential = Credential(
        device_id=row["id"],
        external_id=row["external_id"],
        digest=row["next_token"],
        broker_digest=row["next_broker_digest"],
    )
    return Successor(credential=credential, written=row["next_written"])


def credential_row(credential: Credential | None) -> dict[str, Any]:
    """The part of a device's row that tells of its credential, and of no successor."""
    return {
        "device_token": None if credential is None else credential.digest,
        "broker_digest": None if credential is None else credential.broker_digest,
        **successor_row(None),
    }


def successor_row(successor: Successor | None) -> dict[str, Any]:
    """The part that tells of its successor."""
    return {
        "next_token": None if successor is None else successor.credential.digest,
        "next_broker_digest": None if successor is None else successor.credential.broker_digest,
        "next_written": None if successor is None else successor.written,
    }


def type_row(kind: DeviceType) -> dict[str, Any]:
    """A device type's row, in the words of docs/protocols.md §4."""
    return {
        "id": kind.id,
        "category": kind.category,
        "periodic": kind.periodic,
        "capabilities": [
            _given({"key": c.key, "type": c.type.value, "unit": c.unit, "min": c.min, "max": c.max})
            for c in kind.capabilities
        ],
        "commands": [{"action": c.action, "parameters": _parameters(c)} for c in kind.commands],
        "events": list(kind.events),
    }


def user_in(row: RowMapping) -> User:
    """The user that a row of `users` tells of."""
    return User(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=Role(row["role"]),
        created_at=row["created_at"],
        password_hash=row["password_hash"],
        disabled=row["disabled"],
        cloud_user_id=row["cloud_user_id"],
        linked=row["linked"],
        station_password_hash=row["station_password_hash"],
        synced_at=row["synced_at"],
    )


def user_row(user: User) -> dict[str, Any]:
    """A user's row."""
    return {
        "id": user.id,
        "email": user.email,
        "email_folded": user.email.casefold(),
        "name": user.name,
        "role": user.role.value,
        "password_hash": user.password_hash,
        "disabled": user.disabled,
        "cloud_user_id": user.cloud_user_id,
        "linked": user.linked,
        "station_password_hash": user.station_password_hash,
        "synced_at": user.synced_at,
        "created_at": user.created_at,
    }


def session_in(row: RowMapping) -> Session:
    """The session that a row of `sessions` tells of."""
    return Session(
        id=row["id"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        used_at=row["used_at"],
        expires_at=row["expires_at"],
        device=row["device"],
        user_agent=row["user_agent"],
    )


def session_row(session: Session) -> dict[str, Any]:
    """A session's row."""
    return {
        "id": session.id,
        "user_id": session.user_id,
        "created_at": session.created_at,
        "used_at": session.used_at,
        "expires_at": session.expires_at,
        "device": session.device,
        "user_agent": session.user_agent,
    }


def _parameters(command: CommandType) -> Sequence[dict[str, Any]]:
    return [
        _given({"name": p.name, "type": p.type.value, "min": p.min, "max": p.max, "required": p.required})
        for p in command.parameters
    ]


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
