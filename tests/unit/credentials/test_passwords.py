from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
from argon2 import PasswordHasher, extract_parameters

from station_adapters.credentials.passwords import AT_ONCE, WAITING, Argon2Passwords, nobodys_digest
from station_core.errors import RateLimited, Unauthenticated, Unavailable

BOUND = 5.0  # seconds


class WatchedHasher(PasswordHasher):
    """Counts who is at work, and lets them go on when told."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.checked: list[str | bytes] = []
        self.at_work = 0
        self.most = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        with self._lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            self.checked.append(hash)
        self.begun.release()
        assert self.go_on.wait(BOUND)
        with self._lock:
            self.at_work -= 1
        return super().verify(hash, password)


async def test_two_work_at_once_the_others_wait_and_the_loop_goes_on() -> None:
    hasher = WatchedHasher()
    passwords = Argon2Passwords(hasher)
    digest = hasher.hash("secret")

    checks = [asyncio.create_task(passwords.verify("secret", digest)) for _ in range(6)]
    for _ in range(AT_ONCE):
        assert await asyncio.to_thread(hasher.begun.acquire, timeout=BOUND)
    waiting = [check.done() for check in checks]
    hasher.go_on.set()
    await asyncio.gather(*checks)

    assert not any(waiting)
    assert hasher.most == AT_ONCE


async def test_cancelled_work_still_counts_until_its_thread_is_free() -> None:
    hasher = WatchedHasher()
    passwords = Argon2Passwords(hasher)
    digest = hasher.hash("secret")
    gone = [asyncio.create_task(passwords.verify("secret", digest)) for _ in range(AT_ONCE)]
    for _ in gone:
        assert await asyncio.to_thread(hasher.begun.acquire, timeout=BOUND)
    for check in gone:
        check.cancel()
    await asyncio.gather(*gone, return_exceptions=True)

    late = asyncio.create_task(passwords.verify("secret", digest))
    await asyncio.sleep(0)
    hasher.go_on.set()
    await late

    assert hasher.most == AT_ONCE


async def test_too_many_who_wait_are_told_to_come_back() -> None:
    hasher = WatchedHasher()
    passwords = Argon2Passwords(hasher)
    digest = hasher.hash("secret")
    waiting = [asyncio.create_task(passwords.verify("secret", digest)) for _ in range(WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(RateLimited) as refused:
        await passwords.verify("secret", digest)
    hasher.go_on.set()
    await asyncio.gather(*waiting)

    assert refused.value.retry_after > 0
    await passwords.verify("secret", digest)


async def test_nobody_takes_the_work_of_a_wrong_password() -> None:
    hasher = WatchedHasher()
    hasher.go_on.set()
    passwords = Argon2Passwords(hasher)

    with pytest.raises(Unauthenticated):
        await passwords.verify("secret", None)

    assert len(hasher.checked) == 1
    assert extract_parameters(str(hasher.checked[0])) == extract_parameters(hasher.hash("secret"))


async def test_a_damaged_digest_takes_the_same_work_and_is_told_to_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hasher = WatchedHasher()
    hasher.go_on.set()

    with caplog.at_level(logging.ERROR), pytest.raises(Unauthenticated):
        await Argon2Passwords(hasher).verify("secret", "damaged-canary")

    assert extract_parameters(str(hasher.checked[0])) == extract_parameters(hasher.hash("secret"))
    assert "damaged" in caplog.text
    assert "canary" not in caplog.text


async def test_what_argon2_fails_at_is_no_verdict() -> None:
    too_little_salt = PasswordHasher(salt_len=1)

    with pytest.raises(Unavailable):
        await Argon2Passwords(too_little_salt).hash("secret")


def test_the_default_is_argon2id_with_64_mib() -> None:
    parameters = extract_parameters(nobodys_digest(PasswordHasher()))

    assert parameters.type.name == "ID"
    assert parameters.memory_cost == 64 * 1024
    assert parameters.time_cost >= 3


async def test_a_digest_of_other_costs_or_another_kind_is_to_be_made_anew() -> None:
    passwords = Argon2Passwords()

    assert not passwords.needs_rehash(await passwords.hash("correct horse"))
    assert passwords.needs_rehash(PasswordHasher(time_cost=1, memory_cost=64).hash("correct horse"))
    assert passwords.needs_rehash("garbage")


@pytest.mark.parametrize("niceness", [None, 7])
def test_whoever_checks_passwords_lets_the_loop_go_first(niceness: int | None) -> None:
    class Polite(PasswordHasher):
        nice = 0

        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            Polite.nice = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return super().hash(password, salt=salt)

    def in_a_thread() -> int:
        thread = threading.get_native_id()
        if niceness is not None:
            os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
        asyncio.run(Argon2Passwords(Polite(time_cost=1, memory_cost=8, parallelism=1)).hash("correct horse"))
        return os.getpriority(os.PRIO_PROCESS, thread)

    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(in_a_thread).result()

    assert Polite.nice > own


# What bcrypt makes of "U*U", as crypt_blowfish's table has it.
FOREIGN = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


@pytest.mark.parametrize("kind", ["$2a$", "$2b$", "$2y$"])
async def test_a_digest_that_came_from_the_cloud_is_verified(kind: str) -> None:
    passwords = Argon2Passwords()
    digest = FOREIGN.replace("$2b$", kind)

    await passwords.verify("U*U", digest)
    with pytest.raises(Unauthenticated):
        await passwords.verify("U*V", digest)
    assert passwords.needs_rehash(digest)


@pytest.mark.parametrize(
    "password", ["x" * 72, "x" * 73, "x" * 1_000, "é" * 40, "\0" * 80, "x" * 71 + "é", "\ud800" * 30]
)
async def test_a_password_is_cut_to_72_bytes_where_bcrypt_made_the_digest(password: str) -> None:
    passwords = Argon2Passwords()
    cut = password.encode(errors="surrogatepass")[:72]
    digest = bcrypt.hashpw(cut, bcrypt.gensalt(4)).decode()

    await passwords.verify(password, digest)
    with pytest.raises(Unauthenticated):
        await passwords.verify("y" + password[1:], digest)


@pytest.mark.parametrize(
    "digest",
    [
        FOREIGN.replace("$05$", "$03$"),
        FOREIGN.replace("$05$", "$15$"),
        FOREIGN.replace("$05$", "$31$"),
        FOREIGN.replace("$2b$", "$2x$"),
        FOREIGN[:-1],
        FOREIGN + ".",
        FOREIGN + "\n",
        "$2b$04$" + "9" * 53,
    ],
)
async def test_a_digest_of_bcrypt_that_is_damaged_or_dear_is_nobodys(
    digest: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unauthenticated):
        await Argon2Passwords().verify("U*U", digest)

    assert "damaged" in caplog.text


async def test_digests_of_one_kind_are_those_that_take_the_same_work() -> None:
    passwords = Argon2Passwords()
    own = await passwords.hash("correct horse")

    assert passwords.kind(own) == passwords.kind(None) == passwords.kind("garbage")
    assert passwords.kind(PasswordHasher(time_cost=1, memory_cost=64).hash("correct horse")) != passwords.kind(own)
    assert passwords.kind(FOREIGN) == passwords.kind(FOREIGN.replace("$2b$", "$2a$")) != passwords.kind(own)
    assert passwords.kind(FOREIGN) != passwords.kind(FOREIGN.replace("$05$", "$06$"))
