"""Experiments of pricing policies: which ran, and what came of the leads of each arm."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from engine.market.pricing.comparison import LeadOutcome
from engine.market.pricing.experiment import Plan

# Leads looked at in one report, the newest.
LEADS_MAX = 200_000


class Run(NamedTuple):
    """`control` and `trial` are policies, of which the trial had `share` of the leads listed
    from `started_at` (µs) until `ended_at`, if that came."""

    market: str
    name: str
    control: str
    trial: str
    share: float
    started_at: int
    ended_at: int | None


async def note(connection: asyncpg.Connection, market: str, plan: Plan, now: int) -> None:
    """Note that the market is priced by `plan` from `now` (µs) on: an experiment that goes on
    keeps its start, another ends."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE pricing_experiments SET ended_at = $3 WHERE market = $1 AND ended_at IS NULL"
            " AND (name, control) IS DISTINCT FROM ($2, $4)",
            market,
            plan.experiment,
            now,
            plan.policy,
        )
        if plan.trial is not None:
            await connection.execute(
                "INSERT INTO pricing_experiments AS x"
                " (market, name, control, trial, share, started_at)"
                " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (market, name) DO UPDATE"
                " SET control = excluded.control, started_at = excluded.started_at,"
                " ended_at = NULL WHERE x.ended_at IS NOT NULL",
                market,
                plan.experiment,
                plan.policy,
                plan.trial,
                plan.share,
                now,
            )


async def runs(connection: asyncpg.Pool) -> list[Run]:
    """Every experiment, the newest first."""
    rows = await connection.fetch(
        "SELECT market, name, control, trial, share, started_at, ended_at"
        " FROM pricing_experiments ORDER BY started_at DESC, market"
    )
    return [Run(*row) for row in rows]


async def outcomes(connection: asyncpg.Pool, run: Run) -> list[LeadOutcome]:
    """Of the leads listed while it ran: at most LEADS_MAX, the newest. Merged ones are left out:
    what they brought is their survivor's."""
    rows = await connection.fetch(
        "SELECT l.lead_id, coalesce(sum(o.price), 0)::int8, count(o.order_id)::int4, t.max_buyers,"
        " t.lead_state IN ('available', 'held') FROM leads l JOIN lead_trading t USING (lead_id)"
        " LEFT JOIN orders o ON o.lead_id = l.lead_id"
        " WHERE l.market = $1 AND l.merged_into IS NULL AND t.lead_state <> 'quarantined'"
        " AND l.listed_at >= to_timestamp($2::float8 / 1e6)"
        " AND ($3::int8 IS NULL OR l.listed_at < to_timestamp($3::float8 / 1e6))"
        " GROUP BY l.lead_id, t.lead_id ORDER BY l.listed_at DESC LIMIT $4",
        run.market,
        run.started_at,
        run.ended_at,
        LEADS_MAX,
    )
    return [LeadOutcome(*row) for row in rows]
