from __future__ import annotations

from station_core.errors import Forbidden


class SyncOverdue(Forbidden):
    """The password is right, but it's too long since the cloud last said that this person is a member."""

    code = "sync_overdue"
    fact = "The cloud hasn't confirmed this account for 14 days: the station needs the internet for a moment."
