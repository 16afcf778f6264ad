"""
Device credentials: a token that the device presents, of which the station keeps digests only.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from station_core.errors import Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from station_core.clock import Randomness
    from station_core.devices.ports import BrokerDoor


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


class Keyring:
    """The credentials of all devices, in memory; verifies tokens and keeps the broker's door in step."""

    def __init__(self, door: BrokerDoor, randomness: Randomness) -> None:
        self._door = door
        self._randomness = randomness
        self._by_device: dict[str, Credential] = {}
        self._by_digest: dict[str, Credential] = {}

    def load(self, credentials: Iterable[Credential]) -> None:
        """Take what the store holds in place of what was known."""
        self._by_device.clear()
        self._by_digest.clear()
        for credential in credentials:
            self.put(credential)

    def put(self, credential: Credential) -> None:
        """Know a credential in place of the device's former one."""
        self.drop(credential.device_id)
        self._by_device[credential.device_id] = credential
        self._by_digest[credential.digest] = credential

    def drop(self, device_id: str) -> None:
        """Forget a device's credential; none is no error."""
        former = self._by_device.pop(device_id, None)
        if former is not None:
            self._by_digest.pop(former.digest, None)

    def get(self, device_id: str) -> Credential | None:
        """A device's credential, None when it has none."""
        return self._by_device.get(device_id)

    def restore(self, device_id: str, former: Credential | None) -> None:
        """Know what was known before in place of what couldn't be kept."""
        self.drop(device_id)
        if former is not None:
            self.put(former)

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
        return [Account(external_id=c.external_id, digest=c.broker_digest) for c in self._by_device.values()]

    async def open_door(self) -> None:
        """Bring the broker's door in step; raise `BrokerUnavailable` when it can't be told now."""
        await self._door.admit(self.accounts())
