from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from station_adapters.memory.identity import MemoryPasswords
from station_core.errors import (
    Malformed,
    NotFound,
    RegistrationClosed,
    StationError,
    Unauthenticated,
)
from station_core.identity.model import Login, Role
from tests.unit.core.living import overlapping
from tests.unit.core.people import EMAIL, OTHER, PASSWORD, login, refused

if TYPE_CHECKING:
    from station_adapters.memory.home import MemoryPorts
    from station_core.home import Home
    from tests.unit.core.people import DistantIdentities


async def test_the_first_to_register_becomes_owner_and_is_logged_in(ports: MemoryPorts, home: Home) -> None:
    open_before = home.access.registration_open

    anna = await home.access.register(email=f" {EMAIL} ", password=PASSWORD)

    assert open_before
    assert not home.access.registration_open
    assert (anna.user.email, anna.user.name, anna.user.role) == (EMAIL, "Anna", Role.OWNER)
    assert home.access.verify(anna.access_token).user == anna.user
    assert ports.identities.owner_id == anna.user.id
    assert PASSWORD not in repr(anna)
    assert anna.refresh_token not in repr(anna)


@pytest.mark.parametrize("name", [None, "", "  "])
async def test_without_a_name_one_is_called_by_ones_address(home: Home, name: str | None) -> None:
    anna = await home.access.register(email=EMAIL, password=PASSWORD, name=name)

    assert anna.user.name == "Anna"


async def test_of_several_who_register_at_once_one_wins(home: Home) -> None:
    outcomes = await asyncio.gather(
        *(home.access.register(email=f"{n}@home.example", password=PASSWORD) for n in range(5)), return_exceptions=True
    )

    winners = [outcome for outcome in outcomes if isinstance(outcome, Login)]
    assert len(winners) == 1
    assert sum(isinstance(outcome, RegistrationClosed) for outcome in outcomes) == 4
    assert home.access.verify(winners[0].access_token).user == winners[0].user


async def test_nobody_registers_after_the_first(home: Home, owner: Login) -> None:
    with pytest.raises(RegistrationClosed):
        await home.access.register(email="ben@home.example", password=PASSWORD)


@pytest.mark.parametrize(
    "email", ["", "anna", "@home", "anna@", "an na@home", "a" * 250 + "@home", "a\0@home"], ids=str
)
async def test_what_is_no_address_registers_nobody(home: Home, email: str) -> None:
    with pytest.raises(Malformed):
        await home.access.register(email=email, password=PASSWORD)

    assert home.access.registration_open


@pytest.mark.parametrize("password", ["", "short12", "x" * 1_025, "\0" * 8, "\ud800" * 8], ids=ascii)
async def test_what_is_no_password_registers_nobody(home: Home, password: str) -> None:
    with pytest.raises(Malformed):
        await home.access.register(email=EMAIL, password=password)


@pytest.mark.parametrize("password", ["x" * 8, "x" * 1_024, "😀" * 1_024], ids=["short", "long", "wide"])
async def test_a_password_may_be_anything_in_between(home: Home, password: str) -> None:
    await home.access.register(email=EMAIL, password=password)

    await login(home, password)


async def test_an_unknown_user_and_a_wrong_password_are_refused_alike(home: Home, owner: Login) -> None:
    errors: list[StationError] = []
    for email, password in [("ben@home.example", PASSWORD), (EMAIL, OTHER), (EMAIL, ""), ("", "")]:
        with pytest.raises(Unauthenticated) as raised:
            await home.access.login(email=email, password=password)
        errors.append(raised.value)

    assert len({str(error) for error in errors}) == 1


async def test_a_hasher_that_lets_nobody_through_by_mistake_lets_nobody_in(ports: MemoryPorts) -> None:
    class Credulous(MemoryPasswords):
        async def verify(self, password: str, digest: str | None) -> None:
            pass

    ports.passwords = Credulous()
    home = ports.home()

    with pytest.raises(Unauthenticated):
        await login(home)


async def test_an_address_is_compared_without_regard_to_case(home: Home, owner: Login) -> None:
    again = await home.access.login(email=" ANNA@home.EXAMPLE", password=PASSWORD)

    assert again.user == owner.user


async def test_a_new_password_ends_all_sessions_and_the_old_one(ports: MemoryPorts, home: Home, owner: Login) -> None:
    await home.accounts.reset_password(email=EMAIL, password=OTHER)

    assert refused(home, owner.access_token)
    with pytest.raises(Unauthenticated):
        await home.access.refresh(owner.refresh_token)
    with pytest.raises(Unauthenticated):
        await login(home)
    await login(home, OTHER)
    async with ports.running() as restarted:
        await login(restarted, OTHER)


@pytest.mark.parametrize("turns", range(12))
async def test_a_login_with_the_old_password_does_not_outlive_a_reset_it_overlaps(
    identities: DistantIdentities, home: Home, owner: Login, turns: int
) -> None:
    identities.turns.append(20)
    entered, _ = await overlapping(login(home), home.accounts.reset_password(email=EMAIL, password=OTHER), turns=turns)

    assert isinstance(entered, Unauthenticated) or refused(home, entered.access_token)


async def test_a_password_that_is_reset_while_it_is_verified_lets_nobody_in(ports: MemoryPorts) -> None:
    verified = asyncio.Event()

    class Slow(MemoryPasswords):
        async def verify(self, password: str, digest: str | None) -> None:
            await super().verify(password, digest)
            await verified.wait()

    ports.passwords = Slow()
    async with ports.running() as home:
        await home.access.register(email=EMAIL, password=PASSWORD)

        async def reset() -> None:
            await home.accounts.reset_password(email=EMAIL, password=OTHER)
            verified.set()

        entered, _ = await overlapping(login(home), reset(), turns=3)

    assert isinstance(entered, Unauthenticated)


async def test_a_password_is_reset_only_for_somebody_and_only_to_a_proper_one(home: Home, owner: Login) -> None:
    with pytest.raises(NotFound):
        await home.accounts.reset_password(email="ben@home.example", password=OTHER)
    with pytest.raises(Malformed):
        await home.accounts.reset_password(email=EMAIL, password="short")

    assert not refused(home, owner.access_token)


async def test_people_are_found_by_their_address_in_any_case_and_listed_by_it(home: Home, owner: Login) -> None:
    assert home.accounts.users() == [owner.user]
    assert home.accounts.user(EMAIL.upper()) == owner.user
    with pytest.raises(NotFound):
        home.accounts.user("nobody@home.example")
