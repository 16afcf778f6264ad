from __future__ import annotations

from station_core.errors import StationError


def alone(failed: ExceptionGroup[Exception]) -> Exception:
    """
    The first `StationError` of a group by itself, for which the command line has a sentence and a code; else the group.

    To be raised by a plain `except`: what is raised in `except*` before Python 3.11.4 is wrapped in a group again.
    """
    found: Exception | None = failed.subgroup(StationError)
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return failed if found is None else found
