"""The settings file as a JSON Schema, for editors that complete and check TOML as it's written."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from station_app.settings.device_types import Table  # noqa: TC001  # msgspec looks fields' types up
from station_app.settings.model import BleTransport, LogFormat, LogLevel, MqttClient

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Port: TypeAlias = Annotated[int, Meta(ge=1, le=65_535)]
File: TypeAlias = Annotated[str, Meta(description="Path of a file that holds this secret; others may not read it.")]
Own: TypeAlias = Annotated[str, Meta(min_length=32)]


class StationToml(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that station.toml may hold, each in its usual spelling; what isn't given is as the default says."""

    data_dir: Annotated[str, Meta(description="Folder for all that the station keeps.")] = "~/.local/share/station"
    id: (
        Annotated[str, Meta(description="Name on the wires. Default: the board's serial, else generated and kept.")]
        | UnsetType
    ) = UNSET
    http_host: Annotated[str, Meta(description="Where HTTP listens.")] = "0.0.0.0"  # noqa: S104  # as in `load`
    http_port: Annotated[Port, Meta(description="Port of HTTP and the live socket.")] = 3000
    database_url: (
        Annotated[
            str,
            Meta(
                description="sqlite:////absolute/path or postgresql+asyncpg://user:password@host:port/database. "
                "Default: SQLite in the data folder."
            ),
        ]
        | UnsetType
    ) = UNSET
    database_url_file: File | UnsetType = UNSET
    mqtt_url: Annotated[str, Meta(description="embedded, or mqtt://user:password@host:port, or mqtts://…")] = "embedded"
    mqtt_url_file: File | UnsetType = UNSET
    mqtt_host: Annotated[str, Meta(description="Where the station's own broker listens.")] = "0.0.0.0"  # noqa: S104
    mqtt_port: Annotated[Port, Meta(description="Port of the station's own broker.")] = 1883
    mqtt_public_host: (
        Annotated[str, Meta(description="The broker's host as devices are told. Default: this host's mDNS name.")]
        | UnsetType
    ) = UNSET
    mqtt_allow_anonymous: Annotated[
        bool, Meta(description="Whether firmware that knows no password, and everybody else, may use the broker.")
    ] = False
    mqtt_client: Annotated[MqttClient, Meta(description="The library that speaks MQTT.")] = MqttClient.AIOMQTT
    cloud_host: Annotated[str, Meta(description="host[:port] of the cloud. Default: none.")] | UnsetType = UNSET
    cloud_ca_file: (
        Annotated[str, Meta(description="Certificates to trust the cloud by. Default: the system's.")] | UnsetType
    ) = UNSET
    cloud_allow_plain: Annotated[bool, Meta(description="Whether ws:// may leave this machine.")] = False
    trusted_proxies: Annotated[
        str | list[str], Meta(description="Addresses and networks of proxies whose headers are believed.")
    ] = "none"
    ble_service_uuid: Annotated[str, Meta(description="GATT service that provisioning looks for.")] = (
        "12c158d5-220f-4be9-b46a-a235f44c412a"
    )
    ble_characteristic_uuid: Annotated[str, Meta(description="GATT characteristic that takes the credentials.")] = (
        "85e4cb5a-4718-47e3-b363-b2d82655ee1e"
    )
    ble_transport: Annotated[BleTransport, Meta(description="How the radio is reached.")] = BleTransport.BLEAK
    jwt_secret: Annotated[Own, Meta(description="Signs access tokens. Default: generated and kept.")] | UnsetType = (
        UNSET
    )
    jwt_secret_file: File | UnsetType = UNSET
    agent_token: Annotated[Own, Meta(description="For agents. Default: generated and kept.")] | UnsetType = UNSET
    agent_token_file: File | UnsetType = UNSET
    log_level: Annotated[LogLevel, Meta(description="From which weight on it logs.")] = LogLevel.INFO
    log_format: Annotated[LogFormat, Meta(description="Default: console on a terminal, else json.")] | UnsetType = UNSET
    device_types: Annotated[list[Table], Meta(description="Device types of one's own.")] = []


def schema() -> dict[str, Any]:
    """The JSON Schema, with defaults and descriptions."""
    (root,), components = msgspec.json.schema_components([StationToml], ref_template="#/$defs/{name}")
    top = components.pop(root["$ref"].rpartition("/")[2])
    return {"$schema": DIALECT, **top, "$defs": components}
