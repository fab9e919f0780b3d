"""What agreement is worth: log-odds per kind of door, field and level, as trained."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.comparison import DOORS, FIELDS, LEVELS, LEVELS_MOST, Levels

FILE = "weights.json"


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Contents of `weights.json`.

    `log_odds[door][field][level]` add up to the log-odds that two records are one lead;
    `bias[door]` is where they start. At `threshold` and above they are. `provenance` tells
    how and on what they were trained.
    """

    provenance: dict[str, str | int | float]
    threshold: float
    bias: dict[str, float]
    log_odds: dict[str, dict[str, dict[str, float]]]


class Scorer:
    """Weights as one array, ready to add up. Raises ValueError on names that don't fit."""

    def __init__(self, weights: Weights) -> None:
        self.threshold = weights.threshold
        if not 0 < weights.threshold <= 1:
            raise ValueError(f"{FILE}: threshold {weights.threshold} is not in (0, 1]")
        self._bias = np.array([weights.bias.get(door, -np.inf) for door in DOORS])
        self._log_odds = np.zeros((len(FIELDS), len(DOORS), LEVELS_MOST))
        for door, fields in weights.log_odds.items():
            for field, levels in fields.items():
                self._set(door, field, levels)

    def _set(self, door: str, field: str, levels: dict[str, float]) -> None:
        if door not in DOORS or field not in LEVELS or set(levels) - set(LEVELS[field]):
            raise ValueError(f"{FILE}: {door}, {field}: {sorted(levels)} are not known levels")
        for level, log_odds in levels.items():
            place = (FIELDS.index(field), DOORS.index(door), LEVELS[field].index(level))
            self._log_odds[place] = log_odds

    def probability(self, doors: NDArray[np.uint8], levels: Levels) -> NDArray[np.float64]:
        """That each pair is one lead, in [0, 1]."""
        log_odds = self._bias[doors]
        for field in range(len(FIELDS)):
            log_odds = log_odds + self._log_odds[field][doors, levels[:, field]]
        probability: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(log_odds, -60, 60)))
        return probability


@lru_cache(maxsize=1)
def packaged_weights() -> Weights:
    """The weights that come with the program. Raises msgspec.ValidationError if damaged."""
    content = resources.files(__package__).joinpath(FILE).read_bytes()
    return msgspec.json.decode(content, type=Weights)
