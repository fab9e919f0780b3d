"""Lots: which leads an experiment prices by its second policy. Told by the lead's id alone."""

from __future__ import annotations

import hashlib


def is_on_trial(experiment: str, lead_id: str, share: float) -> bool:
    """Whether the lead is among the `share` in [0, 1] of all, by a hash of both names."""
    digest = hashlib.blake2b(f"{experiment} {lead_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
