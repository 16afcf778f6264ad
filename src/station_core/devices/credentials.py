"""
Device credentials: a token that the device presents, of which the station keeps digests only.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from station_core.errors import StationError, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from station_core.clock import Randomness
    from station_core.devices.ports import BrokerDoor

log = logging.getLogger("station.devices")


def digest(token: str) -> str:
    """SHA-256 of a random token, lower-case hex: enough for 256 bits of randomness, and fast to compare."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who may enter the station's own broker: the device's external id and the broker's digest of its token."""

    external_id: str
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What the store keeps of a device's token: `digest` for HTTP, `broker_digest` for the broker's door."""

    device_id: str
    external_id: str
    digest: str = field(repr=False)
    broker_digest: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """
    The credential that a device is to have next, until it proves it.

    *written*: the device has been given it, so its present one is gone there. *on_trial*: perhaps it has; the broker
    takes it as if it had, in this run.
    """

    credential: Credential
    written: bool = False
    on_trial: bool = False

    @property
    def at_the_door(self) -> bool:
        """Whether the broker takes it, and not the present one."""
        return self.written or self.on_trial


class Keyring:
    """
    The credentials of all devices, in memory; verifies tokens and keeps the broker's door in step.

    A device that is being given another token bears two, which `verify` both takes. The door knows one password a
    device: its present one, and from when the next was written that one.
    """

    def __init__(self, door: BrokerDoor, randomness: Randomness) -> None:
        self._door = door
        self._randomness = randomness
        self._by_device: dict[str, Credential] = {}
        self._successors: dict[str, Successor] = {}  # by device
        self._by_digest: dict[str, Credential] = {}

    def load(self, credentials: Iterable[Credential], successors: Iterable[Successor] = ()) -> None:
        """Take what the store holds in place of what was known."""
        self._by_device.clear()
        self._successors.clear()
        self._by_digest.clear()
        for credential in credentials:
            self.put(credential)
        for successor in successors:
            self.put_beside(successor)

    def put(self, credential: Credential) -> None:
        """Know a credential in place of all that the device had."""
        self.drop(credential.device_id)
        self._by_device[credential.device_id] = credential
        self._by_digest[credential.digest] = credential

    def drop(self, device_id: str) -> None:
        """Forget all that a device had; none is no error."""
        self.drop_successor(device_id)
        former = self._by_device.pop(device_id, None)
        if former is not None:
            self._by_digest.pop(former.digest, None)

    def put_beside(self, successor: Successor) -> None:
        """Know what a device is to have next, beside what it has, in place of another that it was to have."""
        credential = successor.credential
        self.drop_successor(credential.device_id)
        self._successors[credential.device_id] = successor
        self._by_digest[credential.digest] = credential

    def drop_successor(self, device_id: str) -> None:
        """Forget what a device was to have next; none is no error."""
        former = self._successors.pop(device_id, None)
        if former is not None:
            self._by_digest.pop(former.credential.digest, None)

    def successor(self, device_id: str) -> Successor | None:
        """What a device is to have next, None for one that stays with what it has."""
        return self._successors.get(device_id)

    def successors(self) -> Sequence[Successor]:
        """All of them."""
        return list(self._successors.values())

    def holds(self, device_id: str) -> bool:
        """Whether a device has a credential, or is to have one."""
        return device_id in self._by_device or device_id in self._successors

    def issue(self, device_id: str, external_id: str) -> tuple[str, Credential]:
        """A fresh token and what is kept of it; it opens nothing until it was stored and put."""
        token = self._randomness.token()
        return token, Credential(
            device_id=device_id,
            external_id=external_id,
            digest=digest(token),
            broker_digest=self._door.digest(token),
        )

    def verify(self, token: str) -> str:
        """The id of the device that bears this token, or raise `Unauthenticated`."""
        presented = digest(token)
        known = self._by_digest.get(presented)
        # Found by a digest, so nothing of the token leaks through the look-up's time; compared whole all the same.
        if known is None or not hmac.compare_digest(known.digest, presented):
            raise Unauthenticated
        return known.device_id

    def accounts(self) -> Sequence[Account]:
        """Who may enter the broker."""
        written = {device_id: one.credential for device_id, one in self._successors.items() if one.at_the_door}
        present = {**self._by_device, **written}
        return [Account(external_id=c.external_id, digest=c.broker_digest) for c in present.values()]

    async def open_door(self) -> None:
        """Bring the broker's door in step; raise `BrokerUnavailable` when it can't be told now."""
        await self._door.admit(self.accounts())

    async def tell_door(self, device_id: str) -> None:
        """As `open_door`, for a device that had something to lose: a door that can't be told now is told later."""
        try:
            await self.open_door()
        except StationError as trouble:
            told = {"device_id": device_id, "reason": str(trouble)}
            log.warning("the broker can't be told who may enter, and learns of this later", extra=told)
