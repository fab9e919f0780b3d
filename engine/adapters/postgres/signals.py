"""Signals: what professional networks tell of a market without being leads."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from engine.intake.record import Signal


async def write_signals(connection: asyncpg.Connection, signals: Sequence[Signal]) -> int:
    """Keep them, the last of each id; how many are new or say something new."""
    latest = {(signal.source, signal.source_id): signal for signal in signals}
    rows = await connection.fetch(
        "INSERT INTO signals AS s"
        " (source, source_id, kind, market, facts, content_hash, is_sample)"
        " SELECT u.source, u.source_id, u.kind, u.market, u.facts::jsonb, u.content_hash,"
        " u.is_sample FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],"
        " $6::text[], $7::boolean[])"
        " u(source, source_id, kind, market, facts, content_hash, is_sample)"
        " ON CONFLICT (source, source_id) DO UPDATE SET kind = excluded.kind,"
        " market = excluded.market, facts = excluded.facts,"
        " content_hash = excluded.content_hash, is_sample = excluded.is_sample,"
        " last_seen_at = now()"
        " WHERE (s.facts, s.content_hash) IS DISTINCT FROM (excluded.facts, excluded.content_hash)"
        " OR s.last_seen_at < now() - interval '1 hour'"
        " RETURNING s.source_id",
        [signal.source for signal in latest.values()],
        [signal.source_id for signal in latest.values()],
        [signal.kind for signal in latest.values()],
        [signal.market for signal in latest.values()],
        [msgspec.json.encode(signal.facts).decode() for signal in latest.values()],
        [signal.content_hash for signal in latest.values()],
        [signal.is_sample for signal in latest.values()],
    )
    return len(rows)
