from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

import jwt
import msgspec

from station_core.errors import SettingInvalid, Unauthenticated
from station_core.identity.access import ACCESS_FOR
from station_core.identity.model import Claims, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUER: Final = "station"
AUDIENCE: Final = "station/api"
KIND: Final = "access"
ALGORITHM: Final = "HS256"
HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
"""The only one there is: one of another algorithm, or with `kid`, `crit`, `jku` and the like, isn't even read."""

KEY_BYTES: Final = 32  # at least as long as the digest (RFC 7518 §3.2)
REMEMBERED: Final = 256  # tokens whose signature was found good; checking it costs more than the rest of a request
TOKEN_LIMIT: Final = 4096  # characters
STEP: Final = timedelta(seconds=60)  # a clock that was set back must not lock everybody out

_SHAPE: Final = re.compile(rf"{re.escape(HEADER)}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{{43}}")
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Time = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800)]  # up to the year 9999, where datetime ends


class _Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    user_id: _Id
    role: Role
    sid: _Id
    jti: _Id
    typ: Literal["access"]
    iss: Literal["station"]
    aud: Literal["station/api"]
    iat: _Time
    exp: _Time


class JwtAccessTokens:
    """`AccessTokens` as JSON Web Tokens, HS256; their times are whole seconds, rounded down."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()
        self._good: dict[str, Claims] = {}
        if len(self._key) < KEY_BYTES:
            raise SettingInvalid(f"The secret of access tokens has at least {KEY_BYTES} bytes.")

    def issue(self, claims: Claims) -> str:
        """See `AccessTokens`."""
        payload = _Payload(
            user_id=claims.user_id,
            role=claims.role,
            sid=claims.session_id,
            jti=claims.token_id,
            typ=KIND,
            iss=ISSUER,
            aud=AUDIENCE,
            iat=int(claims.issued_at.timestamp()),
            exp=int(claims.expires_at.timestamp()),
        )
        return jwt.encode(msgspec.to_builtins(payload), self._key, algorithm=ALGORITHM)

    def verify(self, token: str, *, at: datetime) -> Claims:
        """See `AccessTokens`."""
        claims = self._claims(token)
        if claims.expires_at <= at or claims.issued_at > at + STEP:
            raise Unauthenticated
        if claims.expires_at - claims.issued_at > ACCESS_FOR:  # signed by our key, but never by us
            raise Unauthenticated
        return claims

    def _claims(self, token: object) -> Claims:
        """What a token of ours says, whether or not it holds now."""
        if isinstance(token, str) and (known := self._good.get(token)) is not None:
            return known
        payload = self._payload(token)
        claims = Claims(
            user_id=payload.user_id,
            role=payload.role,
            session_id=payload.sid,
            token_id=payload.jti,
            issued_at=datetime.fromtimestamp(payload.iat, UTC),
            expires_at=datetime.fromtimestamp(payload.exp, UTC),
        )
        while len(self._good) >= REMEMBERED:
            del self._good[next(iter(self._good))]
        self._good[str(token)] = claims
        return claims

    def _payload(self, token: object) -> _Payload:
        if not isinstance(token, str) or len(token) > TOKEN_LIMIT or _SHAPE.fullmatch(token) is None:
            raise Unauthenticated
        with _jwt_errors():
            decoded = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Times are judged by the caller's clock, and everything by its type.
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "strict_aud": True},
            )
            return msgspec.convert(decoded, _Payload)


@contextmanager
def _jwt_errors() -> Iterator[None]:
    """What PyJWT and the payload's types find wrong is one thing to the core: no credential."""
    try:
        yield
    except (jwt.PyJWTError, msgspec.ValidationError) as error:
        raise Unauthenticated from error
