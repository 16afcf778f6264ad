from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_core.cloud.session import (
    CONNECTED,
    Authenticate,
    Close,
    ForgetToken,
    Introduce,
    KeepToken,
    Order,
    Reconnect,
    Serve,
    Session,
)
from station_core.cloud.status import Mode

EVEN: Final = 0.5  # no jitter
UNCLAIMED: Final = Session(mode=Mode.UNCLAIMED)
CLAIMED: Final = Session(mode=Mode.CLAIMED, claimed=True)
WAITING: Final = UNCLAIMED.connected(at=0)[0]
AUTHENTICATING: Final = CLAIMED.connected(at=0)[0]
AUTHENTICATED: Final = AUTHENTICATING.accepted(at=0)[0]
REFUSED: Final = AUTHENTICATING.denied("invalid_token", verified=True)[0].closed(1000, "", at=0, luck=EVEN)[0]
RESET: Final = AUTHENTICATED.reset()[0]
ALL: Final = (UNCLAIMED, CLAIMED, WAITING, AUTHENTICATING, AUTHENTICATED, REFUSED, RESET)


def kinds(orders: tuple[Order, ...]) -> list[type[Order]]:
    return [type(order) for order in orders]


def pause(orders: tuple[Order, ...]) -> float:
    return next(order.after for order in orders if isinstance(order, Reconnect))


@pytest.mark.parametrize(("claimed", "mode"), [(False, Mode.UNCLAIMED), (True, Mode.CLAIMED)])
def test_the_first_attempt_lies_within_two_seconds(claimed: bool, mode: Mode) -> None:  # noqa: FBT001  # a table
    session, orders = Session().started(claimed=claimed, luck=0.75)

    assert session.mode is mode
    assert orders == (Reconnect(1.5),)


def test_who_is_unclaimed_introduces_itself_and_keeps_the_token_that_it_gets() -> None:
    session, orders = UNCLAIMED.connected(at=0)
    assert (session.mode, orders) == (Mode.WAITING, (Introduce(),))

    session, orders = session.claim_succeeded("st_1")
    assert (session.mode, orders[0]) == (Mode.CLAIMED, KeepToken("st_1"))
    assert kinds(orders) == [KeepToken, Close]
    assert "st_1" not in repr(orders)

    session, orders = session.closed(1000, "", at=1, luck=EVEN)
    assert (session.mode, session.error, orders) == (Mode.CLAIMED, None, (Reconnect(0.0),))


def test_who_is_claimed_authenticates_and_then_serves() -> None:
    session, orders = CLAIMED.connected(at=0)
    assert (session.mode, orders) == (Mode.AUTHENTICATING, (Authenticate(),))

    session, orders = replace(session, error="away").accepted(at=1)
    assert (session.mode, session.error, orders) == (Mode.AUTHENTICATED, None, (Serve(),))


@pytest.mark.parametrize("session", [AUTHENTICATING, AUTHENTICATED])
def test_a_refused_token_stays(session: Session) -> None:
    after, orders = session.denied("invalid_token", verified=True)

    assert (after.mode, after.claimed, after.error) == (Mode.REFUSED, True, "auth_error invalid_token")
    assert kinds(orders) == [Close]


@pytest.mark.parametrize("session", [AUTHENTICATING, AUTHENTICATED])
def test_a_close_with_4401_refuses_the_token(session: Session) -> None:
    after, orders = session.closed(4401, "bye", at=1, luck=EVEN)

    assert (after.mode, after.claimed, after.error) == (Mode.REFUSED, True, "closed with 4401")
    assert pause(orders) == 60


def test_a_close_with_4401_of_an_unclaimed_station_is_one_like_others() -> None:
    after, orders = WAITING.closed(4401, "bye", at=1, luck=EVEN)

    assert (after.mode, after.error, pause(orders)) == (Mode.UNCLAIMED, "bye", 2)


def test_the_refused_ask_again_after_a_minute_then_less_and_less_often() -> None:
    session, pauses = AUTHENTICATING, []
    for _ in range(9):
        session = session.denied("invalid_token", verified=True)[0]
        session, orders = session.closed(1000, "", at=0, luck=EVEN)
        pauses.append(pause(orders))
        session = session.connected(at=0)[0]

    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_refused_station_stays_so_when_the_cloud_is_away_and_until_it_is_accepted() -> None:
    session, orders = REFUSED.failed("no route", luck=EVEN)
    assert (session.mode, session.error, pause(orders)) == (Mode.REFUSED, "no route", 60)

    session, orders = session.connected(at=0)[0].closed(1006, "cut", at=1, luck=EVEN)
    assert (session.mode, pause(orders)) == (Mode.REFUSED, 60)

    session = session.connected(at=0)[0].accepted(at=0)[0]
    assert (session.mode, session.refusals) == (Mode.AUTHENTICATED, 0)


def test_a_verified_cloud_may_let_the_station_go() -> None:
    session, orders = AUTHENTICATING.denied("pending_reset", verified=True)
    assert kinds(orders) == [ForgetToken, Close]

    session, orders = session.closed(1000, "", at=0, luck=EVEN)
    assert (session.mode, session.claimed, pause(orders)) == (Mode.UNCLAIMED, False, 2)


def test_whoever_is_not_certainly_the_cloud_can_not() -> None:
    session, orders = AUTHENTICATING.denied("pending_reset", verified=False)

    assert (session.mode, session.claimed) == (Mode.REFUSED, True)
    assert kinds(orders) == [Close]


@pytest.mark.parametrize("code", ["", "busy"])
def test_another_code_of_an_error_is_asked_again_soon(code: str) -> None:
    session, orders = AUTHENTICATING.denied(code, verified=True)
    assert kinds(orders) == [Close]

    session, orders = session.closed(1000, "", at=0, luck=EVEN)
    assert (session.mode, session.error, pause(orders)) == (Mode.CLAIMED, f"auth_error {code}".strip(), 2)


@pytest.mark.parametrize("session", [s for s in ALL if s.mode is not Mode.AUTHENTICATING], ids=lambda s: s.mode.value)
@pytest.mark.parametrize("code", ["pending_reset", "busy"])
def test_an_error_out_of_time_changes_nothing(session: Session, code: str) -> None:
    assert session.denied(code, verified=True) == (session, ())


@pytest.mark.parametrize("session", [s for s in ALL if s.mode is not Mode.WAITING], ids=lambda s: s.mode.value)
def test_a_claim_out_of_time_changes_nothing(session: Session) -> None:
    assert session.claim_succeeded("st_2") == (session, ())


@pytest.mark.parametrize("session", [s for s in ALL if s.mode is not Mode.AUTHENTICATING], ids=lambda s: s.mode.value)
def test_an_acceptance_out_of_time_changes_nothing(session: Session) -> None:
    assert session.accepted(at=0) == (session, ())


def test_a_cloud_that_does_not_answer_is_left_after_half_a_minute() -> None:
    assert AUTHENTICATING.ticked(at=29.9) == (AUTHENTICATING, ())

    session, orders = AUTHENTICATING.ticked(at=30)
    assert kinds(orders) == [Close]
    assert session.closed(None, "", at=31, luck=EVEN)[0].error == "The cloud doesn't answer station_auth."


@pytest.mark.parametrize("session", [s for s in ALL if s.mode is not Mode.AUTHENTICATING], ids=lambda s: s.mode.value)
def test_nobody_else_is_left_for_silence(session: Session) -> None:
    assert session.ticked(at=1e9) == (session, ())


def test_the_back_off_doubles_from_two_seconds_to_a_minute() -> None:
    session, pauses = CLAIMED, []
    for _ in range(7):
        session, orders = session.failed("no route", luck=EVEN)
        pauses.append(pause(orders))

    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    assert (session.mode, session.error) == (Mode.CLAIMED, "no route")


def test_the_back_off_begins_anew_only_after_a_minute_authenticated() -> None:
    tired = replace(AUTHENTICATED, attempts=5)

    assert pause(tired.closed(None, "cut", at=59.9, luck=EVEN)[1]) == 60
    assert pause(tired.closed(None, "cut", at=60, luck=EVEN)[1]) == 2
    assert pause(replace(WAITING, attempts=5).closed(None, "cut", at=1000, luck=EVEN)[1]) == 60


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 1))
def test_a_pause_lies_within_a_fifth_of_its_bounds(attempts: int, refusals: int, luck: float) -> None:
    _, orders = replace(CLAIMED, attempts=attempts, refusals=refusals).failed("away", luck=luck)

    least, most = (60, 3600) if refusals else (2, 60)
    assert 0.8 * least <= pause(orders) <= 1.2 * most + 1e-9


@pytest.mark.parametrize("session", [s for s in ALL if s.mode is not Mode.RESET], ids=lambda s: s.mode.value)
@pytest.mark.parametrize("claimed", [False, True])
def test_an_owners_decision_begins_all_anew_at_once(session: Session, claimed: bool) -> None:  # noqa: FBT001  # a table
    after, orders = session.turned(claimed=claimed)

    assert (after.claimed, after.refusals, after.attempts) == (claimed, 0, 0)
    assert after.mode is (Mode.CLAIMED if claimed else Mode.UNCLAIMED)
    assert pause(orders) == 0
    if session.mode in CONNECTED:
        assert kinds(orders)[0] is Close
        assert pause(after.closed(1000, "", at=0, luck=EVEN)[1]) == 0


@pytest.mark.parametrize("session", ALL, ids=lambda s: s.mode.value)
def test_a_reset_ends_the_link_for_good(session: Session) -> None:
    after, orders = session.reset()

    assert after.mode is Mode.RESET
    assert kinds(orders) == ([Close] if session.mode in CONNECTED else [])
    assert after.closed(1000, "", at=0, luck=EVEN) == (after, ())


THINGS: Final = st.one_of(
    st.tuples(st.just("connected"), st.just({"at": 0.0})),
    st.tuples(st.just("claim_succeeded"), st.just({"token": "st_3"})),
    st.tuples(st.just("accepted"), st.just({"at": 0.0})),
    st.tuples(
        st.just("denied"),
        st.fixed_dictionaries(
            {"code": st.sampled_from(["invalid_token", "pending_reset", "busy", ""]), "verified": st.booleans()}
        ),
    ),
    st.tuples(st.just("ticked"), st.fixed_dictionaries({"at": st.floats(0, 1e6)})),
    st.tuples(st.just("failed"), st.just({"why": "x", "luck": 0.5})),
    st.tuples(
        st.just("closed"),
        st.fixed_dictionaries(
            {
                "code": st.sampled_from([None, 1000, 1006, 4401]),
                "why": st.just("y"),
                "at": st.floats(0, 1e6),
                "luck": st.floats(0, 1),
            }
        ),
    ),
)


@given(st.booleans(), st.lists(THINGS, max_size=30))
def test_only_a_verified_cloud_that_says_so_takes_the_token_and_nobody_serves_unaccepted(
    claimed: bool,  # noqa: FBT001  # drawn
    things: list[tuple[str, dict[str, Any]]],
) -> None:
    session = Session().started(claimed=claimed, luck=0)[0]
    for name, fields in things:
        before = session
        session, orders = getattr(session, name)(**fields)
        if before.claimed and not session.claimed:
            assert (name, fields) == ("denied", {"code": "pending_reset", "verified": True})
            assert kinds(orders) == [ForgetToken, Close]
        if Serve() in orders:
            assert (before.mode, name) == (Mode.AUTHENTICATING, "accepted")
        if session.mode in CONNECTED and name != "connected":
            assert before.mode in CONNECTED
        assert all(0 <= order.after <= 3600 * 1.2 for order in orders if isinstance(order, Reconnect))
        assert (Mode.REFUSED is not session.mode) or session.refusals > 0
