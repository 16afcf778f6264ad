from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_adapters.credentials.jwt import HEADER, REMEMBERED, JwtAccessTokens
from station_core.errors import SettingInvalid, Unauthenticated
from station_core.identity.model import Claims, Role

SECRET = "0123456789abcdef" * 2
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IAT = int(NOW.timestamp())
TOKENS = JwtAccessTokens(SECRET)
PAYLOAD: dict[str, Any] = {
    "userId": "u-1",
    "role": "owner",
    "sid": "s-1",
    "jti": "t-1",
    "typ": "access",
    "iss": "station",
    "aud": "station/api",
    "iat": IAT,
    "exp": IAT + 900,
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: str, payload: str, key: str = SECRET, algorithm: str = "sha256") -> str:
    signature = hmac.digest(key.encode(), f"{header}.{payload}".encode(), algorithm)
    return f"{header}.{payload}.{base64url(signature)}"


def token(payload: Any, header: Any = None) -> str:
    head = HEADER if header is None else base64url(json.dumps(header).encode())
    return signed(head, base64url(json.dumps(payload).encode()))


def refused(text: Any) -> bool:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(text, at=NOW)
    return True


def test_a_token_signed_by_hand_holds() -> None:
    claims = TOKENS.verify(token(PAYLOAD), at=NOW)

    assert claims == Claims(
        user_id="u-1",
        role=Role.OWNER,
        session_id="s-1",
        token_id="t-1",
        issued_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
    )


def test_a_token_is_signed_with_hmac_sha_256_and_says_whose_and_what_for() -> None:
    issued = TOKENS.issue(TOKENS.verify(token(PAYLOAD), at=NOW))
    header, payload, _ = issued.split(".")

    assert issued == signed(header, payload)
    assert json.loads(base64.urlsafe_b64decode(header)) == {"alg": "HS256", "typ": "JWT"}
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == PAYLOAD


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "HS384", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"alg": "hs256", "typ": "JWT"},
        {"alg": "HS256"},
        {"alg": "HS256", "typ": "JWT", "kid": "1"},
        {"alg": "HS256", "typ": "JWT", "kid": 1},
        {"alg": "HS256", "typ": "JWT", "crit": ["x"], "x": 1},
        {"alg": "HS256", "typ": "JWT", "b64": False, "crit": ["b64"]},
        {"alg": "HS256", "typ": "JWT", "jku": "https://example.org"},
        ["HS256"],
        None,
    ],
)
def test_another_header_isn_t_read_however_well_it_is_signed(header: Any) -> None:
    head = base64url(json.dumps(header).encode())

    assert refused(signed(head, base64url(json.dumps(PAYLOAD).encode())))


def test_a_token_without_a_signature_holds_nothing() -> None:
    payload = base64url(json.dumps(PAYLOAD).encode())

    assert refused(f"{HEADER}.{payload}.")
    assert refused(f"{HEADER}.{payload}")
    assert refused(base64url(b'{"alg":"none"}') + f".{payload}.")


def test_another_key_or_digest_makes_no_signature() -> None:
    payload = base64url(json.dumps(PAYLOAD).encode())

    assert refused(signed(HEADER, payload, key="x" * 32))
    assert refused(signed(HEADER, payload, algorithm="sha512"))
    assert refused(f"{HEADER}.{payload}.{base64url(hashlib.sha256(SECRET.encode()).digest())}")


def test_a_signature_has_one_spelling() -> None:
    good = token(PAYLOAD)
    last = ALPHABET.index(good[-1])
    same_bits = [good[:-1] + ALPHABET[last ^ spare] for spare in (1, 2, 3)]

    assert all(refused(other) for other in same_bits)
    assert refused(good + "=")
    assert refused(good + "==")
    assert refused(signed(HEADER, base64.urlsafe_b64encode(b'{"a":1}').decode()))


@pytest.mark.parametrize("claim", PAYLOAD)
def test_every_claim_is_required(claim: str) -> None:
    assert refused(token({name: value for name, value in PAYLOAD.items() if name != claim}))


NOTHING_FITS: list[Any] = [None, [], {}, True, 1.5, ""]
NO_TIME: list[Any] = ["9" * 20, -1, 10**12, 10**400, float(IAT + 900)]


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        *((name, value) for name in PAYLOAD for value in NOTHING_FITS),
        *((name, value) for name in ("iat", "exp") for value in NO_TIME),
        *((name, IAT) for name in ("userId", "sid", "jti")),
        ("userId", "x" * 129),
        ("role", "root"),
        ("role", "Owner"),
        ("typ", "refresh"),
        ("iss", "station2"),
        ("aud", "station"),
        ("aud", ["station/api"]),
    ],
)
def test_a_claim_of_another_type_or_value_is_refused(claim: str, value: Any) -> None:
    assert refused(token({**PAYLOAD, claim: value}))


def test_a_claim_that_we_never_make_is_refused() -> None:
    assert refused(token({**PAYLOAD, "nbf": IAT}))
    assert refused(token({**PAYLOAD, "sub": "u-1"}))


@pytest.mark.parametrize("payload", [[], "text", 7, None, [PAYLOAD]])
def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    assert refused(token(payload))


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{", b"{" * 2_000, b"[" * 2_900, b'{"userId": NaN}'])
def test_a_signed_payload_that_is_no_json_is_refused(payload: bytes) -> None:
    assert refused(signed(HEADER, base64url(payload)))


def test_a_token_from_the_future_holds_a_minute_ahead_and_no_more() -> None:
    ahead = {**PAYLOAD, "iat": IAT + 60, "exp": IAT + 960}

    assert TOKENS.verify(token(ahead), at=NOW).issued_at == NOW + timedelta(seconds=60)
    assert refused(token({**ahead, "iat": IAT + 61}))


def test_a_token_that_holds_longer_than_ours_do_is_refused() -> None:
    assert refused(token({**PAYLOAD, "iat": IAT, "exp": IAT + 901}))
    assert refused(token({**PAYLOAD, "iat": IAT, "exp": IAT + 30 * 365 * 86_400}))


def test_a_token_is_judged_by_the_time_it_is_asked_about() -> None:
    long_ago = datetime(1990, 1, 1, tzinfo=UTC)
    then = int(long_ago.timestamp())

    assert TOKENS.verify(token({**PAYLOAD, "iat": then, "exp": then + 900}), at=long_ago).issued_at == long_ago


@given(st.one_of(st.text(), st.binary(), st.none(), st.integers(), st.lists(st.text())))
def test_nothing_that_comes_in_raises_anything_else(text: Any) -> None:
    assert refused(text)


@given(st.text(alphabet=ALPHABET + "=.", max_size=80), st.text(alphabet=ALPHABET, min_size=43, max_size=43))
def test_no_payload_and_signature_raise_anything_else(payload: str, signature: str) -> None:
    assert refused(f"{HEADER}.{payload}.{signature}")


def test_a_short_secret_signs_nothing() -> None:
    with pytest.raises(SettingInvalid):
        JwtAccessTokens("x" * 31)


def test_the_secret_shows_nowhere() -> None:
    assert SECRET not in repr(TOKENS)


def test_a_token_that_was_found_good_before_still_expires() -> None:
    tokens = JwtAccessTokens(SECRET)
    tokens.verify(token(PAYLOAD), at=NOW)

    with pytest.raises(Unauthenticated):
        tokens.verify(token(PAYLOAD), at=NOW + timedelta(seconds=900))


def test_one_good_token_helps_no_other() -> None:
    tokens = JwtAccessTokens(SECRET)
    good = token(PAYLOAD)
    tokens.verify(good, at=NOW)

    for other in (good[:-1], good + "A", signed(HEADER, good.split(".")[1], key="another" * 5)):
        with pytest.raises(Unauthenticated):
            tokens.verify(other, at=NOW)


def test_what_is_remembered_of_good_tokens_is_bounded() -> None:
    tokens = JwtAccessTokens(SECRET)
    many = [token({**PAYLOAD, "jti": f"t-{n}"}) for n in range(REMEMBERED + 10)]

    assert [tokens.verify(one, at=NOW).token_id for one in many] == [f"t-{n}" for n in range(REMEMBERED + 10)]
    assert len(tokens._good) == REMEMBERED
