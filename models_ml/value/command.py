"""What `aiqleads models train value` does."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from models_ml.value.sample_law import BUYER_SD, LAW, LEAD_SD
from models_ml.value.sample_trials import sample_decisions, sample_leads
from models_ml.value.train import Trained, train
from models_ml.value.trials_table import read


def recorded(trials: Path) -> Trained:
    """A model of the decisions in a table. Raises ValueError as `read` and `train` do."""
    return train(
        read(trials),
        trained_on="recorded decisions",
        trained_by=f"aiqleads models train value --trials {trials.name}",
    )


def simulated(seed: int, homes: int) -> Trained:
    """A model of decisions simulated by the stated law on a sample world."""
    found = sample_decisions(sample_leads(seed, homes), np.random.default_rng(seed))
    return train(
        found.decisions,
        trained_on=f"SIMULATED decisions on a sample world, by {LAW}; nobody real has decided",
        trained_by=f"aiqleads models train value --homes {homes} --seed {seed}",
        truth=(found.truth, math.hypot(BUYER_SD, LEAD_SD)),
    )
