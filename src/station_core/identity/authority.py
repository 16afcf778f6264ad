from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station_core.errors import Forbidden
from station_core.identity.policy import check_may_manage

if TYPE_CHECKING:
    from station_core.audit.model import Deed
    from station_core.audit.service import Audit
    from station_core.identity.model import Role
    from station_core.identity.residents import Residents


class Authority:
    """
    Whether somebody may do what they want to people; that they may not is on record.

    Of a user the present role is judged. Whoever stands at the box may all.
    """

    def __init__(self, *, residents: Residents, audit: Audit) -> None:
        self._residents = residents
        self._audit = audit

    def check(self, deed: Deed, *roles: Role) -> None:
        """Raise `Forbidden` unless who does it may manage all of these, `Unauthenticated` for one who is gone."""
        own = self._residents.authority(deed.actor)
        if own is None:
            return
        try:
            for role in roles:
                check_may_manage(own, role)
        except Forbidden as refusal:
            self._audit.note(replace(deed, result=refusal.code))
            raise
