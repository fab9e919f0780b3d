"""What a model's features were like where it learnt, to see later whether they still are.

Each feature has bins between the deciles of the training rows, and one more for what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models_ml.artefact import Unusable

PART: Final = "reference.json"
BINS: Final = 10
FEATURES_MAX: Final = 1_024


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`edges` are of each feature, ascending; `seen` counts its training rows in the bins between
    them, each bin with its upper edge, and last those without a value. `calibration` is, of
    tenths of the rows it was judged on, (rows, mean probability, share that was so)."""

    names: tuple[str, ...]
    edges: tuple[tuple[float, ...], ...]
    seen: tuple[tuple[int, ...], ...]
    calibration: tuple[tuple[int, float, float], ...] = ()

    def counts(self, rows: NDArray[np.floating[Any]]) -> list[int]:
        """Of rows (any, features): their values in the bins, one feature after the other."""
        found: list[int] = []
        for place, edges in enumerate(self.edges):
            found.extend(_counted(rows[:, place], edges))
        return found

    def by_feature(self, counts: Sequence[int]) -> list[list[int]]:
        """`counts` again, feature by feature. Raises ValueError for those of another reference."""
        lengths = [len(seen) for seen in self.seen]
        if len(counts) != sum(lengths):
            raise ValueError(f"{len(counts)} counts for {sum(lengths)} bins")
        ends = np.cumsum(lengths)
        return [list(counts[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def of_training(
    names: Sequence[str],
    rows: NDArray[np.floating[Any]],
    calibration: Sequence[tuple[int, float, float]] = (),
) -> Reference:
    """The reference of training rows (rows, features)."""
    edges: list[tuple[float, ...]] = []
    for place in range(len(names)):
        values = rows[:, place]
        values = values[np.isfinite(values)]
        cuts = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]) if len(values) else []
        edges.append(tuple(float(cut) for cut in np.unique(cuts)))
    seen = tuple(tuple(_counted(rows[:, place], each)) for place, each in enumerate(edges))
    return Reference(tuple(names), tuple(edges), seen, tuple(calibration))


def to_bytes(reference: Reference) -> bytes:
    return msgspec.json.encode(reference)


def from_bytes(content: bytes, names: Sequence[str]) -> Reference:
    """Raises Unusable if it is none, or of other features than the model's."""
    try:
        found = msgspec.json.decode(content, type=Reference)
    except msgspec.DecodeError as error:
        raise Unusable(f"{PART}: {error}") from error
    fits = len(found.names) == len(found.edges) == len(found.seen) <= FEATURES_MAX
    if not fits or found.names != tuple(names):
        raise Unusable(f"{PART} is of other features than the model")
    for edges, seen in zip(found.edges, found.seen, strict=True):
        if len(seen) != len(edges) + 2 or list(edges) != sorted(edges) or min(seen) < 0:
            raise Unusable(f"{PART}: bins and counts don't belong together")
    return found


def _counted(values: NDArray[np.floating[Any]], edges: Sequence[float]) -> list[int]:
    known = values[~np.isnan(values)]
    places = np.searchsorted(np.asarray(edges, np.float64), known, side="left")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return [*counts.tolist(), len(values) - len(known)]
