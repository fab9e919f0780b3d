"""The parts of `aiqleads eval fraud`: advertisers of a table, listings of a sample world that the
model has not seen, and captured listings. A part that a folder has nothing for is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from models_ml.bundle import unpack
from models_ml.fraud import listing_model
from models_ml.fraud.advertisements import NotMeasured
from models_ml.fraud.advertiser_train import Trained as AdvertiserTrained
from models_ml.fraud.evaluate import Outcome, evaluate
from models_ml.fraud.listing_evaluate import ListingOutcome, evaluate_listings
from models_ml.served import PARTS_BYTES_MAX
from serve_apps.cli.captured_fraud import CapturedFraud, captured_fraud, captured_leads
from serve_apps.cli.evaluate import Part


class FraudTrial(NamedTuple):
    """None of what was not asked for or, by `not_measured`, has nothing to be measured on."""

    advertisers: Outcome | None
    advertiser_model: AdvertiserTrained | None
    listings: ListingOutcome | None
    captured: CapturedFraud | None
    not_measured: dict[Part, str]
    seconds: float

    @property
    def passed(self) -> bool:
        measured = (self.advertisers, self.listings, self.captured)
        return all(part.passed for part in measured if part is not None)


def trial(
    train: Path | None,
    captures: Path,
    on_step: Callable[[str], None] = lambda _: None,
    parts: Collection[Part] = tuple(Part),
) -> FraudTrial:
    """Raises NotMeasured if the folders have nothing of what was asked for."""
    began, wanted = time.monotonic(), {*parts}
    not_measured: dict[Part, str] = {}
    advertisers, leads = None, None
    if Part.ADVERTISERS in wanted:
        try:
            advertisers = evaluate(train, captures, on_step)
        except (NotMeasured, ValueError) as error:
            not_measured[Part.ADVERTISERS] = str(error)
    if Part.CAPTURED in wanted:
        on_step("captured listings")
        try:
            leads = captured_leads(captures)
        except NotMeasured as error:
            not_measured[Part.CAPTURED] = str(error)
    if not_measured and {*not_measured} == wanted - {Part.LISTINGS}:
        raise NotMeasured("; ".join(not_measured.values()))
    for part, reason in not_measured.items():
        on_step(f"{part}: not measured, {reason}")
    listings, model = None, None
    if Part.LISTINGS in wanted:
        listings, trained = evaluate_listings(on_step)
        model = listing_model.of_parts(unpack(trained.bundle, PARTS_BYTES_MAX))
    return FraudTrial(
        None if advertisers is None else advertisers[0],
        None if advertisers is None else advertisers[1],
        listings,
        None if leads is None else captured_fraud(leads, model or listing_model.load_packaged()),
        not_measured,
        time.monotonic() - began,
    )
