"""The control socket's lines: one JSON object each way, newline at the end; no I/O here."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from station_core.errors import Malformed, StationError

LINE_BOUND: Final = 64 * 1024  # bytes of a request
SOCKET_NAME: Final = "station.sock"  # in the data folder


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """An order by name, and what it's about."""

    order: str
    arguments: dict[str, Any] = {}


class Failure(msgspec.Struct):
    """Why an order wasn't carried out, in the core's words."""

    code: str
    detail: str


class Answer(msgspec.Struct, omit_defaults=True):
    """What came of an order: *error*, or else *result*."""

    result: Any = None
    error: Failure | None = None


_requests: Final = msgspec.json.Decoder(Request)
_answers: Final = msgspec.json.Decoder(Answer)


def request_in(line: bytes) -> Request:
    """The request of a line, or raise `Malformed`."""
    try:
        return _requests.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"This is no request: {error}.") from None


def request_line(order: str, arguments: dict[str, Any]) -> bytes:
    """The line of a request."""
    return msgspec.json.encode(Request(order=order, arguments=arguments)) + b"\n"


def result_line(result: Any) -> bytes:
    """The line of an order that was carried out."""
    return msgspec.json.encode(Answer(result=result)) + b"\n"


def error_line(error: StationError) -> bytes:
    """The line of one that wasn't."""
    return msgspec.json.encode(Answer(error=Failure(code=error.code, detail=str(error)))) + b"\n"


def result_in(line: bytes) -> Any:
    """The result of an answer's line, or raise the error that it tells of."""
    try:
        answer = _answers.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The station's answer can't be read: {error}.") from None
    if answer.error is not None:
        raise _told(answer.error)
    return answer.result


def _told(failure: Failure) -> StationError:
    left: list[type[StationError]] = [StationError]
    while left:
        kind = left.pop()
        if kind.code == failure.code:
            return kind(failure.detail)
        left += kind.__subclasses__()
    return StationError(failure.detail)
