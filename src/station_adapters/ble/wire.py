"""The bridge's protocol, both directions (docs/protocols.md §2); bytes in, values out, no I/O."""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from station_core.errors import Malformed

_Kind = TypeVar("_Kind")

LINE_LIMIT: Final = 64 * 1024  # bytes, without its end


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    pass


class StartScan(_Message, frozen=True, kw_only=True, tag="start_scan"):
    """To the child: scan, and tell what carries the service."""

    service_uuid: str


class StopScan(_Message, frozen=True, kw_only=True, tag="stop_scan"):
    """To the child."""


class ConnectAndWrite(_Message, frozen=True, kw_only=True, tag="connect_and_write"):
    """To the child: one write to one device."""

    address: str
    service_uuid: str
    characteristic_uuid: str
    payload: str


class Ready(_Message, frozen=True, kw_only=True, tag="ready"):
    """From the child, at once."""


class Discovered(_Message, frozen=True, kw_only=True, tag="discovered"):
    """From the child: an advertisement, merged with what is known of its address; service data in hex."""

    address: str
    name: str | None
    rssi: int
    service_uuids: list[str]
    service_data: dict[str, str]


class ScanStarted(_Message, frozen=True, kw_only=True, tag="scan_started"):
    """From the child."""


class ScanStopped(_Message, frozen=True, kw_only=True, tag="scan_stopped"):
    """From the child."""


class WriteResult(_Message, frozen=True, kw_only=True, tag="write_result", omit_defaults=True):
    """From the child: what became of a write; *error* is the stable code of a `StationError`."""

    address: str
    ok: bool
    error: str | None = None


class Trouble(_Message, frozen=True, kw_only=True, tag="error", omit_defaults=True):
    """From the child: a line that it can't take or, *during* a scan, the end of that scan."""

    error: str
    during: Literal["scan"] | None = None


Command = StartScan | StopScan | ConnectAndWrite
Report = Ready | Discovered | ScanStarted | ScanStopped | WriteResult | Trouble

_encoder = msgspec.json.Encoder()
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def line(message: Command | Report) -> bytes:
    """One message as it stands on the pipe."""
    return _encoder.encode(message) + b"\n"


def command(text: bytes | None) -> Command:
    """What a line asks the child to do, or raise `Malformed`."""
    return _decoded(_commands, text)


def report(text: bytes | None) -> Report:
    """What a line from the child says, or raise `Malformed`."""
    return _decoded(_reports, text)


def _decoded(decoder: msgspec.json.Decoder[_Kind], text: bytes | None) -> _Kind:
    if text is None:
        raise Malformed(f"A line is over {LINE_LIMIT} bytes.")
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(str(error) or "The line is nested too deeply.") from error


class Lines:
    """Cuts a stream of bytes into lines, in bounded memory."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._too_long = False

    def fed(self, data: bytes) -> list[bytes | None]:
        """The lines that *data* completes, without their ends; None for each that is over the limit."""
        *ends, rest = data.split(b"\n")
        found: list[bytes | None] = []
        for end in ends:
            self._take(end)
            found.append(None if self._too_long else bytes(self._rest))
            self._rest.clear()
            self._too_long = False
        self._take(rest)
        return found

    def _take(self, part: bytes) -> None:
        if self._too_long or len(self._rest) + len(part) > LINE_LIMIT:
            self._too_long = True
            self._rest.clear()
        else:
            self._rest += part
