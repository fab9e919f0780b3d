"""The registry's tables are as its migration makes them."""

from __future__ import annotations

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from engine.adapters.postgres import fraud_tables, registry_tables, vector_tables
from migrations.migrate import downgrade, upgrade


async def test_tables_agree_with_migrations(fresh_database_url: str) -> None:
    assert fraud_tables.metadata is vector_tables.metadata is registry_tables.metadata
    await asyncio.to_thread(downgrade, fresh_database_url, "0006")
    await asyncio.to_thread(upgrade, fresh_database_url)
    assert [
        found for found in await _differences(fresh_database_url) if "model_" in str(found)
    ] == []


async def _differences(database_url: str) -> list[object]:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))

    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, registry_tables.metadata))

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()
