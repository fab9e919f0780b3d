"""Splink's batch on the same records: its own comparisons, EM training and clustering."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow
import splink.comparison_level_library as levels
import splink.comparison_library as library
from numpy.typing import NDArray
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from engine.intake.record import SourceRecord
from engine.intake.resolution.contact_keys import email_key, phone_key
from engine.intake.resolution.doors import door_of
from engine.intake.resolution.text_sketch import text_sketch
from models_ml.resolution.scores import PairCounts, pairs_within

THRESHOLDS = (0.9, 0.999, 0.99999, 0.9999999)
_QUIET = 60


def splink_counts(
    records: Sequence[SourceRecord], lead: NDArray[np.int64], *, knows_truth: bool
) -> Iterator[tuple[float, PairCounts, float]]:
    """(threshold, pairs that end in one cluster, seconds of the whole batch up to there).

    It learns by expectation maximisation, or with `knows_truth` from the very leads that it
    is to find: the best that its weights could be.
    """
    start = time.perf_counter()
    rows = [
        {**_row(place, each), "lead": home}
        for place, (each, home) in enumerate(zip(records, lead.tolist(), strict=True))
    ]
    table = pyarrow.Table.from_pylist(rows)
    linker = Linker(DuckDBAPI().register(table), _settings(), log_level=_QUIET)
    _train(linker, knows_truth=knows_truth)
    predicted = linker.inference.predict(threshold_match_probability=0.01)
    seconds = time.perf_counter() - start
    for threshold in THRESHOLDS:
        start = time.perf_counter()
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predicted, threshold_match_probability=threshold
        ).as_dict()
        number = {name: place for place, name in enumerate(sorted(set(clusters["cluster_id"])))}
        parts = np.empty(len(records), dtype=np.int64)
        parts[clusters["unique_id"]] = [number[name] for name in clusters["cluster_id"]]
        yield threshold, _counts(parts, lead), seconds + time.perf_counter() - start


def _settings() -> SettingsCreator:
    return SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("kind", "number", "street"),
            block_on("kind", "number", "postal_code", "bedrooms"),
            block_on("kind", "phone", "price"),
            block_on("kind", "cell", "bedrooms", "price"),
            block_on("kind", "cell", "area"),
        ],
        comparisons=[
            library.ExactMatch("number"),
            library.JaroWinklerAtThresholds("street", [0.92, 0.8]),
            library.ExactMatch("unit"),
            library.ExactMatch("postal_code"),
            library.DistanceInKMAtThresholds("latitude", "longitude", [0.03, 0.1, 0.3]),
            library.ExactMatch("bedrooms"),
            _ratio("area", (0.0, 0.02, 0.06)),
            _ratio("price", (0.0, 0.02, 0.08, 0.35)),
            library.ExactMatch("sub_type"),
            library.ExactMatch("phone"),
            library.ExactMatch("email"),
            library.ArrayIntersectAtSizes("text", [22, 15, 8]),
        ],
    )


def _ratio(column: str, shares: tuple[float, ...]) -> library.CustomComparison:
    """Levels of the difference as a share of the larger value."""
    one, other = f"{column}_l", f"{column}_r"
    return library.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            levels.NullLevel(column),
            *(
                levels.CustomLevel(f"abs({one} - {other}) <= {share} * greatest({one}, {other})")
                for share in shares
            ),
            levels.ElseLevel(),
        ],
    )


def _train(linker: Linker, *, knows_truth: bool) -> None:
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("kind", "number", "street", "unit"), block_on("email", "price")], recall=0.7
    )
    training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    if knows_truth:
        training.estimate_m_from_label_column("lead")
        return
    for rule in (block_on("number", "street"), block_on("phone", "price"), block_on("area")):
        training.estimate_parameters_using_expectation_maximisation(rule)


def _row(number: int, record: SourceRecord) -> dict[str, Any]:
    """What our features tell, in the clear."""
    door = door_of(record.street_address, record.unit_number)
    contact = record.contact
    sketch = np.frombuffer(text_sketch(record.remarks), dtype="<u2")
    return {
        "unique_id": number,
        "kind": record.property_type == "Residential Lease",
        "number": door.number,
        "street": door.street,
        "unit": door.unit,
        "postal_code": record.postal_code,
        "latitude": contact.latitude,
        "longitude": contact.longitude,
        "cell": f"{contact.latitude:.3f}/{contact.longitude:.3f}" if contact.latitude else None,
        "bedrooms": record.bedrooms_total,
        "area": record.living_area,
        "price": record.list_price,
        "sub_type": record.property_sub_type,
        "phone": phone_key(contact.phone),
        "email": email_key(contact.email),
        # The place counts too: the same hash in another place is no agreement.
        "text": [f"{place}-{each}" for place, each in enumerate(sketch.tolist())] or None,
    }


def _counts(parts: NDArray[np.int64], lead: NDArray[np.int64]) -> PairCounts:
    _, both = np.unique(np.stack([parts, lead]), axis=1, return_counts=True)
    return PairCounts(pairs_within(parts), int((both * (both - 1) // 2).sum()), pairs_within(lead))
