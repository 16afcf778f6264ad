from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, text

from station_core.errors import SettingInvalid

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from station_adapters.sql.engine import Database

HEAD: Final = "head"
BASE: Final = "base"


async def upgrade(database: Database, revision: str = HEAD) -> None:
    """
    Bring the tables to *revision*, all in one transaction; there already is no error.

    Raise `SettingInvalid`, and touch nothing, when a newer program made them.
    """
    await database.run(lambda connection: _move(connection, revision, up=True), within=None)


async def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to *revision* (`base`: none), all in one transaction; else as `upgrade`."""
    await database.run(lambda connection: _move(connection, revision, up=False), within=None)


def revisions() -> list[str]:
    """All that this program knows, oldest first."""
    return sorted(path.stem for path in (_scripts() / "versions").glob("[0-9]*.py"))


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
        raise SettingInvalid(
            f"The database is newer than this program: it's at {present[:64]}, this knows {known[-1]}."
        )
    if up and revision == HEAD and present == known[-1]:
        return
    # Imported when needed: as at most starts there's nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    (command.upgrade if up else command.downgrade)(config, revision)


def _scripts() -> Path:
    """Beside this module when installed from a wheel, else in the checkout."""
    here = Path(__file__).resolve()
    installed = here.parent / "alembic"
    return installed if installed.is_dir() else here.parents[3] / "alembic"
