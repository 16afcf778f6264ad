from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import bcrypt
import pytest

from station_adapters.credentials.passwords import Argon2Passwords
from station_adapters.memory.digests import cloud_digest
from station_adapters.memory.identity import MemoryPasswords
from station_core.errors import Unauthenticated

if TYPE_CHECKING:
    from station_core.identity.ports import PasswordHasher

PASSWORD = "correct horse battery staple"


@pytest.fixture(params=[MemoryPasswords, Argon2Passwords], ids=lambda adapter: adapter.__name__)
def passwords(request: pytest.FixtureRequest) -> PasswordHasher:
    adapter: PasswordHasher = request.param()
    return adapter


async def test_a_password_is_known_by_what_was_made_of_it(passwords: PasswordHasher) -> None:
    digest = await passwords.hash(PASSWORD)

    await passwords.verify(PASSWORD, digest)
    assert PASSWORD not in digest


async def test_another_password_is_refused(passwords: PasswordHasher) -> None:
    digest = await passwords.hash(PASSWORD)

    with pytest.raises(Unauthenticated):
        await passwords.verify(PASSWORD + " ", digest)


async def test_nobody_has_no_password(passwords: PasswordHasher) -> None:
    with pytest.raises(Unauthenticated):
        await passwords.verify(PASSWORD, None)


@pytest.mark.parametrize("digest", ["", "garbage", "é\ud800", "$argon2id$garbage", "$argon2id$v=19$m=8,t=1,p=1$a$b"])
async def test_a_damaged_digest_is_nobodys(passwords: PasswordHasher, digest: str) -> None:
    with pytest.raises(Unauthenticated):
        await passwords.verify(PASSWORD, digest)


@pytest.mark.parametrize("password", ["", "\0", "\ud800\udfff", "пароль 🔑", "x" * 1_000_000])
async def test_any_text_can_be_a_password(passwords: PasswordHasher, password: str) -> None:
    digest = await passwords.hash(password)

    await passwords.verify(password, digest)
    with pytest.raises(Unauthenticated):
        await passwords.verify(password + "x", digest)


async def test_many_at_once_are_each_judged_by_their_own(passwords: PasswordHasher) -> None:
    digest = await passwords.hash(PASSWORD)
    given = [PASSWORD, "wrong", PASSWORD, "wrong", PASSWORD]

    verdicts = await asyncio.gather(*(passwords.verify(one, digest) for one in given), return_exceptions=True)

    assert [verdict is None for verdict in verdicts] == [one == PASSWORD for one in given]


async def test_who_gives_up_takes_nobody_along(passwords: PasswordHasher) -> None:
    digest = await passwords.hash(PASSWORD)
    waiters = [asyncio.create_task(passwords.verify(PASSWORD, digest)) for _ in range(4)]
    await asyncio.sleep(0)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)

    await passwords.verify(PASSWORD, digest)


def foreign(passwords: PasswordHasher, password: str, cost: int = 4) -> str:
    """A digest as the cloud makes it, as the adapter knows it."""
    if isinstance(passwords, MemoryPasswords):
        return cloud_digest(password)
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()


@pytest.mark.parametrize("password", ["open sesame", "", "пароль 🔑", "x" * 72, "x" * 1000])
async def test_a_digest_of_the_cloud_is_known_up_to_the_72nd_byte(passwords: PasswordHasher, password: str) -> None:
    digest = foreign(passwords, password)

    await passwords.verify(password, digest)
    with pytest.raises(Unauthenticated):
        await passwords.verify("y" + password, digest)


async def test_what_comes_after_the_72nd_byte_was_never_looked_at(passwords: PasswordHasher) -> None:
    digest = foreign(passwords, "x" * 72)

    await passwords.verify("x" * 73, digest)
    with pytest.raises(Unauthenticated):
        await passwords.verify("x" * 71, digest)
