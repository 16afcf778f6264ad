from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from station_adapters.http import answers as bounds
from station_adapters.http.answers import BRIEFLY, KEPT_FOR, Answer, Answers
from station_adapters.memory.clock import MemoryClock
from station_core.errors import KeyReused, StillAnswering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DONE = Answer(201, [(b"content-type", b"application/json")], b"{}")


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
async def answers(clock: MemoryClock) -> AsyncIterator[Answers]:
    answers = Answers(clock)
    yield answers
    if answers._sweep is not None:
        answers._sweep.cancel()


def answered(answers: Answers, key: str, person: str = "ada", *, body: bytes = b"{}", briefly: bool = False) -> Answer:
    answer = Answer(201, [], body)
    assert answers.first(person, key, b"it") is None
    answers.keep(person, key, answer, briefly=briefly)
    return answer


async def test_the_first_goes_on_and_the_next_gets_its_answer(answers: Answers) -> None:
    assert answers.first("ada", "k", b"it") is None
    answers.keep("ada", "k", DONE, briefly=False)

    assert answers.first("ada", "k", b"it") == DONE


async def test_while_the_first_is_under_way_the_next_is_told_so(answers: Answers) -> None:
    answers.first("ada", "k", b"it")

    with pytest.raises(StillAnswering):
        answers.first("ada", "k", b"it")


@pytest.mark.parametrize("done", [True, False])
async def test_a_key_is_for_one_request_only(answers: Answers, *, done: bool) -> None:
    answers.first("ada", "k", b"it")
    if done:
        answers.keep("ada", "k", DONE, briefly=False)

    with pytest.raises(KeyReused):
        answers.first("ada", "k", b"something else")


async def test_nobody_meets_the_keys_of_others(answers: Answers) -> None:
    answered(answers, "k", "ada")

    assert answers.first("bob", "k", b"something else") is None


async def test_what_was_forgotten_is_done_anew(answers: Answers) -> None:
    answers.first("ada", "k", b"it")
    answers.forget("ada", "k")

    assert (answers.count, answers.bytes) == (0, 0)
    assert answers.first("ada", "k", b"it") is None


@pytest.mark.parametrize(("briefly", "within"), [(False, KEPT_FOR), (True, BRIEFLY)])
async def test_an_answer_is_kept_so_long_and_no_longer(
    answers: Answers, clock: MemoryClock, *, briefly: bool, within: float
) -> None:
    answer = answered(answers, "k", briefly=briefly)
    clock.leap(within - 1)
    last = answers.first("ada", "k", b"it")
    clock.leap(1)

    assert last == answer
    assert answers.first("ada", "k", b"something else") is None


async def test_a_wall_clock_that_jumps_ends_nothing(answers: Answers, clock: MemoryClock) -> None:
    answer = answered(answers, "k")
    clock.wall = clock.wall.replace(year=2056)

    assert answers.first("ada", "k", b"it") == answer


async def test_what_is_over_lies_in_memory_no_longer(answers: Answers, clock: MemoryClock) -> None:
    answered(answers, "long")
    answered(answers, "brief", briefly=True)
    clock.leap(BRIEFLY)
    answers.sweep()
    after_the_first = answers.count
    clock.leap(KEPT_FOR)
    answers.sweep()

    assert after_the_first == 1
    assert (answers.count, answers.bytes, answers._kept, answers._sweep) == (0, 0, {}, None)


async def test_whoever_has_most_loses_the_oldest(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST", 3)
    of_bob = answered(answers, "k", "bob")
    for key in ("1", "2", "3"):
        answered(answers, key)

    assert answers.count == 3
    assert answers.first("bob", "k", b"it") == of_bob
    assert answers.first("ada", "3", b"it") is not None
    assert answers.first("ada", "1", b"it") is None


async def test_the_bytes_are_bounded_too(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_BYTES", 10_000)
    for key in range(50):
        answered(answers, str(key), body=b"x" * 1_000)

    assert 0 < answers.bytes <= 10_000
    assert answers.first("ada", "49", b"it") is not None


async def test_what_is_under_way_is_never_dropped(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST", 1)
    for key in ("1", "2"):
        answers.first("ada", key, b"it")
    answered(answers, "k", "bob")

    for key in ("1", "2"):
        with pytest.raises(StillAnswering):
            answers.first("ada", key, b"it")
