"""The one table of contacts: what each record of a lead says, and what holds of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from engine.intake.contact_survivorship import ContactClaim, survive_contact
from engine.market.answers import Contact

CONTACT_FIELDS = Contact.__struct_fields__
_decode_claims = msgspec.json.Decoder(list[ContactClaim]).decode
_encode_json = msgspec.json.Encoder().encode


async def contact_claims(
    connection: asyncpg.Connection, lead_ids: Sequence[str]
) -> dict[str, list[ContactClaim]]:
    rows = await connection.fetch(
        "SELECT lead_id, claims FROM contacts WHERE lead_id = ANY($1)", lead_ids
    )
    return {row[0]: _decode_claims(row[1]) for row in rows}


async def write_contacts(
    connection: asyncpg.Connection, claims: Mapping[str, Sequence[ContactClaim]]
) -> None:
    """Set the contact of each lead to what survives of these claims."""
    columns = ", ".join(CONTACT_FIELDS)
    updates = ", ".join(f"{name} = excluded.{name}" for name in (*CONTACT_FIELDS, "claims"))
    values = [
        (lead_id, *_values(survive_contact(said)), _encode_json(said).decode())
        for lead_id, said in claims.items()
    ]
    await connection.executemany(
        f"INSERT INTO contacts (lead_id, {columns}, claims)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        f" ON CONFLICT (lead_id) DO UPDATE SET {updates}",
        values,
    )


async def move_claims(connection: asyncpg.Connection, goes: str, stays: str) -> None:
    """Give one lead's claims to another one as well; refresh that one's contact next."""
    await connection.execute(
        "INSERT INTO contacts (lead_id, claims) SELECT $2, claims FROM contacts WHERE lead_id = $1"
        " ON CONFLICT (lead_id) DO UPDATE SET claims = contacts.claims || excluded.claims",
        goes,
        stays,
    )


async def forget(connection: asyncpg.Connection, lead_id: str) -> None:
    await connection.execute("DELETE FROM contacts WHERE lead_id = $1", lead_id)


def _values(contact: Contact) -> tuple[object, ...]:
    return tuple(getattr(contact, name) for name in CONTACT_FIELDS)
