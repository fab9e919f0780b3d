"""The market that the client is tried on: the API on a real port over real books."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.client.either import KINDS, Kind
from tests.serve_apps.api.world import World, running, world_settings


@pytest.fixture
async def world(database_url: str, redis_url: str) -> AsyncIterator[World]:
    """A replica of this test's own, over its module's database."""
    async with running(world_settings(database_url, redis_url)) as started:
        yield started


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which client: every test with it is run for both."""
    found: Kind = request.param
    return found
