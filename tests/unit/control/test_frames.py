from __future__ import annotations

import pytest

from station_adapters.control import frames
from station_core.errors import DeviceUnknown, Malformed, StationError, StoreTaken


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{}", b"[]", b"\xff", b"[" * 100_000),
        *(b'{"order": 1}', b'{"order": "a", "arguments": []}', b'{"order": "a", "more": 1}'),
    ],
    ids=lambda line: line[:20],
)
def test_what_is_no_request_is_malformed(line: bytes) -> None:
    with pytest.raises(Malformed):
        frames.request_in(line)


def test_a_request_arrives_as_it_was_sent() -> None:
    line = frames.request_line("device list", {"name": "Küche\n"})
    request = frames.request_in(line)

    assert line.count(b"\n") == 1
    assert (request.order, request.arguments) == ("device list", {"name": "Küche\n"})


@pytest.mark.parametrize("error", [DeviceUnknown("no lamp"), StoreTaken(), StationError("odd")], ids=repr)
def test_an_error_is_raised_at_the_other_end_as_what_it_was(error: StationError) -> None:
    with pytest.raises(type(error)) as raised:
        frames.result_in(frames.error_line(error))

    assert str(raised.value) == str(error)


def test_an_error_of_a_newer_station_is_told_in_its_words() -> None:
    with pytest.raises(StationError, match="too hot"):
        frames.result_in(b'{"error": {"code": "overheated", "detail": "too hot"}}')


def test_an_answer_that_is_none_is_malformed() -> None:
    with pytest.raises(Malformed):
        frames.result_in(b"HTTP/1.1 400 Bad Request\r\n")
