"""The labelled Dallas pairs: homes that Zillow and Redfin both show, and their neighbours."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from engine.adapters.sources.captures import captured_files
from engine.intake.record import SourceRecord
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.resolution.captured import (
    NotMeasured,
    RecordKey,
    cleaned,
    features_by_id,
    latest_by_id,
    leads_of,
    records_in,
)
from models_ml.resolution.scores import PairCounts

LABELS = Path("labels") / "dallas_zillow_redfin_pairs.csv"
_FOLDERS = {"zillow": "zillow/dallas", "redfin": "redfin/dallas"}


class LabelledPair(NamedTuple):
    zillow: RecordKey
    redfin: RecordKey
    is_same: bool


class DallasOutcome(NamedTuple):
    """`counts` are of the pairs whose two records were found among `records`; `wrong` names
    pairs judged otherwise than they are labelled. A pair that is labelled both ways (its
    address is spelled in two ways) is `contradictory` and not counted."""

    records: int
    pairs: int
    missing: int
    contradictory: int
    different: int
    counts: PairCounts
    wrong: list[str]


def evaluate_dallas(captures: Path) -> DallasOutcome:
    """Resolves all Dallas records of both portals. Raises NotMeasured naming what is missing."""
    pairs = _labelled_pairs(captures / LABELS)
    records = cleaned(latest_by_id(_dallas_records(captures)), load_markets())
    if not records:
        raise NotMeasured(f"{captures} has no files in {' and '.join(_FOLDERS.values())}*")
    leads = leads_of(features_by_id(records))
    labels = Counter((pair.zillow, pair.redfin) for pair in set(pairs))
    clear = [pair for pair in pairs if labels[pair.zillow, pair.redfin] == 1]
    found = [pair for pair in clear if pair.zillow in leads and pair.redfin in leads]
    judged = [(pair, leads[pair.zillow] == leads[pair.redfin]) for pair in found]
    return DallasOutcome(
        records=len(records),
        pairs=len(pairs),
        missing=len(clear) - len(found),
        contradictory=len(pairs) - len(clear),
        different=sum(not pair.is_same for pair in found),
        counts=PairCounts(
            judged=sum(same for _, same in judged),
            right=sum(same and pair.is_same for pair, same in judged),
            true=sum(pair.is_same for pair in found),
        ),
        wrong=[
            f"zillow {pair.zillow[1]}, redfin {pair.redfin[1]}:"
            f" labelled {'same' if pair.is_same else 'different'}"
            for pair, same in judged
            if same != pair.is_same
        ],
    )


def _labelled_pairs(path: Path) -> list[LabelledPair]:
    if not path.is_file():
        raise NotMeasured(f"{path} is not there")
    with path.open(newline="", encoding="utf-8") as rows:
        return [
            LabelledPair(
                ("zillow", row["zillow_zpid"]),
                ("redfin", row["redfin_home_id"]),
                row["label"] == "same",
            )
            for row in csv.DictReader(rows)
        ]


def _dallas_records(captures: Path) -> list[SourceRecord]:
    sources = load_sources()
    return [
        record
        for name, folder in _FOLDERS.items()
        for record in records_in(
            (file.path for file in captured_files(captures, name) if file.name.startswith(folder)),
            sources[name],
            "dallas",
        )
    ]
