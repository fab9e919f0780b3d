"""What the intake knows of its leads: which are offered, which are one, which never again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from engine.intake.assignment import Identity, Joint, Offered, Standing

RecordKey = tuple[str, str]
_decode_keys = msgspec.json.Decoder(list[tuple[str, str]]).decode


class Merge(NamedTuple):
    """A merge as kept. `records` is None until the book has answered."""

    merge_id: str
    survivor: str
    merged: str
    records: list[RecordKey] | None
    is_link: bool
    new_lead_id: str | None


async def standings(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> dict[str, Standing]:
    rows = await connection.fetch(
        "SELECT lead_id, number, offered, told FROM lead_identities WHERE lead_id = ANY($1)",
        lead_ids,
    )
    return {row[0]: Standing(Identity(row[1], row[2]), row[3]) for row in rows}


async def apart(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs that are never joined, with any of these leads."""
    rows = await connection.fetch(
        "SELECT lead_id, other_id FROM leads_apart WHERE lead_id = ANY($1)"
        " UNION SELECT lead_id, other_id FROM leads_apart WHERE other_id = ANY($1)",
        lead_ids,
    )
    return [(row[0], row[1]) for row in rows]


async def keep_apart(connection: asyncpg.Connection, market: str, one: str, other: str) -> None:
    await connection.execute(
        "INSERT INTO leads_apart (market, lead_id, other_id)"
        " VALUES ($1, least($2, $3), greatest($2, $3)) ON CONFLICT DO NOTHING",
        market,
        one,
        other,
    )


async def inherit_apart(connection: asyncpg.Connection, goes: str, stays: str) -> None:
    """What was kept apart from the lead that goes is kept apart from the one that stays."""
    await connection.execute(
        "INSERT INTO leads_apart (market, lead_id, other_id)"
        " SELECT market, least($2, u.other), greatest($2, u.other) FROM leads_apart a"
        " CROSS JOIN LATERAL (SELECT CASE WHEN a.lead_id = $1 THEN a.other_id"
        " ELSE a.lead_id END AS other) u"
        " WHERE $1 IN (a.lead_id, a.other_id) AND u.other <> $2 ON CONFLICT DO NOTHING",
        goes,
        stays,
    )


async def found(connection: asyncpg.Connection, market: str, lead_ids: Sequence[str]) -> None:
    """Enter new leads, in order, as not offered yet."""
    await connection.execute(
        "INSERT INTO lead_identities (lead_id, market, offered)"
        " SELECT u.lead_id, $1, 'never' FROM unnest($2::text[]) WITH ORDINALITY u(lead_id, n)"
        " ORDER BY n",
        market,
        lead_ids,
    )


async def tell(connection: asyncpg.Connection, told: Mapping[str, tuple[Offered, bytes]]) -> None:
    """Note what the book is being told of these leads."""
    await connection.execute(
        "UPDATE lead_identities i SET offered = u.offered, told = u.told"
        " FROM unnest($1::text[], $2::text[], $3::bytea[]) u(lead_id, offered, told)"
        " WHERE i.lead_id = u.lead_id",
        list(told),
        [offered for offered, _ in told.values()],
        [digest for _, digest in told.values()],
    )


async def take_back(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> None:
    """The book could not list these leads: they are not on offer."""
    await connection.execute(
        "UPDATE lead_identities SET offered = 'never', told = NULL WHERE lead_id = ANY($1)",
        lead_ids,
    )


async def went_into(connection: asyncpg.Connection, goes: str, stays: str) -> None:
    await connection.execute(
        "UPDATE lead_identities SET merged_into = $2 WHERE lead_id = $1", goes, stays
    )


async def under_review(connection: asyncpg.Connection, lead_ids: Sequence[str]) -> set[str]:
    """Leads whose last word on review is a quarantine: a withdrawal does not clear them."""
    if not lead_ids:
        return set()
    rows = await connection.fetch(
        "SELECT DISTINCT ON (lead_id) lead_id, event->>'type' FROM market_events"
        " WHERE lead_id = ANY($1) AND event->>'type' IN ('quarantined', 'approved')"
        " ORDER BY lead_id, position DESC",
        lead_ids,
    )
    return {row[0] for row in rows if row[1] == "quarantined"}


async def seats_left(connection: asyncpg.Connection, lead_id: str) -> int | None:
    """Seats of a lead that were not sold; None for one that the book never had."""
    left: int | None = await connection.fetchval(
        "SELECT max_buyers - sold FROM lead_trading WHERE lead_id = $1", lead_id
    )
    return left


# --- merges --------------------------------------------------------------------------


async def ask_merges(
    connection: asyncpg.Connection, market: str, joints: Mapping[str, Joint]
) -> None:
    """Note merges that the book is asked for, by merge id."""
    await connection.execute(
        "INSERT INTO lead_merges (merge_id, market, survivor, merged, probability)"
        " SELECT u.merge_id, $1, u.survivor, u.merged, u.probability"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::float8[])"
        " u(merge_id, survivor, merged, probability)",
        market,
        list(joints),
        [joint.stays for joint in joints.values()],
        [joint.goes for joint in joints.values()],
        [joint.probability for joint in joints.values()],
    )


async def settle_merge(
    connection: asyncpg.Connection,
    survivor: str,
    merged: str,
    records: Sequence[RecordKey],
    *,
    is_link: bool,
) -> None:
    """Enter what the book decided of two leads, whichever of them was asked about first."""
    await connection.execute(
        "UPDATE lead_merges SET survivor = $1, merged = $2, records = $3::jsonb, is_link = $4"
        " WHERE records IS NULL"
        " AND (survivor, merged) IN (($1::text, $2::text), ($2::text, $1::text))",
        survivor,
        merged,
        msgspec.json.encode(records).decode(),
        is_link,
    )


async def ask_of_survivor(connection: asyncpg.Connection, goes: str, stays: str) -> None:
    """Merges not answered yet are about the lead that stays from now on."""
    await connection.execute(
        "UPDATE lead_merges SET survivor = CASE survivor WHEN $1 THEN $2 ELSE survivor END,"
        " merged = CASE merged WHEN $1 THEN $2 ELSE merged END"
        " WHERE records IS NULL AND $1 IN (survivor, merged)",
        goes,
        stays,
    )


async def drop_merge(connection: asyncpg.Connection, one: str, other: str) -> None:
    """Forget a merge that came to nothing."""
    await connection.execute(
        "DELETE FROM lead_merges WHERE records IS NULL"
        " AND (survivor, merged) IN (($1::text, $2::text), ($2::text, $1::text))",
        one,
        other,
    )


async def merge_for_update(
    connection: asyncpg.Connection, market: str, merge_id: str
) -> Merge | None:
    row = await connection.fetchrow(
        "SELECT merge_id, survivor, merged, records, is_link, new_lead_id FROM lead_merges"
        " WHERE merge_id = $1 AND market = $2 FOR UPDATE",
        merge_id,
        market,
    )
    if row is None:
        return None
    records = None if row[3] is None else _decode_keys(row[3])
    return Merge(row[0], row[1], row[2], records, row[4], row[5])


async def undo_merge(
    connection: asyncpg.Connection, merge_id: str, new_lead_id: str, by: str
) -> None:
    await connection.execute(
        "UPDATE lead_merges SET undone_at = now(), undone_by = $3, new_lead_id = $2"
        " WHERE merge_id = $1",
        merge_id,
        new_lead_id,
        by,
    )


async def where_now(connection: asyncpg.Connection, lead_id: str) -> str:
    """The lead that stands for this one, after however many merges."""
    ends: str = await connection.fetchval(
        "WITH RECURSIVE path(lead_id, merged_into, steps) AS ("
        " SELECT lead_id, merged_into, 0 FROM lead_identities WHERE lead_id = $1"
        " UNION ALL SELECT i.lead_id, i.merged_into, path.steps + 1 FROM path"
        " JOIN lead_identities i ON i.lead_id = path.merged_into WHERE path.steps < 100)"
        " SELECT coalesce((SELECT lead_id FROM path ORDER BY steps DESC LIMIT 1), $1)",
        lead_id,
    )
    return ends


async def as_they_stand(connection: asyncpg.Connection, one: str, other: str) -> tuple[str, str]:
    """The leads that stand for these two now, the older first; twice the same once joined."""
    now = {await where_now(connection, one), await where_now(connection, other)}
    known = await standings(connection, list(now))
    ordered = sorted(now, key=lambda lead_id: known[lead_id].identity.number)
    return ordered[0], ordered[-1]
