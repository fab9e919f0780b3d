from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contracts.storages import Storage, storage_of


@pytest.fixture(params=["memory", "postgres"])
async def storage(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Storage]:
    async with storage_of(request.param, database_url) as storage:
        yield storage
