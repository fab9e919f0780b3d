"""Leads that were bought together, as what an encoder learns from and is judged by.

A lead is either learnt from or judged by, never both: pairs that would join the two are left
out. So what is gained on the held-out pairs was learnt of homes, not of these leads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Pair = tuple[str, str]

HELD_OUT_SHARE: Final = 0.3
PAIRS_MAX: Final = 200_000
_NEAREST = 20


class Split(NamedTuple):
    """Pairs of lead ids."""

    learnt: list[Pair]
    held_out: list[Pair]


class Nearness(NamedTuple):
    """Of the other lead of a held-out pair among all held-out leads by cosine: the share of
    pairs with it among the nearest twenty, and the mean of 1 / its rank."""

    hit_rate: float
    reciprocal_rank: float


def split(pairs: Sequence[Pair], seed: int) -> Split:
    """By a hash of the lead's id and the seed."""
    found = Split([], [])
    for one, other in pairs:
        held = _is_held_out(one, seed), _is_held_out(other, seed)
        if held == (True, True):
            found.held_out.append((one, other))
        elif held == (False, False):
            found.learnt.append((one, other))
    return found


def nearness(
    vectors: NDArray[np.float32], lead_ids: Sequence[str], pairs: Sequence[Pair]
) -> Nearness:
    """`vectors` of (leads, dimensions) and unit length are in step with `lead_ids`. Raises
    ValueError without pairs."""
    if not pairs:
        raise ValueError("no pairs to judge by")
    row = {lead_id: number for number, lead_id in enumerate(lead_ids)}
    both = [*pairs, *((other, one) for one, other in pairs)]
    asked = np.array([row[one] for one, _ in both])
    wanted = np.array([row[other] for _, other in both])
    cosines = vectors[asked] @ vectors.T
    cosines[np.arange(len(asked)), asked] = -np.inf
    least = cosines[np.arange(len(asked)), wanted]
    ranks = 1 + (cosines > least[:, None]).sum(axis=1)
    return Nearness(float((ranks <= _NEAREST).mean()), float((1 / ranks).mean()))


def leads_of(pairs: Sequence[Pair]) -> list[str]:
    return sorted({lead_id for pair in pairs for lead_id in pair})


def training_sha256(pairs: Sequence[Pair], texts: Mapping[str, str]) -> str:
    """Of the texts of the pairs, in their order: ids differ from one installation to another."""
    digest = hashlib.sha256()
    for pair in pairs:
        for lead_id in pair:
            digest.update(texts[lead_id].encode() + b"\0")
    return digest.hexdigest()


def _is_held_out(lead_id: str, seed: int) -> bool:
    number = hashlib.blake2b(f"{seed} {lead_id}".encode(), digest_size=4).digest()
    return int.from_bytes(number) < HELD_OUT_SHARE * 2**32
