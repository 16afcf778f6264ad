from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import msgspec
import pytest

from station_adapters.http.errors import STATUS, problem_of
from station_core import errors
from station_core.errors import (
    BrokerUnavailable,
    DeviceUnknown,
    LinkDown,
    RateLimited,
    Starting,
    StationError,
    StoreFull,
    StoreUnavailable,
    Unauthenticated,
)
from station_core.identity import errors as people
from station_core.provisioning import errors as failures

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(kind: type[StationError] = StationError) -> Iterator[type[StationError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def test_every_error_of_the_tree_has_a_status() -> None:
    ours = {kind for kind in tree() if inspect.getmodule(kind) in (errors, failures, people)}

    assert ours == set(STATUS)


def test_a_problem_says_everything_to_new_clients_and_to_old_ones() -> None:
    body, _ = problem_of(DeviceUnknown(), "/api/devices/1")

    assert msgspec.to_builtins(body) == {
        "type": "urn:station:problem:device_unknown",
        "title": "Not Found",
        "status": 404,
        "detail": "The station has no such device.",
        "instance": "/api/devices/1",
        "code": "device_unknown",
        "statusCode": 404,
        "error": "Not Found",
        "message": "The station has no such device.",
    }


@pytest.mark.parametrize("error", [StoreUnavailable(), BrokerUnavailable(), Starting(), StoreFull()])
def test_what_passes_says_when_to_ask_again(error: StationError) -> None:
    _, headers = problem_of(error, "/")

    assert int(headers["retry-after"]) >= 1


def test_a_limit_says_when_it_is_over_and_never_too_early() -> None:
    _, headers = problem_of(RateLimited(retry_after=12.1), "/")

    assert headers == {"retry-after": "13"}


def test_who_is_unknown_is_told_how_to_show_who_they_are() -> None:
    _, headers = problem_of(Unauthenticated(), "/")

    assert headers == {"www-authenticate": "Bearer"}


def test_what_is_none_of_the_caller_s_business_is_not_told() -> None:
    body, _ = problem_of(LinkDown("mqtt://user:secret@broker"), "/")

    assert (body.status, body.code, body.detail) == (500, "internal", StationError.fact)
