"""The cookies that a login sets beside the tokens of its answer (docs/protocols.md §4): no script can read them."""

from __future__ import annotations

from http import HTTPMethod
from typing import TYPE_CHECKING, Final, TypeVar

from litestar import Response
from litestar.datastructures import Cookie
from litestar.enums import ScopeType

from station_core.errors import Forbidden
from station_core.identity.access import ACCESS_FOR
from station_core.identity.residents import SESSION_FOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from litestar.types import Scope

    from station_adapters.http.callers import Callers
    from station_core.identity.model import Login

T = TypeVar("T")

ACCESS: Final = "station_access"
REFRESH: Final = "station_refresh"
PATHS: Final = {ACCESS: "/", REFRESH: "/api/auth"}
"""Where each is sent to: the one that lasts goes to few."""
_CHANGES_NOTHING: Final = frozenset({HTTPMethod.GET, HTTPMethod.HEAD, HTTPMethod.OPTIONS})
_JSON: Final = b"application/json"


def with_cookies(content: T, login: Login, scope: Scope, callers: Callers) -> Response[T]:
    """An answer that sets both; to a page of another origin it sets none."""
    given = {ACCESS: (login.access_token, ACCESS_FOR), REFRESH: (login.refresh_token, SESSION_FOR)}
    cookies = [
        _cookie(name, value, int(lasts.total_seconds()), secure=callers.is_tls(scope))
        for name, (value, lasts) in given.items()
    ]
    return Response(content, cookies=() if callers.is_foreign(scope) else cookies)


def without_cookies(scope: Scope, callers: Callers) -> Sequence[Cookie]:
    """What takes both back."""
    return [] if callers.is_foreign(scope) else [_cookie(name, "", 0, secure=callers.is_tls(scope)) for name in PATHS]


def cookie_of(scope: Scope, name: str) -> str | None:
    """The value of a cookie; one that is there twice says nothing."""
    lines = [value for key, value in scope["headers"] if key == b"cookie"]
    pairs = (pair.strip().partition(b"=") for line in lines for pair in line.split(b";"))
    values = [value for key, _, value in pairs if key == name.encode()]
    return values[0].decode("latin-1") if len(values) == 1 else None


def check_own(scope: Scope, callers: Callers) -> None:
    """
    Raise `Forbidden` for a change that a cookie came along with unless it's known to come from a page of ours.

    A browser sends cookies whoever asks it to. SameSite keeps other sites away, but a page from another port of the
    same host is of the same site; and a form can't send JSON.
    """
    if scope["type"] == ScopeType.HTTP and scope["method"] in _CHANGES_NOTHING:
        return
    kinds = [value for key, value in scope["headers"] if key == b"content-type"]
    if not callers.is_own(scope) or not all(kind.partition(b";")[0].strip().lower() == _JSON for kind in kinds):
        raise Forbidden("With a cookie this is for pages of the station's own alone.")


def _cookie(name: str, value: str, lasts: int, *, secure: bool) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        path=PATHS[name],
        max_age=lasts,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
