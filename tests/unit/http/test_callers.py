"""Who calls: forwarded headers are believed from configured proxies alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from station_adapters.http.callers import Callers

if TYPE_CHECKING:
    from litestar.types import Scope

PROXY, INNER, CLIENT = "10.0.0.1", "10.0.0.2", "192.168.1.7"


def scope(peer: str | None = PROXY, scheme: str = "http", **headers: str | list[str]) -> Scope:
    lines: list[tuple[bytes, bytes]] = []
    for name, values in headers.items():
        each = [values] if isinstance(values, str) else values
        lines.extend((name.replace("_", "-").encode(), value.encode("latin-1")) for value in each)
    asked: dict[str, Any] = {"client": None if peer is None else (peer, 5), "scheme": scheme, "headers": lines}
    return cast("Scope", asked)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address"),
    [
        (CLIENT, [], CLIENT),
        (CLIENT, ["1.2.3.4"], CLIENT),
        (PROXY, [], PROXY),
        (PROXY, ["1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (PROXY, ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (PROXY, [f"6.6.6.6, 1.2.3.4, {INNER}"], "1.2.3.4"),
        (PROXY, [f"{INNER}"], INNER),
        (PROXY, ["1.2.3.4, unknown"], PROXY),
        (PROXY, ["nonsense, \xff"], PROXY),
        (PROXY, [", ,"], PROXY),
        (PROXY, ["[2001:db8::1]"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        (None, ["1.2.3.4"], None),
        ("testclient", ["1.2.3.4"], None),
    ],
)
def test_a_callers_address(peer: str | None, forwarded_for: list[str], address: str | None) -> None:
    callers = Callers([PROXY, "10.0.0.2/31"])

    assert callers.address(scope(peer, x_forwarded_for=forwarded_for)) == address


def test_without_trusted_proxies_nothing_that_is_forwarded_is_read() -> None:
    asked = scope(x_forwarded_for="1.2.3.4", x_forwarded_proto="https", x_forwarded_host="home.example", host="station")

    assert Callers().address(asked) == PROXY
    assert not Callers().is_tls(asked)
    assert Callers().host(asked) == "station"


@pytest.mark.parametrize(
    ("scheme", "forwarded", "tls"),
    [
        ("https", [], True),
        ("wss", [], True),
        ("http", ["https"], True),
        ("http", ["https, http"], True),
        ("http", ["http"], False),
        ("ws", [], False),
        ("ws", ["HTTPS!"], False),
    ],
)
def test_whether_the_caller_speaks_tls(scheme: str, forwarded: list[str], *, tls: bool) -> None:
    assert Callers([PROXY]).is_tls(scope(scheme=scheme, x_forwarded_proto=forwarded)) is tls


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"host": "Station:3000"}, "station:3000"),
        ({"host": "station", "x_forwarded_host": "Home.Example"}, "home.example"),
        ({"host": ["a", "b"]}, None),
        ({}, None),
    ],
)
def test_which_host_was_asked_for(headers: dict[str, Any], host: str | None) -> None:
    assert Callers([PROXY]).host(scope(**headers)) == host
