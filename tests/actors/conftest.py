from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.actors.trading_house import TradingHouse, trading_house


@pytest.fixture
async def house(database_url: str, redis_url: str) -> AsyncIterator[TradingHouse]:
    """A market of this test's own, without a book yet."""
    async with trading_house(database_url, redis_url) as house:
        yield house
