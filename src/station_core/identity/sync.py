from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from station_core.audit.model import CLOUD, STATION, Action, Deed
from station_core.errors import Malformed
from station_core.identity.cloud_members import checked, checked_digest
from station_core.identity.reconciling import Household, Refused, reconciled
from station_core.values import text_weight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from station_core.audit.model import Subject
    from station_core.clock import Randomness
    from station_core.identity.cloud_members import CloudMember, Member
    from station_core.identity.model import User
    from station_core.identity.ports import IdentityStore
    from station_core.identity.reconciling import Reconciliation
    from station_core.identity.residents import Residents
    from station_core.values import Value

log = logging.getLogger("station.identity")

MEMBERS: Final = 1_000  # of one household
NAME_LENGTH: Final = 100  # characters of a station's name

MALFORMED: Final = "malformed"
DOUBLE: Final = "double"
OWNER: Final = "owner"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An entry of a list that is no member; whom it was about, where that can be told."""

    cloud_user_id: str | None = None


class IdentitySync:
    """
    What the cloud tells of the household's members comes about here (docs/protocols.md §3).

    Each message is one transaction of the store, then memory; told twice it's as told once. What can't be is left out,
    counted in `refused` and logged. Each raises what the store raises, and nothing has changed then.
    """

    def __init__(self, *, store: IdentityStore, residents: Residents, randomness: Randomness) -> None:
        self._store = store
        self._residents = residents
        self._randomness = randomness
        self.refused: Counter[str] = Counter()
        """How often something couldn't be, by why."""

    async def sync(
        self, told: Sequence[CloudMember | Unreadable], *, station_name: str | None = None, owner_id: str | None = None
    ) -> None:
        """These are all members; *owner_id*: which of them owns the station."""
        async with self._residents.one_at_a_time:
            members = self._members(told[:MEMBERS])
            for _ in told[MEMBERS:]:
                self._refuse(MALFORMED, None)
            # One that can't be read, or is too much, tells at least that its member is still there.
            named = {one.cloud_user_id for one in told if one.cloud_user_id is not None}
            household, refused = reconciled(self._household, members, named=named, owner=owner_id)
            for refusal in refused:
                self._refuse(refusal.why, refusal.member.cloud_user_id)
            change = household.outcome(station_name=self._name(station_name))
            await self._keep(change, Action.IDENTITY_SYNC, STATION)

    async def rename(self, name: str) -> None:
        """The station is called this."""
        async with self._residents.one_at_a_time:
            wanted = self._name(name)
            if wanted is not None:
                change = self._household().outcome(station_name=wanted)
                await self._keep(change, Action.STATION_RENAME, STATION, {"name": wanted})

    async def add(self, told: CloudMember) -> None:
        """Somebody is a member."""
        await self._take(told)

    async def update(self, told: CloudMember) -> None:
        """Something about a member is another by now; of one who isn't known, only with address and role."""
        await self._take(told)

    async def remove(self, cloud_user_id: str) -> None:
        """Somebody is no member any more; of one who isn't known nothing changes. The owner stays."""
        async with self._residents.one_at_a_time:
            household = self._household()
            user = household.bearer(cloud_user_id)
            if user is None:
                return
            if household.leads(user):
                self._refuse(OWNER, cloud_user_id)
                return
            household.leave(user)
            action = Action.USER_UPDATE if user.linked else Action.USER_REMOVE
            await self._keep(household.outcome(), action, user.subject)

    async def change_password(self, cloud_user_id: str, digest: str) -> None:
        """Somebody's station password is another by now; all their sessions end."""
        async with self._residents.one_at_a_time:
            household = self._household()
            user = household.bearer(cloud_user_id)
            if user is None:
                self._refuse(UNKNOWN, cloud_user_id)
                return
            try:
                household.revoke(user, checked_digest(digest))
            except Malformed as error:
                self._refuse(MALFORMED, cloud_user_id, str(error))
                return
            await self._keep(household.outcome(), Action.PASSWORD_CHANGE, user.subject)

    async def _take(self, told: CloudMember) -> None:
        async with self._residents.one_at_a_time:
            household = self._household()
            known = household.bearer(told.cloud_user_id)
            try:
                household.take([checked(told)])
            except Malformed as error:
                self._refuse(MALFORMED, told.cloud_user_id, str(error))
                return
            except Refused as refusal:
                self._refuse(refusal.why, told.cloud_user_id)
                return
            member = household.bearer(told.cloud_user_id)
            assert member is not None
            action = Action.USER_ADD if known is None else Action.USER_UPDATE
            await self._keep(household.outcome(), action, member.subject)

    def _members(self, told: Sequence[CloudMember | Unreadable]) -> list[Member]:
        members: dict[str, Member] = {}
        for one in told:
            if isinstance(one, Unreadable):
                self._refuse(MALFORMED, one.cloud_user_id)
                continue
            try:
                member = checked(one)
            except Malformed as error:
                self._refuse(MALFORMED, one.cloud_user_id, str(error))
                continue
            if members.setdefault(member.cloud_user_id, member) is not member:
                self._refuse(DOUBLE, member.cloud_user_id)
        return list(members.values())

    def _household(self, heir: str | None = None) -> Household:
        return Household(
            users={user.id: user for user in self._residents.all()},
            owner_id=self._residents.owner_id,
            at=self._residents.time.now(),
            mint=self._randomness.uuid,
            heir=heir,
        )

    def _name(self, name: str | None) -> str | None:
        """What the station is called from now on; None: as before."""
        if name is None:
            return None
        try:
            text_weight(name)
            wanted = name.strip()
        except Malformed as error:
            self._refuse(MALFORMED, None, str(error))
            return None
        if not 0 < len(wanted) <= NAME_LENGTH:
            self._refuse(MALFORMED, None, f"A station's name has 1 to {NAME_LENGTH} characters.")
            return None
        return None if wanted == self._residents.station_name else wanted

    async def _keep(
        self,
        change: Reconciliation,
        action: Action,
        subject: Subject,
        detail: Mapping[str, Value] | None = None,
    ) -> None:
        changed = [user for user in change.put if not self._is_as_before(user)]
        told = detail or {"changed": len(changed), "removed": len(change.removed)}
        deed = None
        if changed or change.removed or change.owner_id or change.station_name:
            at = self._residents.time.now()
            deed = Deed(actor=CLOUD, action=action, subject=subject, at=at, detail=told)
            log.info("the cloud has changed the household", extra={"action": action.value, "detail": told})
        await self._store.reconcile(change, deed=deed)
        self._residents.reconciled(change)

    def _is_as_before(self, user: User) -> bool:
        before = self._residents.user(user.id)
        return before is not None and replace(user, synced_at=before.synced_at) == before

    def _refuse(self, why: str, cloud_user_id: str | None, detail: str = "") -> None:
        self.refused[why] += 1
        log.warning(
            "something that the cloud tells of a member is left out",
            extra={"reason": why, "member": (cloud_user_id or "")[:64], "detail": detail},
        )
