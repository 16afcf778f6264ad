"""
Where the link with the cloud is, as a state machine without I/O: what happens goes in, what is to be done comes out
(docs/protocols.md §3, "Modes").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from station_core.cloud.status import Mode

SPREAD: Final = 2.0  # seconds over which first attempts lie: not all houses at once after a power cut
BACK_OFF: Final = (2.0, 60.0)  # seconds between attempts: first, longest
REFUSED_BACK_OFF: Final = (60.0, 3600.0)  # seconds, where the cloud knows us no more
JITTER: Final = 0.2
STABLE_AFTER: Final = 60.0  # seconds authenticated after which the back-off begins anew
ANSWER_WITHIN: Final = 30.0  # seconds the cloud has for its answer to `station_auth`

NORMAL: Final = 1000  # RFC 6455
POLICY: Final = 1008  # RFC 6455
TOKEN_REFUSED: Final = 4401  # docs/protocols.md §3

INVALID_TOKEN: Final = "invalid_token"  # noqa: S105  # the code of an `auth_error`
PENDING_RESET: Final = "pending_reset"

CONNECTED: Final = frozenset({Mode.WAITING, Mode.AUTHENTICATING, Mode.AUTHENTICATED})


@dataclass(frozen=True, slots=True)
class Introduce:
    """Say by which secret the station may be claimed."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Say that it was claimed, by its token."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve the cloud's calls, and let events flow."""


@dataclass(frozen=True, slots=True)
class KeepToken:
    """Keep by which token the cloud knows the station from now on."""

    token: str

    def __repr__(self) -> str:
        return "KeepToken(…)"


@dataclass(frozen=True, slots=True)
class ForgetToken:
    """The cloud has let the station go."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Begin the next attempt after so many seconds, or at once when one is waited for longer."""

    after: float


Order: TypeAlias = Introduce | Authenticate | Serve | KeepToken | ForgetToken | Close | Reconnect
Step: TypeAlias = "tuple[Session, tuple[Order, ...]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    Where the link is; each method is a thing that happens: the session after it, and what is to be done in order.

    *at* is monotonic, *luck* a random number from 0 to 1. *error*: why the last connection ended or didn't come about,
    until one is authenticated. *refusals* in a row, and *attempts* since the link was stable, make the pauses.
    What comes at a time that isn't its own changes nothing.
    """

    mode: Mode = Mode.NO_CLOUD
    claimed: bool = False
    error: str | None = None
    attempts: int = 0
    refusals: int = 0
    began: float = 0.0
    hurried: bool = False

    def started(self, *, claimed: bool, luck: float) -> Step:
        """The station has come up."""
        return replace(self, mode=_resting(claimed=claimed), claimed=claimed), (Reconnect(SPREAD * luck),)

    def connected(self, *, at: float) -> Step:
        """There's a connection."""
        if self.claimed:
            return replace(self, mode=Mode.AUTHENTICATING, began=at), (Authenticate(),)
        return replace(self, mode=Mode.WAITING, began=at), (Introduce(),)

    def claim_succeeded(self, token: str) -> Step:
        """Somebody has claimed the station."""
        if self.mode is not Mode.WAITING:
            return self, ()
        after = replace(self, mode=Mode.CLAIMED, claimed=True, hurried=True)
        return after, (KeepToken(token), Close(NORMAL, "claimed"))

    def accepted(self, *, at: float) -> Step:
        """The cloud knows the token."""
        if self.mode is not Mode.AUTHENTICATING:
            return self, ()
        return replace(self, mode=Mode.AUTHENTICATED, began=at, refusals=0, error=None), (Serve(),)

    def denied(self, code: str, *, verified: bool) -> Step:
        """
        The cloud doesn't accept the token; *verified*: it's certain that it's the cloud.

        Whatever it says, the token stays, but for `pending_reset` of a verified cloud: its mistake erases no home.
        """
        if code == PENDING_RESET and self.mode is Mode.AUTHENTICATING and verified:
            after = replace(self, mode=Mode.UNCLAIMED, claimed=False, refusals=0, error=f"auth_error {code}")
            return after, (ForgetToken(), Close(NORMAL, "let go"))
        if code == INVALID_TOKEN and self.mode in {Mode.AUTHENTICATING, Mode.AUTHENTICATED}:
            return _refused(self, f"auth_error {code}"), (Close(NORMAL, "refused"),)
        if self.mode is not Mode.AUTHENTICATING:
            return self, ()
        if code == PENDING_RESET:
            return _refused(self, f"auth_error {code} of a cloud that isn't verified"), (Close(NORMAL, "refused"),)
        return replace(self, mode=Mode.CLAIMED, error=f"auth_error {code}".rstrip()), (Close(NORMAL, "not accepted"),)

    def ticked(self, *, at: float) -> Step:
        """Time goes by."""
        if self.mode is Mode.AUTHENTICATING and at - self.began >= ANSWER_WITHIN:
            error = "The cloud doesn't answer station_auth."
            return replace(self, mode=Mode.CLAIMED, error=error), (Close(POLICY, "no answer"),)
        return self, ()

    def failed(self, why: str, *, luck: float) -> Step:
        """No connection came about."""
        return _at_rest(replace(self, error=why), luck)

    def closed(self, code: int | None, why: str, *, at: float, luck: float) -> Step:
        """The connection has ended; *code* is what the cloud closed it with."""
        after = self
        if self.mode is Mode.AUTHENTICATED and at - self.began >= STABLE_AFTER:
            after = replace(after, attempts=0)
        if code == TOKEN_REFUSED and self.mode in {Mode.AUTHENTICATING, Mode.AUTHENTICATED}:
            after = _refused(after, f"closed with {TOKEN_REFUSED}")
        elif self.mode in CONNECTED:
            after = replace(after, error=why)
        return _at_rest(after, luck)

    def turned(self, *, claimed: bool) -> Step:
        """Somebody else than the cloud has changed who has claimed the station: all begins anew, at once."""
        close = (Close(NORMAL, "begins anew"),) if self.mode in CONNECTED else ()
        return Session(mode=_resting(claimed=claimed), claimed=claimed, hurried=bool(close)), (*close, Reconnect(0.0))

    def reset(self) -> Step:
        """The station gives itself up: there's no link until it has `started` again."""
        close = (Close(NORMAL, "reset"),) if self.mode in CONNECTED else ()
        return Session(mode=Mode.RESET), close


def _resting(*, claimed: bool) -> Mode:
    return Mode.CLAIMED if claimed else Mode.UNCLAIMED


def _refused(session: Session, error: str) -> Session:
    return replace(session, mode=Mode.REFUSED, refusals=session.refusals + 1, error=error)


def _at_rest(session: Session, luck: float) -> Step:
    """Between connections; the pause is that of the refused until the cloud accepts the token again."""
    if session.mode is Mode.RESET:
        return session, ()
    mode = Mode.REFUSED if session.refusals else _resting(claimed=session.claimed)
    after = replace(session, mode=mode, attempts=session.attempts + 1, hurried=False)
    return after, (Reconnect(0.0 if session.hurried else _pause(session, luck)),)


def _pause(session: Session, luck: float) -> float:
    first, longest = REFUSED_BACK_OFF if session.refusals else BACK_OFF
    doublings = session.refusals - 1 if session.refusals else session.attempts
    # 2.0 to the power of a month's attempts is no number any more.
    pause = min(longest, first * 2.0 ** min(doublings, 16))
    return pause * (1 + JITTER * (2 * luck - 1))
