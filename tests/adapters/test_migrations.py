"""An installation of an earlier schema comes along with what it knows."""

from __future__ import annotations

import asyncio

import asyncpg

from engine.adapters.postgres import contact_rows, lead_identities
from engine.adapters.postgres.intake_store import IntakeStore
from migrations.migrate import downgrade, upgrade


async def test_the_intake_of_before_is_taken_over(fresh_database_url: str) -> None:
    await asyncio.to_thread(downgrade, fresh_database_url, "0001")
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute("INSERT INTO markets VALUES ('austin', 'Austin', 'America/Chicago')")
    for number, state in (("2", "available"), ("1", "withdrawn")):
        await connection.execute(
            "INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, sources)"
            " VALUES ($1, 'austin', '2026-01-01'::timestamptz + $2 * interval '1 day', now(), 0.5,"
            " '{zillow}')",
            f"lead-{number}",
            float(number),
        )
        await connection.execute(
            "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
            " VALUES ($1, 'austin', $2, 10, 3)",
            f"lead-{number}",
            state,
        )
    await connection.execute(
        "INSERT INTO contacts (lead_id, name, phone) VALUES ('lead-2', 'Ada', '+15125550142')"
    )
    await connection.execute(
        "INSERT INTO source_records (source, source_id, market, lead_id, content_hash, record)"
        " VALUES ('zillow', 'z2', 'austin', 'lead-2', 'hash', '{\"sources\": [\"zillow\"]}')"
    )
    await connection.execute(
        "INSERT INTO entities (market, key, lead_id) VALUES ('austin', '\\x00', 'lead-2')"
    )
    await asyncio.to_thread(upgrade, fresh_database_url)

    standings = await lead_identities.standings(connection, ["lead-1", "lead-2"])
    assert standings["lead-1"].identity.offered == "withdrawn"
    assert standings["lead-2"].identity.offered == "listed"
    assert standings["lead-1"].identity.number < standings["lead-2"].identity.number
    (claim,) = (await contact_rows.contact_claims(connection, ["lead-2"]))["lead-2"]
    assert (claim.contact.name, claim.contact.phone, claim.trust) == ("Ada", "+15125550142", 0)
    store = IntakeStore(connection, "austin")
    known = await store.known_records([("zillow", "z2")])
    # Known, but not by what: when it is read next it counts as saying more.
    assert known["zillow", "z2"].lead_id == "lead-2"
    assert known["zillow", "z2"].digests == frozenset()
    assert set(await store.stated(["lead-2"])) == {"lead-2"}
    await connection.close()


async def test_ticks_of_before_become_chains(fresh_database_url: str) -> None:
    await asyncio.to_thread(downgrade, fresh_database_url, "0004")
    connection = await asyncpg.connect(fresh_database_url)
    for lead_id in ("one", "two", "three"):
        await connection.execute(
            "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
            " VALUES ($1, 'austin', 'available', 10, 3)",
            lead_id,
        )
    for position, lead_ids in ((3, ["one", "two"]), (5, ["two"]), (8, ["two", "one"])):
        await connection.execute(
            "INSERT INTO price_ticks (market, position, at, reason, lead_ids, prices)"
            " VALUES ('austin', $1, 1, 'by hand', $2, $3)",
            *(position, lead_ids, [position] * len(lead_ids)),
        )
    await asyncio.to_thread(upgrade, fresh_database_url)
    chains = await connection.fetch("SELECT position, before FROM price_ticks ORDER BY position")
    assert [tuple(row) for row in chains] == [(3, [None, None]), (5, [3]), (8, [5, 3])]
    newest = dict(await connection.fetch("SELECT lead_id, tick_position FROM lead_trading"))
    assert newest == {"one": 8, "two": 8, "three": None}
    await connection.close()
