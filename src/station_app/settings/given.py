"""What was given, and where: the environment over an optional TOML file, as text that nobody has judged yet."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from station_adapters.system.files import disk_errors, read_private
from station_app.settings.model import Origin
from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    Report: TypeAlias = Callable[[SettingInvalid], None]
    """Is told of each problem, one after another: raises the first, or collects them all."""

PREFIX: Final = "STATION_"
TABLES: Final = "device_types"
NUMBERS: Final = frozenset({"http_port", "mqtt_port"})
TRUTHS: Final = frozenset({"mqtt_allow_anonymous", "cloud_allow_plain"})
LISTS: Final = frozenset({"trusted_proxies"})
PATHS: Final = frozenset({"data_dir", "cloud_ca_file"})
SECRETS: Final = frozenset({"database_url", "mqtt_url", "jwt_secret", "agent_token"})
"""What may come in a file of its own, named by `…_FILE`."""
NAMES: Final = (
    frozenset(
        {"config", "id", "http_host", "mqtt_host", "mqtt_public_host", "mqtt_client", "cloud_host", "ble_service_uuid"}
        | {"ble_characteristic_uuid", "ble_transport", "log_level", "log_format"}
    )
    | NUMBERS
    | TRUTHS
    | LISTS
    | PATHS
    | SECRETS
    | {f"{name}_file" for name in SECRETS}
)
"""All names there are (docs/protocols.md §7), without their prefix and in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A setting's text; *label* names the setting as the operator wrote it, a relative path begins at *base*."""

    label: str
    text: str = field(repr=False)
    origin: Origin
    base: Path
    home: Path

    def path(self) -> Path:
        """The text as a path, absolute; `~` is the home folder."""
        if self.text == "~" or self.text.startswith("~/"):
            return self.home / self.text[2:]
        return self.base / self.text


def raising(problem: SettingInvalid) -> None:
    """The `Report` of who can't go on with a setting that is wrong."""
    raise problem


def from_environment(environ: Mapping[str, str], home: Path, report: Report = raising) -> dict[str, Given]:
    """All `STATION_…` by name; an empty value counts as not given."""
    found = {}
    for written, text in environ.items():
        if not written.startswith(PREFIX):
            continue
        name = written.removeprefix(PREFIX).lower()
        try:
            if name not in NAMES or not written.isupper():
                raise _unknown(written, name, (variable(known) for known in NAMES), where="")
            _check_text(written, text)
        except SettingInvalid as problem:
            report(problem)
            continue
        if text:
            found[name] = Given(label=written, text=text, origin=Origin.ENVIRONMENT, base=Path.cwd(), home=home)
    return found


def from_file(path: Path, home: Path, report: Report = raising) -> tuple[dict[str, Given], list[Any]]:
    """All settings of a TOML file by name, and its tables of device types."""
    try:
        table = _table(path)
    except SettingInvalid as problem:
        report(problem)
        return {}, []
    types = table.pop(TABLES, [])
    if not isinstance(types, list):
        report(SettingInvalid(f"{TABLES} in {path} has to be tables: write [[{TABLES}]] before each."))
        types = []
    found = {}
    for name, value in table.items():
        label = f"{name} in {path}"
        try:
            _check_name(label, name, path)
            text = _text(label, name, value)
            _check_text(label, text)
        except SettingInvalid as problem:
            report(problem)
            continue
        if text:
            found[name] = Given(label=label, text=text, origin=Origin.FILE, base=path.parent, home=home)
    return found, types


def variable(name: str) -> str:
    """The name as the environment spells it."""
    return PREFIX + name.upper()


def overlaid(inner: Mapping[str, Given], outer: Mapping[str, Given], report: Report = raising) -> dict[str, Given]:
    """*outer* over *inner*, then what each `…_FILE` holds; outside, either of the two names hides both inside."""
    pairs = [{name, f"{name}_file"} for name in sorted(SECRETS)]
    hidden = {name for pair in pairs if pair & set(outer) for name in pair}
    found = {name: value for name, value in inner.items() if name not in hidden} | dict(outer)
    for name in sorted(SECRETS):
        if (pointer := found.get(f"{name}_file")) is None:
            continue
        if name in found:
            report(SettingInvalid(f"Both {found[name].label} and {pointer.label} are given: keep one of them."))
            continue
        try:
            found[name] = replace(pointer, text=_secret(pointer), origin=Origin.FILE)
        except SettingInvalid as problem:
            report(problem)
    return found


def _table(path: Path) -> dict[str, Any]:
    with disk_errors(path):
        content = path.read_bytes()
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        # The parser's own words hold a place and at most one character, nothing of a secret.
        reason = "it isn't UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise SettingInvalid(f"{path} is no TOML: {reason}.") from None


def _secret(pointer: Given) -> str:
    path = pointer.path()
    try:
        text = read_private(path).decode().rstrip("\r\n")
    except SettingInvalid as error:
        raise SettingInvalid(f"{pointer.label}: {error}") from error
    except UnicodeDecodeError:
        raise SettingInvalid(f"{pointer.label}: {path} isn't UTF-8 text.") from None
    if not text:
        raise SettingInvalid(f"{pointer.label}: {path} is empty.")
    return text


def _check_name(label: str, name: str, path: Path) -> None:
    if name not in NAMES:
        raise _unknown(name, name.lower().removeprefix(PREFIX.lower()), (*NAMES, TABLES), where=f" in {path}")
    if name == "config":
        raise SettingInvalid(f"{label}: a settings file can't name another; use {PREFIX}CONFIG.")


def _text(label: str, name: str, value: object) -> str:
    match value:
        case str():
            return value
        case bool() if name in TRUTHS:
            return "true" if value else "false"
        case int() if name in NUMBERS and not isinstance(value, bool):
            return str(value)
        case list() if name in LISTS and all(isinstance(item, str) for item in value):
            return ",".join(value)
    wanted = "true or false" if name in TRUTHS else "a number" if name in NUMBERS else "a text in quotes"
    raise SettingInvalid(f"{label} has to be {wanted}.")


def _check_text(label: str, text: str) -> None:
    if not text.isprintable():  # surrogates of what wasn't UTF-8 aren't printable either
        raise SettingInvalid(f"{label} holds a character that can't be printed, or isn't UTF-8.")


def _unknown(written: str, name: str, known: Iterable[str], *, where: str) -> SettingInvalid:
    candidates = {candidate.lower().removeprefix(PREFIX.lower()): candidate for candidate in known}
    likely = difflib.get_close_matches(name.lower(), sorted(candidates), n=1, cutoff=0.5)
    hint = f" Do you mean {candidates[likely[0]]}?" if likely else " docs/protocols.md §7 lists all there are."
    return SettingInvalid(f"There is no setting {written[:80]}{where}.{hint}")
