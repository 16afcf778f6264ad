"""Settings as people may see them: no secret, and no password in a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from station_app.settings.given import NAMES, variable
from station_app.settings.model import Secret

if TYPE_CHECKING:
    from station_adapters.mqtt.address import BrokerAddress
    from station_app.settings.model import Settings

HIDDEN: Final = "…"
PLAIN: Final = frozenset({"host", "port", "ssl", "sslmode", "timeout"})  # a database URL's options that are no secret
FIELDS: Final = {"STATION_ID": "station_id", "STATION_CLOUD_HOST": "cloud_url"}


def shown(settings: Settings, name: str) -> str | int | bool | list[str] | None:
    """The value of this `STATION_…` name; None when there is none, or the station decides."""
    if name == "STATION_DATABASE_URL":
        return url_without_password(settings.database_url.reveal())
    value = getattr(settings, FIELDS.get(name) or name.removeprefix("STATION_").lower())
    if name == "STATION_MQTT_URL":
        return "embedded" if value is None else _broker(value)
    if isinstance(value, tuple):
        return list(value)
    if value is None or isinstance(value, int):
        return value
    return HIDDEN if isinstance(value, Secret) else str(value)


def listed(settings: Settings) -> dict[str, Any]:
    """All of them: name, value, where that came from, and in the operator's words where exactly."""
    names = sorted(variable(name) for name in NAMES if name == "cloud_ca_file" or not name.endswith("_file"))
    told = [
        {
            "name": name,
            "value": shown(settings, name),
            "origin": settings.origins[name],
            "source": _source(settings, name),
        }
        for name in names
    ]
    return {"settings": told, "deviceTypes": [kind.id for kind in settings.device_types]}


def url_without_password(url: str) -> str:
    """The URL with a password, and what an option might hide, left out."""
    parts = urlsplit(url)
    who, at, where = parts.netloc.rpartition("@")
    user, colon, _ = who.partition(":")
    options = [f"{key}={value if key in PLAIN else HIDDEN}" for key, value in parse_qsl(parts.query)]
    query = f"?{'&'.join(options)}" if options else ""
    return f"{parts.scheme}://{user}{colon and f':{HIDDEN}'}{at}{where}{parts.path}{query}"


def _broker(address: BrokerAddress) -> str:
    who = "" if address.user is None else quote(address.user, safe="")
    password = "" if address.password is None else f":{HIDDEN}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"mqtt{'s' if address.tls else ''}://{who}{password}{'@' if who else ''}{host}:{address.port}"


def _source(settings: Settings, name: str) -> str:
    own_file = settings.origins.get(f"{name}_FILE")
    match settings.origins[name]:
        case "file" if own_file not in {None, "default"}:
            return f"file that {name}_FILE names"
        case "file":
            return str(settings.config)
        case "generated":
            return "generated at the first start, in the data folder"
        case origin:
            return str(origin)
