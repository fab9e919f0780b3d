"""Alembic's environment: asyncpg under SQLAlchemy, GeoAlchemy2's types understood."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from alembic import context
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

# Importing these three enters their tables into `metadata`.
from engine.adapters.postgres import (
    fraud_tables,  # noqa: F401
    registry_tables,  # noqa: F401
    vector_tables,  # noqa: F401
)
from engine.adapters.postgres.tables import metadata

# Any constant: two installations on one database must not migrate at once.
MIGRATION_LOCK = 7_241_904_411


def include_object(obj, name, type_, reflected, compare_to) -> bool:
    if type_ == "table" and name == "spatial_ref_sys":
        return False
    return alembic_helpers.include_object(obj, name, type_, reflected, compare_to)


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        process_revision_directives=alembic_helpers.writer,
        render_item=alembic_helpers.render_item,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.run_migrations()


async def migrate() -> None:
    url = context.config.attributes["database_url"]
    scheme, _, rest = url.partition("://")
    engine = create_async_engine(
        f"{scheme.split('+')[0]}+asyncpg://{rest}", poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


# A caller may be inside an event loop already (tests, the command line): own thread, own loop.
with ThreadPoolExecutor(1) as executor:
    executor.submit(asyncio.run, migrate()).result()
