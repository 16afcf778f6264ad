from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, VerifyMismatchError

from station_core.errors import RateLimited, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

log = logging.getLogger("station.passwords")

AT_ONCE: Final = 2  # each takes 64 MiB and a processor for a tenth of a second
NICE: Final = 5  # and that many steps behind the loop, wherever that is
WAITING: Final = 128  # more would wait for longer than their callers do
BCRYPT_BYTES: Final = 72  # of a password; Node's cuts the rest off, ours refuses it

_SHAPE: Final = re.compile(r"\$argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+(\$[A-Za-z0-9+/]{22,}){2}")
# docs/protocols.md §3; a greater cost would keep a thread for minutes, one of 31 for hours.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-4])\$[A-Za-z0-9./]{53}")


class Argon2Passwords:
    """
    `PasswordHasher` by argon2id, by default as RFC 9106 §4 advises where memory is scarce: 64 MiB, 3 passes.

    Digests of bcrypt, which come from the cloud, are verified too.
    """

    def __init__(self, argon2: PasswordHasher | None = None) -> None:
        self._argon2 = argon2 or PasswordHasher()
        self._nobody = nobodys_digest(self._argon2)
        # A pool, not a semaphore: who is cancelled while it works still has its thread.
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords", initializer=_politely)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """See `PasswordHasher`."""
        return await self._in_thread(lambda: self._argon2.hash(_bytes(password)))

    async def verify(self, password: str, digest: str | None) -> None:
        """See `PasswordHasher`."""
        await self._in_thread(lambda: self._verify(self._nobody if digest is None else digest, _bytes(password)))

    def kind(self, digest: str | None) -> str:
        """See `PasswordHasher`: by the costs."""
        if digest is not None and _BCRYPT.fullmatch(digest):
            return f"bcrypt {digest[4:6]}"
        own = digest if digest is not None and _SHAPE.fullmatch(digest) else self._nobody
        return f"argon2id {own.split('$')[3]}"

    def needs_rehash(self, digest: str) -> bool:
        """See `PasswordHasher`."""
        return _SHAPE.fullmatch(digest) is None or self._argon2.check_needs_rehash(digest)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise RateLimited("Too many passwords are being checked.", retry_after=10)
        self._waiting += 1
        try:
            with _argon2_errors():
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def _verify(self, digest: str, password: bytes) -> None:
        if _BCRYPT.fullmatch(digest) is not None:
            with suppress(ValueError):  # a salt that is none
                if not bcrypt.checkpw(password[:BCRYPT_BYTES], digest.encode()):
                    raise Unauthenticated
                return
        if _SHAPE.fullmatch(digest) is None:
            log.error("a user's password digest is damaged")
            digest = self._nobody
        self._argon2.verify(digest, password)


def _politely() -> None:
    """Let the loop and what else there is go first: a login may take its time, a lamp may not."""
    with suppress(OSError, AttributeError):  # no Linux
        inherited = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(NICE, inherited + NICE))


def nobodys_digest(argon2: PasswordHasher) -> str:
    """A digest that no password has, and that takes as long to check as any: random where others are computed."""
    salt, tag = (_base64(secrets.token_bytes(size)) for size in (argon2.salt_len, argon2.hash_len))
    return f"$argon2id$v=19$m={argon2.memory_cost},t={argon2.time_cost},p={argon2.parallelism}${salt}${tag}"


@contextmanager
def _argon2_errors() -> Iterator[None]:
    """What argon2 finds wrong, in the core's words; what else it raises is a lack of memory or of threads."""
    try:
        yield
    except VerifyMismatchError as error:
        raise Unauthenticated from error
    except Argon2Error as error:
        raise Unavailable("Passwords can't be checked now.") from error


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogatepass")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
