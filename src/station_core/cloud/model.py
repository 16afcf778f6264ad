from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudConfig:
    """That a cloud has claimed the station, and the token by which it then knows it."""

    station_token: str = field(repr=False)
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    How the station stands with the cloud: by which secret it may be claimed, and by whom it was.

    *sealed*: when it was claimed, where neither secret nor token can be read in this run: both stay as they are until
    the key is there again, or a person gives the claim up.
    *unreset*: the ids of the devices that a station reset has yet to tell to forget everything.
    """

    claim_secret: str = field(repr=False)
    config: CloudConfig | None = None
    sealed: datetime | None = None
    unreset: Sequence[str] = ()

    @property
    def claimed_at(self) -> datetime | None:
        """When somebody has claimed it; None when nobody has."""
        return self.sealed if self.config is None else self.config.claimed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCode:
    """What a person shows the cloud to become the station's owner there: whoever has it can."""

    chip_id: str
    claim_secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """Both as one text, for a QR code: a JSON object with the keys of `claim_handshake`."""
        return json.dumps({"chipId": self.chip_id, "claimSecret": self.claim_secret}, separators=(",", ":"))
