"""How contests for leads were decided."""

from __future__ import annotations

from aiqleads.client.answers.claims import Claims
from aiqleads.client.calls.call import Call, decoded, path, read_call


def claims(lead_id: str) -> Call[Claims]:
    """The contests for a lead, with all that `aiqleads.client.claims.verify` needs."""
    return read_call(path("leads", lead_id, "claims"), decoded(Claims))
