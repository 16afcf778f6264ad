"""
What a refresh token is: a part that stays the same over its session, and a secret that is used up, with a dot between.

By the first a token is known as one of the session's however long ago it was used up, and none of those has to be kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from station_core.clock import Randomness
    from station_core.identity.model import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """A refresh token as the store knows it: SHA-256 of both parts, lower-case hex."""

    family: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A session that begins, and its first refresh token."""

    session: Session
    refresh: Digests


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """Both parts in clear."""

    family: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """As its bearer has it."""
        return f"{self.family}.{self.secret}"

    @property
    def digests(self) -> Digests:
        """As it's kept."""
        return Digests(family=_digest(self.family), secret=_digest(self.secret))


def first_token(randomness: Randomness) -> RefreshToken:
    """That of a new session."""
    return RefreshToken(family=randomness.token(), secret=randomness.token())


def next_token(randomness: Randomness, used: RefreshToken) -> RefreshToken:
    """The one that takes the place of another of its session."""
    return RefreshToken(family=used.family, secret=randomness.token())


def read_token(text: str) -> RefreshToken:
    """The parts of any text; of one that is no token they're nobody's."""
    family, _, secret = text.partition(".")
    return RefreshToken(family=family, secret=secret)


def _digest(part: str) -> str:
    return hashlib.sha256(part.encode(errors="surrogatepass")).hexdigest()
