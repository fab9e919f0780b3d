"""`aiqleads models trials`: the journal's decisions as a table to train on. Reads only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from actors.base_values import ListedValues
from actors.market_reader import MarketReader
from engine.adapters.postgres.pool import set_codecs
from engine.market.pricing.experiment import market_prices, plan_of
from models_ml.value.recorded_decisions import RecordedDecisions

_READ_ONLY = {"application_name": "trials", "default_transaction_read_only": "on", "jit": "off"}
# It sets no price here: any policy folds the same decisions.
_POLICY = "fixed@1"


def write_trials(database_url: str, markets: Sequence[str], path: Path) -> int:
    """Write the decisions of these markets, all of them if none is named, as JSON lines; how
    many there were. Raises ValueError on an unknown market, OSError or asyncpg.PostgresError
    without a database."""
    return asyncio.run(_write(database_url, markets, path))


async def _write(database_url: str, markets: Sequence[str], path: Path) -> int:
    connection = await asyncpg.connect(database_url, timeout=10, server_settings=_READ_ONLY)
    try:
        await set_codecs(connection)
        known = [row[0] for row in await connection.fetch("SELECT market FROM markets ORDER BY 1")]
        if unknown := set(markets) - set(known):
            raise ValueError(f"no market {', '.join(sorted(unknown))}; there are {known}")
        count = 0
        with path.open("w", encoding="utf-8") as file:
            for market in markets or known:
                prices = market_prices(plan_of(_POLICY, ""))
                recorded = RecordedDecisions(prices)
                reader = MarketReader(
                    connection,
                    market,
                    prices,
                    ListedValues(),
                    watch=lambda _, entry, recorded=recorded: recorded.before(entry.event),
                )
                more = True
                while more:
                    more = await reader.step()
                    rows = recorded.take()
                    file.writelines(json.dumps(row) + "\n" for row in rows)
                    count += len(rows)
        return count
    finally:
        await connection.close()
