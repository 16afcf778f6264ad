"""What devices say, decoded (docs/protocols.md §1); no I/O. Whatever is wrong with a payload is `Malformed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec

from station_core.devices.model import Introduction
from station_core.errors import Malformed, TooLarge
from station_core.values import INT_BOUND, MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from station_core.values import Value

T = TypeVar("T")
Session = Annotated[int, msgspec.Meta(ge=0, le=INT_BOUND - 1)]
Whole = Annotated[int, msgspec.Meta(ge=1 - INT_BOUND, le=INT_BOUND - 1)]


class State(msgspec.Struct, gc=False):
    """A report: capability names and values."""

    state: dict[str, Any]


class Numbers(msgspec.Struct, gc=False):
    """A report of nothing but numbers, each of them acceptable."""

    state: dict[str, Whole | float]


class Plain(msgspec.Struct, gc=False):
    """A report of nothing but numbers and booleans, each of them acceptable."""

    state: dict[str, Whole | float | bool]


class Event(msgspec.Struct):
    """Something that happened at the device."""

    event: str
    data: dict[str, Any]


class Heartbeat(msgspec.Struct):
    """The device is there, or, as its last will, gone."""

    status: Literal["online", "offline"]
    session: Session | None = None


class Handshake(msgspec.Struct):
    """How a device introduces itself; the mixed case is the wire's."""

    type: str
    firmware_version: str = msgspec.field(name="firmwareVersion")
    chip: str | None = None
    kit_tag: str | None = None
    session: Session | None = None
    acks: bool = False

    def introduction(self) -> Introduction:
        """In the core's words."""
        return Introduction(
            type=self.type,
            firmware_version=self.firmware_version,
            chip=self.chip,
            kit_tag=self.kit_tag,
            session=self.session,
            acks=self.acks,
        )


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Reader(Generic[T]):
    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, payload: bytes) -> T:
        if len(payload) > MAX_MESSAGE:
            raise Malformed(TooLarge.fact)
        try:
            return self._decode(payload)
        except UNREADABLE as error:
            raise Malformed(str(error)) from None


read_state: Final = _Reader(State)
decode_state: Final = msgspec.json.Decoder(State).decode
"""As `read_state`, but raises one of `UNREADABLE`, and takes a payload of any size."""

decode_numbers: Final = msgspec.json.Decoder(Numbers).decode
"""As `decode_state`; `msgspec.ValidationError` for any other report."""

decode_plain: Final = msgspec.json.Decoder(Plain).decode
"""As `decode_numbers`."""

read_event: Final = _Reader(Event)
read_heartbeat: Final = _Reader(Heartbeat)
read_handshake: Final = _Reader(Handshake)

HANDSHAKE_OK: Final = b'{"status":"ok"}'
HANDSHAKE_UNKNOWN: Final = b'{"status":"unknown_device"}'

_encode = msgspec.json.Encoder().encode


def write_command(command: Mapping[str, Value]) -> bytes:
    """A flat command as its device reads it."""
    return _encode(command)
