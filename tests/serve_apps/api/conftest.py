from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.serve_apps.api.world import World, running, world_settings


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    """A replica of this test's own, over its module's database."""
    async with running(world_settings(database_url, redis_url)) as started:
        yield started
