"""What the tests of access say in one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station_core.errors import Unauthenticated

if TYPE_CHECKING:
    from station_core.home import Home
    from station_core.identity.model import Login

EMAIL, PASSWORD, OTHER = "Anna@Home.example", "correct horse", "battery staple"


async def login(home: Home, password: str = PASSWORD) -> Login:
    return await home.access.login(email=EMAIL, password=password)


def refused(home: Home, token: str) -> bool:
    """Whether nobody is let in by this access token."""
    try:
        home.access.verify(token)
    except Unauthenticated:
        return True
    return False
