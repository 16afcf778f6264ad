from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

NOBODY = "3f2b8f3e-0000-4000-8000-000000000000"
"""The id of a device that nobody has."""
DEVICE = {"externalId": "pir", "name": "Hall", "type": "pir"}


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, after what all of them have in common was looked at."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["statusCode"]) == (status, status, status)
    assert body["code"] == code
    assert body["instance"] == answer.request.url.path
    assert body["detail"] == body["message"] != ""
    assert answer.headers["cache-control"] == "no-store"
    return body
