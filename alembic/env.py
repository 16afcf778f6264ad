"""Run by `station_adapters.sql.migrations`, which brings the connection and keeps its transaction."""

from __future__ import annotations

from alembic import context

from station_adapters.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can't alter most of a table; there Alembic makes a new one and moves the rows.
    render_as_batch=True,
)
context.run_migrations()
