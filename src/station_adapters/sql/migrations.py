from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from station_core.errors import Malformed, StoreNewer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database

HEAD: Final = "head"
BASE: Final = "base"


async def upgrade(database: Database, revision: str = HEAD) -> None:
    """
    Bring the tables to *revision*, all in one transaction; there already is no error.

    Raise `StoreNewer`, and touch nothing, when a newer program made them, `Malformed` for a revision that isn't ahead.
    """
    await database.run(lambda connection: _move(connection, revision, up=True), within=None)


async def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to *revision* (`base`: none), all in one transaction; else as `upgrade`."""
    await database.run(lambda connection: _move(connection, revision, up=False), within=None)


def revisions() -> list[str]:
    """All that this program knows, oldest first."""
    return sorted(path.stem for path in (_scripts() / "versions").glob("[0-9]*.py"))


def named(revision: str) -> str:
    """The revision that is meant by its name, its number, `head` or `base`; raise `Malformed` when there is none."""
    known = revisions()
    if revision in {BASE, HEAD}:
        return known[-1] if revision == HEAD else BASE
    for name in known:
        if revision in {name, name.partition("_")[0]}:
            return name
    raise Malformed(f"This program knows no revision {revision[:64]}, only {', '.join([BASE, *known])}.")


def current(connection: Connection) -> str | None:
    """Where the tables are; None when there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision


def _move(connection: Connection, revision: str, *, up: bool) -> None:
    known = revisions()
    present = current(connection)
    if present is not None and present not in known:
        raise StoreNewer(f"The database is newer than this program: it's at {present[:64]}, this knows {known[-1]}.")
    way = [BASE, *known]
    here, there = way.index(present or BASE), way.index(named(revision))
    if here == there:
        return
    if up != (here < there):
        raise Malformed(f"The tables are at {way[here]}: {way[there]} is {'behind' if up else 'ahead of'} that.")
    # Imported when needed: as at most starts there's nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    (command.upgrade if up else command.downgrade)(config, way[there])


def _scripts() -> Path:
    """Beside this module when installed from a wheel, else in the checkout."""
    here = Path(__file__).resolve()
    installed = here.parent / "alembic"
    return installed if installed.is_dir() else here.parents[3] / "alembic"
