"""All that an operator decides (docs/protocols.md §7): read once at the start, handed on as values."""

from station_app.settings.keys import StationKeys, is_new, prepare
from station_app.settings.load import examine_settings, load_settings
from station_app.settings.model import BleTransport, LogFormat, LogLevel, MqttClient, Origin, Secret, Settings

__all__ = [
    "BleTransport",
    "LogFormat",
    "LogLevel",
    "MqttClient",
    "Origin",
    "Secret",
    "Settings",
    "StationKeys",
    "examine_settings",
    "is_new",
    "load_settings",
    "prepare",
]
