"""`aiqleads replay`: the recorded journal under another policy, and what would have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import asyncpg
import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from actors.base_values import model_values
from actors.market_reader import MarketReader
from engine.adapters.postgres.pool import set_codecs
from engine.market.instant import rfc3339
from engine.market.pricing.experiment import market_prices, plan_of
from engine.market.pricing.replay import LeadPath, Replay

SEED = 20260501
MINUTE_US = 60_000_000
_READ_ONLY = {"application_name": "replay", "default_transaction_read_only": "on", "jit": "off"}


class Outcome(NamedTuple):
    """One market replayed; `paths` those of the leads furthest apart, by their last price."""

    market: str
    entries: int
    signals: int
    replay: Replay
    paths: list[LeadPath]


def replay(
    database_url: str, policy: str, markets: list[str], *, every_minutes: int, leads: int
) -> list[Outcome]:
    """Replay each of the markets, all of them if none is named; nothing is written.

    Raises ValueError on a policy or market that is not there, OSError or
    asyncpg.PostgresError without a database.
    """
    plan_of(policy, "")
    return asyncio.run(_replay(database_url, policy, markets, every_minutes, leads))


async def _replay(
    database_url: str, policy: str, markets: list[str], every_minutes: int, leads: int
) -> list[Outcome]:
    connection = await asyncpg.connect(database_url, timeout=10, server_settings=_READ_ONLY)
    try:
        await set_codecs(connection)
        newest = dict(
            await connection.fetch("SELECT market, position FROM markets ORDER BY market")
        )
        if unknown := set(markets) - newest.keys():
            raise ValueError(
                f"no market {', '.join(sorted(unknown))}; there are {', '.join(newest)}"
            )
        found = []
        with _bar() as (progress, bar):
            for market in markets or newest:
                progress.update(bar, description=market, total=newest[market], completed=0)
                reader, replayed = _of(connection, market, policy, every_minutes)
                while await reader.step():
                    progress.update(bar, completed=reader.place.position)
                replayed.until(await _until(connection, market))
                paths = sorted(replayed.paths(), key=lambda path: -abs(path.difference))[:leads]
                place = reader.place.position
                found.append(Outcome(market, place, reader.signals, replayed, paths))
        return found
    finally:
        await connection.close()


def _of(
    connection: asyncpg.Connection, market: str, policy: str, every_minutes: int
) -> tuple[MarketReader, Replay]:
    prices = market_prices(plan_of(policy, ""))
    replayed = Replay(prices, np.random.default_rng(SEED), every_minutes * MINUTE_US)
    reader = MarketReader(
        connection,
        market,
        prices,
        model_values(),
        watch=lambda _, entry: replayed.before(entry.event, entry.at),
    )
    return reader, replayed


async def _until(connection: asyncpg.Connection, market: str) -> int:
    """Prices stand from the journal's end until now, for a day at most (µs)."""
    until: int = await connection.fetchval(
        "SELECT least((extract(epoch FROM now()) * 1e6)::int8, journal_at + $2)"
        " FROM markets WHERE market = $1",
        market,
        24 * 60 * MINUTE_US,
    )
    return until


@contextmanager
def _bar() -> Iterator[tuple[Progress, TaskID]]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress, progress.add_task("journal")


def as_json(policy: str, outcomes: list[Outcome]) -> dict[str, Any]:
    """All of it, for machines; instants are RFC 3339."""
    return {"policy": policy, "markets": [_market(each) for each in outcomes]}


def _market(outcome: Outcome) -> dict[str, Any]:
    replayed = outcome.replay
    return {
        "market": outcome.market,
        "journal_entries": outcome.entries,
        "signals": outcome.signals,
        "changes": {
            "recorded": replayed.recorded_changes,
            "replayed": replayed.replayed_changes,
        },
        "mean_price": {
            "recorded": _mean(replayed.sum_recorded, replayed.seen),
            "replayed": _mean(replayed.sum_replayed, replayed.seen),
            "apart": _mean(replayed.sum_apart, replayed.seen),
        },
        "sales": replayed.sales._asdict(),
        "leads": [
            {
                "lead_id": path.lead_id,
                "difference": path.difference,
                "recorded": _told(path.recorded),
                "replayed": _told(path.replayed),
            }
            for path in outcome.paths
        ],
    }


def _told(points: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"at": rfc3339(at), "price": price} for at, price in points]


def _mean(total: int, count: int) -> float | None:
    return round(total / count, 3) if count else None


def as_tables(policy: str, outcomes: list[Outcome]) -> list[Table]:
    """For people: markets side by side, and the leads furthest apart."""
    markets = Table(
        "", *(outcome.market for outcome in outcomes), title="What would have been asked"
    )
    told = [_market(outcome) for outcome in outcomes]
    for words, part, name in (
        ("price changes, recorded", "changes", "recorded"),
        (f"price changes by {policy}", "changes", "replayed"),
        ("mean price, recorded", "mean_price", "recorded"),
        (f"mean price by {policy}", "mean_price", "replayed"),
        ("mean difference, either way", "mean_price", "apart"),
        ("sales at the same price", "sales", "same"),
        ("sales that would meet a higher one", "sales", "higher"),
        ("sales that would meet a lower one", "sales", "lower"),
        ("credits of the sales, recorded", "sales", "credits_recorded"),
        (f"credits had each sold by {policy}", "sales", "credits_replayed"),
    ):
        markets.add_row(words, *(_figure(each[part][name]) for each in told))
    leads = Table("market", "lead", "recorded", f"by {policy}", "difference", title="Leads")
    for outcome in outcomes:
        for path in outcome.paths:
            was, would = ([price for _, price in each] for each in path[1:])
            ways = (_way(was), _way(would), f"{path.difference:+}")
            leads.add_row(outcome.market, path.lead_id, *ways)
    return [markets, leads]


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _way(prices: list[int]) -> str:
    """The first price and the last ones."""
    shown = prices if len(prices) <= 6 else [prices[0], *prices[-4:]]
    words = [str(price) for price in shown]
    if len(prices) > 6:
        words.insert(1, "…")
    return " ".join(words)
