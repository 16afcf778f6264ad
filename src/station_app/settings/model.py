from __future__ import annotations

import hmac
from enum import StrEnum
from pathlib import Path  # noqa: TC003  # msgspec looks fields' types up
from typing import TYPE_CHECKING, final

import msgspec

from station_adapters.mqtt.address import BrokerAddress  # noqa: TC001  # as above
from station_core.devices.types import DeviceType  # noqa: TC001  # as above

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
class Secret:
    """A text that shows itself only when asked by `reveal`; equal in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the one who has to present or check it, never for a log."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str:
        raise TypeError("A secret isn't pickled.")

    def _bytes(self) -> bytes:
        return self._text.encode(errors="surrogatepass")


class Origin(StrEnum):
    """Where a setting's value came from; `file` is the settings file or the setting's `…_FILE`."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"
    GENERATED = "generated"


class BleTransport(StrEnum):
    """How the station reaches the radio."""

    BLEAK = "bleak"
    BRIDGE = "bridge"
    VIRTUAL = "virtual"
    OFF = "off"


class MqttClient(StrEnum):
    """The library that speaks MQTT for the station."""

    AIOMQTT = "aiomqtt"


class LogLevel(StrEnum):
    """From which weight on the station logs."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogFormat(StrEnum):
    """For people, or for machines."""

    CONSOLE = "console"
    JSON = "json"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that an operator decides, checked (docs/protocols.md §7); None where the station decides by itself.

    *origins* tells of each `STATION_…` name where its value came from; *warnings* are sentences to be logged at start.
    """

    config: Path | None
    data_dir: Path
    station_id: str | None
    http_host: str
    http_port: int
    database_url: Secret
    mqtt_url: BrokerAddress | None
    """None: the station's own broker, `embedded`."""
    mqtt_host: str
    mqtt_port: int
    mqtt_public_host: str
    mqtt_allow_anonymous: bool
    mqtt_client: MqttClient
    cloud_url: str | None
    """STATION_CLOUD_HOST as the beginning of a URL, `wss://host[:port]`; None: no cloud."""
    cloud_ca_file: Path | None
    cloud_allow_plain: bool
    trusted_proxies: tuple[str, ...]
    ble_service_uuid: str
    ble_characteristic_uuid: str
    ble_transport: BleTransport
    jwt_secret: Secret | None
    agent_token: Secret | None
    log_level: LogLevel
    log_format: LogFormat | None
    device_types: tuple[DeviceType, ...]
    """Those of the operator's own, beside `station_core.devices.types.TYPES`."""
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the station runs a broker of its own."""
        return self.mqtt_url is None
