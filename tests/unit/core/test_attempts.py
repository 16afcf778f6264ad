"""How often a password may be guessed (docs/protocols.md §4)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.clock import MemoryClock, settled
from station_core.errors import RateLimited, Unauthenticated, Unavailable
from station_core.identity import attempts as rules
from station_core.identity.attempts import OF_A_PEER, OF_AN_ACCOUNT, WINDOW, Attempts, network

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, NoReturn

HOME, ELSEWHERE = "192.168.1.7", "192.168.1.66"
ANNA = "anna@home.example"


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def attempts(clock: MemoryClock) -> Attempts:
    return Attempts(clock)


def refuse() -> NoReturn:
    raise Unauthenticated


async def fails(attempts: Attempts, account: str = ANNA, peer: str | None = ELSEWHERE) -> bool:
    """Whether a wrong password was looked at."""
    try:
        async with attempts.attempt(account, peer):
            refuse()
    except RateLimited:
        return False
    except Unauthenticated:
        return True


async def succeeds(attempts: Attempts, account: str = ANNA, peer: str | None = HOME) -> bool:
    try:
        async with attempts.attempt(account, peer):
            return True
    except RateLimited:
        return False


async def looked_at(attempts: Attempts, times: int, account: str = ANNA, peer: str | None = ELSEWHERE) -> int:
    return sum([await fails(attempts, account, peer) for _ in range(times)])


@pytest.mark.parametrize("account", [ANNA, "nobody", "", "\0\ud800", "x" * 60_000])
async def test_an_account_is_guessed_at_ten_times_whether_there_is_one_or_not(attempts: Attempts, account: str) -> None:
    assert await looked_at(attempts, 20, account) == OF_AN_ACCOUNT
    assert not await succeeds(attempts, account, ELSEWHERE)


async def test_spaces_and_case_make_no_other_account(attempts: Attempts) -> None:
    spellings = [ANNA, ANNA.upper(), f" {ANNA}\n"]

    assert sum([await fails(attempts, spellings[n % 3]) for n in range(20)]) == OF_AN_ACCOUNT


async def test_an_address_guesses_thirty_times_whatever_accounts_it_tries(attempts: Attempts) -> None:
    assert sum([await fails(attempts, str(n)) for n in range(50)]) == OF_A_PEER
    assert await fails(attempts, "another", HOME)


async def test_who_fails_from_many_addresses_has_ten_guesses_all_the_same(attempts: Attempts) -> None:
    assert sum([await fails(attempts, peer=f"10.0.0.{n}") for n in range(50)]) == OF_AN_ACCOUNT


async def test_a_failure_counts_for_five_minutes_and_what_is_refused_not_at_all(
    clock: MemoryClock, attempts: Attempts
) -> None:
    await looked_at(attempts, 20)
    clock.leap(WINDOW - 10)
    with pytest.raises(RateLimited) as refused:
        async with attempts.attempt(ANNA, ELSEWHERE):
            pass
    clock.leap(10)

    assert refused.value.retry_after == 10
    assert await looked_at(attempts, 20) == OF_AN_ACCOUNT


async def test_who_is_refused_is_told_when_the_next_may_be_made(clock: MemoryClock, attempts: Attempts) -> None:
    await fails(attempts)
    clock.leap(100)
    await looked_at(attempts, 9)
    waits = []
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            async with attempts.attempt(ANNA, ELSEWHERE):
                pass
        waits.append(refused.value.retry_after)
        clock.leap(refused.value.retry_after)
        await fails(attempts)

    assert waits == [200, 100]


async def test_successes_never_count(attempts: Attempts) -> None:
    assert all([await succeeds(attempts, peer=None) for _ in range(100)])
    assert all([await succeeds(attempts, str(n), ELSEWHERE) for n in range(100)])
    assert await looked_at(attempts, 20, "new") == OF_AN_ACCOUNT


async def test_what_could_not_be_checked_is_no_failure(attempts: Attempts) -> None:
    for error in (Unavailable, asyncio.CancelledError):
        for _ in range(20):
            with pytest.raises(error):
                async with attempts.attempt(ANNA, ELSEWHERE):
                    raise error

    assert await looked_at(attempts, 20) == OF_AN_ACCOUNT


async def test_nobody_keeps_an_owner_out_where_they_have_logged_in_before(
    clock: MemoryClock, attempts: Attempts
) -> None:
    await succeeds(attempts)
    for _ in range(5):
        await looked_at(attempts, 20, peer=ELSEWHERE)
        assert await succeeds(attempts)
        clock.leap(WINDOW / 2)

    assert await looked_at(attempts, 20, peer=HOME) == OF_AN_ACCOUNT
    assert not await succeeds(attempts)
    assert await succeeds(attempts, "ben@home.example")


async def test_a_familiar_address_is_none_for_another_account(attempts: Attempts) -> None:
    await succeeds(attempts, ANNA, HOME)

    assert sum([await fails(attempts, str(n), HOME) for n in range(50)]) == OF_A_PEER


async def many(work: list[Coroutine[Any, Any, bool]]) -> list[bool]:
    return list(await asyncio.gather(*work))


async def test_many_guesses_at_once_are_no_more_than_one_by_one(attempts: Attempts) -> None:
    async def guess(n: int) -> bool:
        try:
            async with attempts.attempt(ANNA, f"10.0.0.{n}"):
                await settled(n % 7)
                refuse()
        except RateLimited:
            return False
        except Unauthenticated:
            return True

    assert sum(await many([guess(n) for n in range(100)])) == OF_AN_ACCOUNT


async def test_many_who_know_the_password_get_in_at_once(attempts: Attempts) -> None:
    async def login(n: int) -> bool:
        async with attempts.attempt(ANNA, f"10.0.0.{n}"):
            await settled(n % 7)
            return True

    assert all(await many([login(n) for n in range(100)]))


async def test_who_waits_is_bounded_and_who_gives_up_leaves_no_gap(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts
) -> None:
    monkeypatch.setattr(rules, "WAITING", 2)
    held = asyncio.Event()

    async def slow() -> None:
        async with attempts.attempt(ANNA, None):
            await held.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(OF_AN_ACCOUNT):
            group.create_task(slow())
        await settled()
        waiting = [group.create_task(slow()) for _ in range(2)]
        await settled()
        with pytest.raises(RateLimited):
            await slow()
        waiting[0].cancel()
        with suppress(asyncio.CancelledError):
            await waiting[0]
        held.set()

    assert await succeeds(attempts, peer=None)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, attempts: Attempts) -> None:
    monkeypatch.setattr(rules, "REMEMBERED", 100)
    monkeypatch.setattr(rules, "ACQUAINTANCES", 10)
    for n in range(300):
        await fails(attempts, str(n), f"10.0.{n // 20}.1")
        await succeeds(attempts, str(n), HOME)

    assert 50 < len(attempts._tallies) <= 100
    assert len(attempts._known) == 10


async def test_successes_leave_nothing_but_an_acquaintance(attempts: Attempts) -> None:
    await succeeds(attempts)

    assert len(attempts._tallies) == 0


@pytest.mark.parametrize(
    ("peer", "counted_as"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("::ffff:192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_of_ipv6_is_its_network(peer: str, counted_as: str) -> None:
    assert network(peer) == counted_as
