"""The servers that the other tests stand on."""

import asyncpg
import redis.asyncio as redis


async def test_database_is_migrated_and_has_postgis(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT postgis_lib_version()")
        assert await connection.fetchval("SELECT to_regclass('alembic_version')::text")
    finally:
        await connection.close()


async def test_fresh_databases_are_apart(database_url: str, fresh_database_url: str) -> None:
    assert database_url != fresh_database_url


async def test_redis_answers(redis_url: str) -> None:
    client = redis.from_url(redis_url)
    try:
        assert await client.ping()
    finally:
        await client.aclose()
