from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from station_adapters.credentials.jwt import JwtAccessTokens
from station_adapters.memory.identity import MemoryTokens
from station_core.errors import Unauthenticated
from station_core.identity.model import Claims, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from station_core.identity.ports import AccessTokens

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CLAIMS = Claims(
    user_id="u-1", role=Role.ADMIN, session_id="s-1", token_id="t-1", issued_at=NOW, expires_at=NOW + 900 * SECOND
)


def memory() -> AccessTokens:
    return MemoryTokens()


def signed() -> AccessTokens:
    return JwtAccessTokens(secrets.token_urlsafe(32))


@pytest.fixture(params=[memory, signed], ids=lambda rig: rig.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[], AccessTokens]:
    rig: Callable[[], AccessTokens] = request.param
    return rig


@pytest.fixture
def tokens(make: Callable[[], AccessTokens]) -> AccessTokens:
    return make()


@pytest.mark.parametrize("role", Role)
def test_a_token_tells_the_claims_that_it_was_issued_for(tokens: AccessTokens, role: Role) -> None:
    claims = replace(CLAIMS, role=role)

    assert tokens.verify(tokens.issue(claims), at=NOW) == claims


def test_a_token_holds_until_it_expires_by_the_callers_clock(tokens: AccessTokens) -> None:
    token = tokens.issue(CLAIMS)

    assert tokens.verify(token, at=CLAIMS.expires_at - SECOND) == CLAIMS
    for late in (CLAIMS.expires_at, CLAIMS.expires_at + SECOND, CLAIMS.expires_at + timedelta(days=9_999)):
        with pytest.raises(Unauthenticated):
            tokens.verify(token, at=late)


def test_a_clock_that_was_set_back_a_little_locks_nobody_out(tokens: AccessTokens) -> None:
    token = tokens.issue(CLAIMS)

    assert tokens.verify(token, at=NOW - 30 * SECOND) == CLAIMS


def test_two_tokens_differ_by_their_id_alone(tokens: AccessTokens) -> None:
    one, two = tokens.issue(CLAIMS), tokens.issue(replace(CLAIMS, token_id="t-2"))

    assert one != two
    assert tokens.verify(one, at=NOW).token_id == "t-1"
    assert tokens.verify(two, at=NOW).token_id == "t-2"


def test_what_another_issued_holds_nothing(make: Callable[[], AccessTokens]) -> None:
    token = make().issue(CLAIMS)

    with pytest.raises(Unauthenticated):
        make().verify(token, at=NOW)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "Bearer x", "\ud800", "\0", "é.é.é", "x" * 1_000_000, "[" * 10_000, None, 7, b"x"]
)
def test_garbage_is_no_credential(tokens: AccessTokens, token: Any) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(token, at=NOW)


def test_a_token_that_was_touched_holds_nothing(tokens: AccessTokens) -> None:
    token = tokens.issue(CLAIMS)
    spoilt = [
        token[:-1],
        token + "=",
        token + "A",
        " " + token,
        token + "\n",
        token.upper(),
        token.replace(".", "..", 1),
    ]

    for other in spoilt:
        with pytest.raises(Unauthenticated):
            tokens.verify(other, at=NOW)
