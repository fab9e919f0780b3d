"""Train the weights of entity resolution on sample worlds, and write weights.json.

    python -m models_ml.resolution.train [--seeds 101,202] [--test-seed 303]
        [--records 100000] [--output FILE]

Two ways are fitted, Fellegi-Sunter ratios and logistic regression; the one that finds more
true pairs at the wanted precision on the test world is written. Seeds must not be those of
the evaluation. The real Dallas pairs are not used: they stay a test.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

import engine.intake.resolution
from engine.intake.resolution import Resolver
from engine.intake.resolution.comparison import Levels
from engine.intake.resolution.resolver import Pairs
from engine.intake.resolution.weights import FILE, Scorer, Weights
from models_ml.resolution.fitting import Fitted, fellegi_sunter, logistic
from models_ml.resolution.sample_pairs import candidate_pairs, records_by_market, sample_world
from models_ml.resolution.scores import PairCounts, partition_counts

PRECISION_WANTED = 0.9945
THRESHOLDS = tuple(np.round(np.arange(0.50, 0.996, 0.01), 2).tolist())


class Labelled(NamedTuple):
    """One market's pairs with what agreement they show and whether they are one lead."""

    pairs: Pairs
    doors: NDArray[np.uint8]
    levels: Levels
    excluded: NDArray[np.bool_]
    same: NDArray[np.bool_]
    lead: NDArray[np.int64]


class Chosen(NamedTuple):
    method: str
    fitted: Fitted
    threshold: float
    counts: PairCounts


def labelled_pairs(seed: int, records: int) -> list[Labelled]:
    found = []
    for market in records_by_market(sample_world(seed, records)):
        resolver = Resolver()
        pairs = candidate_pairs(market.features, resolver)
        doors, levels, excluded = resolver.levels_of_pairs(pairs.later, pairs.earlier)
        same = market.lead[pairs.later] == market.lead[pairs.earlier]
        found.append(Labelled(pairs, doors, levels, excluded, same, market.lead))
    return found


def choose(train: Sequence[Labelled], test: Sequence[Labelled]) -> list[Chosen]:
    """Both ways, the better one first."""
    doors, levels, same = (
        np.concatenate([getattr(each, name)[~each.excluded] for each in train])
        for name in ("doors", "levels", "same")
    )
    both = [
        _at_best_threshold(name, fit(doors, levels, same), test)
        for name, fit in (("logistic regression", logistic), ("Fellegi-Sunter", fellegi_sunter))
    ]
    return sorted(
        both, key=lambda c: (c.counts.precision >= PRECISION_WANTED, c.counts.recall), reverse=True
    )


def _at_best_threshold(method: str, fitted: Fitted, test: Sequence[Labelled]) -> Chosen:
    """The lowest threshold that reaches the wanted precision, else the highest there is."""
    scorer = Scorer(Weights(provenance={}, threshold=0.5, bias=fitted[0], log_odds=fitted[1]))
    judged = [np.where(e.excluded, 0, scorer.probability(e.doors, e.levels)) for e in test]
    for threshold in THRESHOLDS:
        counts = PairCounts(0, 0, 0)
        for each, probability in zip(test, judged, strict=True):
            counts = counts.plus(partition_counts(each.pairs, probability, each.lead, threshold))
        if counts.precision >= PRECISION_WANTED:
            break
    return Chosen(method, fitted, threshold, counts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="train", description=__doc__)
    parser.add_argument("--seeds", default="101,202")
    parser.add_argument("--test-seed", type=int, default=303)
    parser.add_argument("--records", type=int, default=100_000, help="in each world")
    parser.add_argument("--output", type=Path, default=_packaged_file())
    options = parser.parse_args(arguments)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    train = [each for seed in seeds for each in labelled_pairs(seed, options.records)]
    test = labelled_pairs(options.test_seed, options.records)
    chosen = choose(train, test)
    for each in chosen:
        print(
            f"{each.method}: precision {each.counts.precision:.4f} and recall"
            f" {each.counts.recall:.4f} at {each.threshold} on seed {options.test_seed}"
        )
    options.output.write_bytes(_document(chosen, train, options))
    print(f"wrote {options.output}: {chosen[0].method}")


def _packaged_file() -> Path:
    return Path(engine.intake.resolution.__path__[0]) / FILE


def _document(
    chosen: Sequence[Chosen], train: Sequence[Labelled], options: argparse.Namespace
) -> bytes:
    best, other = chosen
    weights = Weights(
        provenance={
            "method": best.method,
            "trained_by": "python -m models_ml.resolution.train",
            "sample_world_seeds": options.seeds,
            "sample_world_test_seed": options.test_seed,
            "records_per_world": options.records,
            "pairs": sum(len(each.same) for each in train),
            "pairs_of_one_lead": int(sum(each.same.sum() for each in train)),
            "test_precision": round(best.counts.precision, 4),
            "test_recall": round(best.counts.recall, 4),
            "other_method": other.method,
            "other_method_test_precision": round(other.counts.precision, 4),
            "other_method_test_recall": round(other.counts.recall, 4),
        },
        threshold=best.threshold,
        bias={door: round(value, 3) for door, value in best.fitted[0].items()},
        log_odds=best.fitted[1],
    )
    return msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n"


if __name__ == "__main__":
    main()
