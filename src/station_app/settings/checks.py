"""From a setting's text to its value; each raises `Unfit` with the rest of a sentence that begins with its name."""

from __future__ import annotations

import ipaddress
import re
import uuid
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from station_adapters.mqtt.address import BrokerAddress
from station_app.settings.model import Secret
from station_core import values
from station_core.errors import ExternalIdInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T", bound=str)

SECRET_BYTES: Final = 32  # at least; HS256 wants a key as long as its digest (RFC 7518 §3.2)
DIVERSE: Final = 5  # different characters at least
# What stands in the examples of others, jwt.io's first; by chance a random secret holds none of them.
KNOWN: Final = (
    "atleast256bits",
    "your256bit",
    "yoursecret",
    "yoursuper",
    "yourjwt",
    "supersecret",
    "topsecret",
    "mysecret",
    "jwtsecret",
    "secretkey",
    "secrethere",
    "defaultsecret",
    "devsecret",
    "changeme",
    "changethis",
    "changein",
    "replaceme",
    "replacethis",
    "placeholder",
    "insecure",
    "development",
    "donotuse",
)
MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
POSTGRES: Final = "postgresql+asyncpg"
_TRUTHS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")


class Unfit(Exception):
    """What is wrong with a text, as the rest of a sentence; it quotes no secret."""


def port(text: str) -> int:
    """A TCP port."""
    if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65_536:
        return int(text)
    raise Unfit(f"has to be a port, a number from 1 to 65535, not {_quoted(text)}")


def truth(text: str) -> bool:
    """True or false, in the usual spellings."""
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise Unfit(f"has to be true or false, not {_quoted(text)}") from None


def host(text: str) -> str:
    """A host name or an IP address."""
    if _is_address(text) or _HOST_NAME.fullmatch(text):
        return text
    raise Unfit(f"has to be a host name or an IP address, not {_quoted(text)}")


def one_of(*choices: T) -> Callable[[str], T]:
    """One word of several, in any case."""
    known = {choice.lower(): choice for choice in choices}

    def check(text: str) -> T:
        try:
            return known[text.lower()]
        except KeyError:
            raise Unfit(f"has to be one of {', '.join(choices)}, not {_quoted(text)}") from None

    return check


def ble_uuid(text: str) -> str:
    """A 128-bit UUID in lower case."""
    try:
        canonical = str(uuid.UUID(text))
    except ValueError:
        canonical = ""
    if canonical != text.lower():
        raise Unfit(f"has to be a UUID like 12c158d5-220f-4be9-b46a-a235f44c412a, not {_quoted(text)}")
    return canonical


def station_id(text: str) -> str:
    """As for devices: none may act as a topic filter."""
    try:
        return values.external_id(text)
    except ExternalIdInvalid:
        raise Unfit(
            f"has to be 1 to 64 of A-Z a-z 0-9 _ . : - and to begin with a letter or digit, not {_quoted(text)}"
        ) from None


def proxies(text: str) -> tuple[str, ...]:
    """Addresses and networks, with commas between; `none` for none."""
    if text.lower() == "none":
        return ()
    try:
        return tuple(str(ipaddress.ip_network(item.strip(), strict=False)) for item in text.split(","))
    except ValueError:
        raise Unfit(f"has to be IP addresses or networks with commas between, not {_quoted(text)}") from None


def secret(text: str) -> Secret:
    """A secret of our own, long enough and fit for an HTTP header."""
    if len(text.encode()) < SECRET_BYTES:
        raise Unfit(f"is too short: a secret has at least {SECRET_BYTES} bytes; `openssl rand -hex 32` makes one")
    if not text.isascii() or " " in text:
        raise Unfit("has to be of ASCII characters without spaces")
    letters = "".join(character for character in text.lower() if character.isalnum())
    if len(set(text)) < DIVERSE or any(known in letters for known in KNOWN):
        raise Unfit("is an example that everybody knows: `openssl rand -hex 32` makes one of your own")
    return Secret(text)


def broker(text: str) -> BrokerAddress | None:
    """`embedded` (None), or the URL of a broker."""
    if text.lower() == "embedded":
        return None
    url, number = _url(text, "has to be embedded, mqtt://user:password@host:port or mqtts://…", MQTT_PORTS)
    if url.path.strip("/") or url.query:
        raise Unfit("has something after host and port; percent-encode / and ? in a password")
    if url.password is not None and not url.username:
        raise Unfit("has a password but no user")
    return BrokerAddress(
        host=host(url.hostname or ""),
        port=number or MQTT_PORTS[url.scheme],
        user=unquote(url.username) if url.username else None,
        password=None if url.password is None else unquote(url.password),
        tls=url.scheme == "mqtts",
    )


def database(text: str) -> Secret:
    """SQLite by an absolute path, or PostgreSQL."""
    if text.startswith("sqlite:"):
        if not text.startswith("sqlite:////") or text.endswith("/"):
            raise Unfit("has to name SQLite's file by its absolute path: sqlite:////folder/station.db, four slashes")
        return Secret(text)
    schemes = (POSTGRES, "postgresql", "postgres")
    url, _ = _url(text, f"has to be sqlite:////path or {POSTGRES}://user:password@host:port/database", schemes)
    if not url.path.strip("/"):
        raise Unfit("names no database: …@host:port/database")
    return Secret(f"{POSTGRES}://{text.partition('://')[2]}")


def cloud(text: str, *, allow_plain: bool) -> str:
    """`host[:port]`, or `ws://…` where plain text is allowed: always on the loopback."""
    address = text if "://" in text else f"wss://{text}"
    url, _ = _url(address, "has to be host or host:port", ("wss", "ws"))
    if url.path.strip("/") or url.query or url.username is not None:
        raise Unfit("has to be host or host:port and nothing else")
    name = host(url.hostname or "")
    if url.scheme == "ws" and not allow_plain and not _is_loopback(name):
        raise Unfit("may be ws:// on the loopback only, or with STATION_CLOUD_ALLOW_PLAIN=true")
    return f"{url.scheme}://{url.netloc}"


def _url(text: str, wanted: str, schemes: Sequence[str] | dict[str, int]) -> tuple[SplitResult, int | None]:
    try:
        url = urlsplit(text)
        number = url.port
    except ValueError:
        raise Unfit(f"{wanted}; its port is no number from 1 to 65535, or its brackets are wrong") from None
    if url.scheme not in schemes:
        raise Unfit(wanted)
    if url.fragment or "#" in text:
        raise Unfit("holds a #; percent-encode it as %23")
    if number == 0 or not (url.hostname or url.query):
        raise Unfit(f"{wanted}; its host or port is missing")
    return url, number


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def _quoted(text: str) -> str:
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"
