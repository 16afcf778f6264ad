"""The `station` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from station_app.lean import without
from station_core.errors import (
    Malformed,
    SettingInvalid,
    StationError,
    StoreFull,
    StoreNewer,
    StoreTaken,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE: Final = 64
EXIT_CODES: Final[Mapping[type[StationError], int]] = {
    Malformed: USAGE,  # EX_USAGE, the command line is wrong
    StoreNewer: 65,  # EX_DATAERR, a newer program made the database
    Unavailable: 69,  # EX_UNAVAILABLE, what a command needs can't be reached
    StoreFull: 74,  # EX_IOERR, the disk is full
    StoreTaken: 75,  # EX_TEMPFAIL, another station is running
    Unauthenticated: 77,  # EX_NOPERM, a password or token doesn't hold
    SettingInvalid: 78,  # EX_CONFIG, the operator has to change something
}
"""As sysexits.h has them; of an error's kinds the nearest counts. docs/commands.md tells them to operators."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; a fact that the operator can act on is one sentence and an exit code, no traceback."""
    given = sys.argv[1:] if words is None else list(words)
    try:
        if given == ["serve"]:
            # What runs for months doesn't carry along what only reads command lines, 4 MB, nor other ballast.
            with without("rich", "pygments", "attr"):
                with without("cryptography", "greenlet"):  # others have use for them
                    import station_adapters.credentials.jwt  # noqa: F401, PLC0415
                    import station_app.logs  # noqa: F401, PLC0415
                from station_app.cli.serve import serve  # noqa: PLC0415

                serve()
        else:
            from station_app.cli.commands import run  # noqa: PLC0415

            run(given)
    except StationError as error:
        print(f"station: {error}", file=sys.stderr)
        sys.exit(exit_code(error))


def exit_code(error: StationError) -> int:
    """The exit code of the kind of error that is nearest."""
    return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)
