"""Entity resolution measured in its three parts; what is missing is skipped with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from engine.intake.resolution.weights import packaged_weights
from models_ml.resolution.captured import NotMeasured
from models_ml.resolution.dallas_pairs import DallasOutcome, evaluate_dallas
from models_ml.resolution.repost_groups import RepostOutcome, evaluate_reposts
from models_ml.resolution.sample_outcome import SampleOutcome, evaluate_sample

Measured = TypeVar("Measured")
# Not a seed of the training; see the provenance in weights.json.
EVALUATION_SEED = 909


class Skipped(NamedTuple):
    reason: str


class ResolutionOutcome(NamedTuple):
    provenance: dict[str, str | int | float]
    dallas: DallasOutcome | Skipped
    reposts: RepostOutcome | Skipped
    sample: SampleOutcome

    @property
    def passed(self) -> bool:
        """The sample world decides; the captures' counts are small and told with intervals."""
        return self.sample.passed


def evaluate(
    captures: Path,
    *,
    sample_records: int,
    seed: int = EVALUATION_SEED,
    on_records: Callable[[int], None] = lambda _: None,
) -> ResolutionOutcome:
    """`on_records` hears of the sample world's records as they are read. Raises ValueError
    if the seed is one that the weights were trained or chosen on."""
    provenance = packaged_weights().provenance
    used = f"{provenance.get('sample_world_seeds')},{provenance.get('sample_world_test_seed')}"
    if str(seed) in used.split(","):
        raise ValueError(f"seed {seed} was used in training ({used}); choose another")
    return ResolutionOutcome(
        provenance,
        _or_skipped(evaluate_dallas, captures),
        _or_skipped(evaluate_reposts, captures),
        evaluate_sample(seed, sample_records, on_records),
    )


def _or_skipped(measure: Callable[[Path], Measured], captures: Path) -> Measured | Skipped:
    try:
        return measure(captures)
    except NotMeasured as missing:
        return Skipped(str(missing))
