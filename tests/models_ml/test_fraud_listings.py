"""The listing model: what it is trained on is what it is asked, and what it says can be trusted."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from actors.fraud_evidence import FraudEvidence
from actors.judging import LeadJudge
from actors.models import Scored
from engine.intake.fraud.evidence import Evidence, Trace
from engine.intake.fraud.rules import Case
from engine.intake.fraud.text_signals import TextSignals
from engine.intake.prepared import prepare
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from engine.market.fair_housing import ALLOWED
from engine.source_directory import load_sources
from models_ml.artefact import Unusable
from models_ml.bundle import unpack
from models_ml.fraud import advertiser_features, listing_model
from models_ml.fraud.known_leads import Known, Lead, LeadRows, resolved, rows_of_leads
from models_ml.fraud.listing_evaluate import OWN, judged
from models_ml.fraud.listing_features import BACKGROUND, FEATURES, NAMES, SCHEMA
from models_ml.fraud.listing_model import ListingModel, of_parts, parts_of
from models_ml.fraud.listing_train import (
    FLAG_AT_LEAST,
    QUARANTINE_AT_LEAST,
    REVIEW_WEIGHT,
    Reviewed,
    Trained,
    fitted,
    learnt_of,
    threshold,
)
from models_ml.fraud.scores import calibration_error
from models_ml.served import PARTS_BYTES_MAX
from serve_apps.scoring.fraud_scoring import SUSPECTED

HONEST_TEXT = "A quiet house near the park with a new roof and a large kitchen. Ask for a tour."
SCAM_TEXT = "I am deployed abroad, so the keys come by FedEx after a deposit is paid by Zelle."


def offer(number: int, **changes: Any) -> SourceRecord:
    given: dict[str, Any] = {
        "source": "craigslist",
        "market": "austin",
        "remarks": HONEST_TEXT,
        "list_price": 1_500 + 5 * number,
        "standard_status": "Active",
        "property_type": "Residential Lease",
        "property_sub_type": "Single Family Residence",
        "bedrooms_total": 3,
        "living_area": 1_200 + 7 * number,
        "street_address": f"{100 + number} Elm St",
        "city": "Austin",
        "state_or_province": "TX",
        "postal_code": "78701",
        "contact": Contact(
            name="Otto Crook" if number == 99 else "Ann Own",
            phone=f"+1 512 555 {number:04d}",
            latitude=30.27 + number / 1_000,
            longitude=-97.74,
        ),
    }
    return SourceRecord(source_id=str(number), content_hash=str(number), **given | changes)


def known_at(now_us: int) -> list[Known]:
    """Nine honest offers, and a copy of the first for less under another contact."""
    homes = [offer(number, pictures=(f"p{number}a", f"p{number}b")) for number in range(9)]
    copy = offer(
        99, list_price=800, street_address="100 Elm St", living_area=1_200, remarks=SCAM_TEXT,
        pictures=("p0a", "p0b"),
    )  # fmt: skip
    source = load_sources()["craigslist"]
    return [
        Known(prepare(record, source, now_us=now_us), now_us - 1_000 * (20 - place), "", "")
        for place, record in enumerate([*homes, copy])
    ]


class Asked:
    """A scorer that keeps what it was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, NDArray[np.float32]] = {}

    async def score(
        self,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Any],
    ) -> Scored:
        self.rows.update(zip(lead_ids, features, strict=True))
        return Scored([1] * len(lead_ids), [0.0] * len(lead_ids), [[] for _ in lead_ids])


async def test_a_desk_asks_with_the_rows_of_the_training() -> None:
    now_us = time.time_ns() // 1_000
    leads = [Lead(f"lead-{place}", "austin", [known], known.record.listing)
             for place, known in enumerate(known_at(now_us))]  # fmt: skip
    trained = rows_of_leads(leads)
    evidence, scorer = FraudEvidence("austin"), Asked()
    for lead in leads:
        (known,) = lead.records
        evidence.put([
            Trace(key=known.record.key, lead_id=lead.lead_id, market="austin",
                  seen_us=known.seen_us, features=known.record.features)
        ])  # fmt: skip
        evidence.compare_with(lead.lead_id, lead.listing, is_suspected=False)
    judged = await LeadJudge(scorer).judge(evidence, {each.lead_id: each.listing for each in leads},
                                           {})  # fmt: skip
    asked = np.array([scorer.rows[lead.lead_id] for lead in leads])
    np.testing.assert_allclose(asked, trained.features[trained.is_later], atol=1e-4)
    # And they are no empty rows: the copy is known as one, by features and by rules.
    copy = dict(zip(NAMES, asked[-1].tolist(), strict=True))
    assert copy["pictures_shared"] == 2
    assert copy["address_under"] > 0.5
    assert copy["price_to_comparables"] < -0.4
    assert copy["absent_owner"] == copy["no_viewing"] == 1
    assert {"keys-by-mail", "copied-home-for-less"} <= {*judged["lead-9"].rules}
    assert judged["lead-5"].rules == ()


def test_a_lead_is_a_scam_if_one_of_its_records_is() -> None:
    now_us = time.time_ns() // 1_000
    known = known_at(now_us)[:3]
    known[1] = known[1]._replace(kind="clone")
    found = rows_of_leads(resolved("austin", known))
    assert sorted(found.kind.tolist()) == ["", "", "", "", "clone", "clone"]
    assert found.scam.sum() == 2


def test_features_are_the_allow_list() -> None:
    assert {*ALLOWED["fraud"]} == {*NAMES, *advertiser_features.NAMES}
    assert not {*NAMES} & {*advertiser_features.NAMES}


# Leads as numbers: "mail" scams give themselves away by words and price, "copy" by pictures alone.
def made(count: int, seed: int, kinds: tuple[str, ...] = ("mail", "copy")) -> LeadRows:
    rng = np.random.default_rng(seed)
    kind = np.where(rng.random(count) < 0.2, rng.choice(kinds, count), "")
    features = np.zeros((count, len(NAMES)), dtype=np.float32)
    features[:, NAMES.index("is_lease")] = 1

    def seen(name: str, where: NDArray[np.bool_], values: NDArray[np.floating[Any]]) -> None:
        features[where, NAMES.index(name)] = values[where]

    everyone = np.ones(count, dtype=np.bool_)
    shows = rng.random(count) < 0.9
    seen("price_to_comparables", everyone, rng.normal(0, 0.2, count))
    seen("price_to_comparables", (kind == "mail") & shows, rng.normal(-0.5, 0.2, count))
    seen("no_viewing", (kind == "mail") & shows, np.ones(count))
    seen("pictures_shared", (kind == "copy") & shows, rng.integers(2, 6, count).astype(float))
    seen("urgency", rng.random(count) < 0.2, np.ones(count))
    cases = [Case(True, Evidence(), TextSignals(), float(price)) for price in features[:, 0]]
    rows = LeadRows(
        features, cases, kind, np.array([f"{seed}/{each}" for each in range(count)]),
        rng.permutation(count).astype(np.int64), np.zeros(count, dtype=np.bool_),
    )  # fmt: skip
    return rows


def twice(leads: LeadRows) -> LeadRows:
    """Each lead again when all is known, as a world has it."""
    both = [np.concatenate([column, column]) for column in
            (leads.features, leads.kind, leads.advertiser, leads.seen_us)]  # fmt: skip
    later = np.arange(2 * len(leads.kind)) >= len(leads.kind)
    return LeadRows(both[0], leads.cases * 2, both[1], both[2], both[3], later)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return fitted(learnt_of([made(1_500, 1), made(1_500, 2)]))


@pytest.fixture(scope="module")
def model(trained: Trained) -> ListingModel:
    return of_parts(unpack(trained.bundle, PARTS_BYTES_MAX))


def test_probabilities_are_calibrated_on_leads_not_learnt_from(model: ListingModel) -> None:
    others = made(3_000, 3)
    chance = model.probabilities(others.features)
    assert calibration_error(others.scam, chance) < 0.02
    flagged, quarantined = chance >= model.flag_at, chance >= model.quarantine_at
    assert others.scam[flagged].mean() > 0.45
    assert others.scam[quarantined].mean() > 0.9
    assert others.scam[quarantined].sum() > 0.5 * others.scam.sum()
    assert model.probabilities(others.features[:0]).shape == (0,)


def test_a_threshold_is_the_lowest_chance_of_its_precision() -> None:
    scam = np.array([True, True, False, True, False, False])
    chance = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    assert threshold(scam, chance, 0.95) == 0.8
    assert threshold(scam, chance, 0.7) == 0.6
    assert threshold(~scam, chance, 0.95) == 0.999
    # Equal chances are on one side together.
    assert threshold(scam, np.full(6, 0.4), 0.5) == 0.4
    assert threshold(scam, np.full(6, 0.4), 0.6) == 0.999


def test_nobody_is_flagged_without_being_told_why(model: ListingModel) -> None:
    assert model.flag_at >= FLAG_AT_LEAST == SUSPECTED
    assert model.quarantine_at >= QUARANTINE_AT_LEAST


def test_reasons_are_words_of_what_was_seen(model: ListingModel) -> None:
    row = np.zeros((1, len(NAMES)), dtype=np.float32)
    words = {feature.name: feature.words for feature in FEATURES}
    row[0, NAMES.index("is_lease")] = 1
    row[0, NAMES.index("pictures_shared")] = 4
    assert model.reasons(row, 1) == [[words["pictures_shared"]]]
    row[0, NAMES.index("pictures_shared")] = 0
    row[0, NAMES.index("no_viewing")] = 1
    row[0, NAMES.index("price_to_comparables")] = -0.6
    (told,) = model.reasons(row)
    assert {words["no_viewing"], words["price_to_comparables"]} == {*told}
    assert not {*told} & {words[name] for name in BACKGROUND}
    # What counts suspicious things is no reason where there are none.
    assert words["pictures_shared"] not in told
    assert model.reasons(row[:0]) == []


def test_more_of_what_is_bad_is_never_less_suspicious(model: ListingModel) -> None:
    rows = made(200, 4).features
    before = model.probabilities(rows)
    for place, feature in enumerate(FEATURES):
        if feature.monotone:
            more = rows.copy()
            more[:, place] += feature.monotone
            assert (model.probabilities(more) >= before - 1e-9).all(), feature.name


def test_the_same_leads_make_the_same_model(trained: Trained) -> None:
    assert fitted(learnt_of([made(1_500, 1), made(1_500, 2)])) == trained


def test_too_few_scams_are_refused() -> None:
    honest = made(100, 1)
    honest.kind[:] = ""
    with pytest.raises(ValueError, match="too few"):
        fitted(learnt_of([honest]))


def test_what_was_changed_is_refused(trained: Trained) -> None:
    parts = unpack(trained.bundle, PARTS_BYTES_MAX)
    found = of_parts(parts)
    found.check()
    booster, metadata = parts[listing_model.MODEL_FILE], found.metadata
    first = metadata.examples[0]
    lying = msgspec.structs.replace(first, probability=abs(first.probability - 0.5))

    def told(**changes: Any) -> ListingModel:
        changed = msgspec.structs.replace(metadata, **changes)
        return of_parts(parts_of(booster, changed, found.reference))

    with pytest.raises(Unusable, match="known example"):
        told(examples=(lying,)).check()
    with pytest.raises(Unusable, match="schema"):
        told(schema=SCHEMA + 1)
    with pytest.raises(Unusable, match="schema"):
        told(features=NAMES[::-1])
    with pytest.raises(Unusable, match="thresholds"):
        told(flag_at=0.9, quarantine_at=0.5)
    with pytest.raises(Unusable, match="calibration"):
        told(slope=-1.0)
    with pytest.raises(Unusable, match="not the file"):
        of_parts(parts | {listing_model.MODEL_FILE: booster + b" "})
    with pytest.raises(Unusable, match="needed"):
        of_parts({listing_model.MODEL_FILE: booster})


def test_what_reviewers_said_is_learnt_from() -> None:
    world = made(1_000, 1, ("mail",))
    # Reviewers rejected what the worlds know nothing of.
    seen = np.zeros((60, len(NAMES)), dtype=np.float32)
    seen[:, NAMES.index("is_lease")] = 1
    seen[::2, NAMES.index("messenger")] = 2
    label = [1, 0] * 30
    reviewed = Reviewed(seen.tolist(), label, [SCHEMA] * 60)
    learnt = learnt_of([world], reviewed)
    assert learnt.weight[-60:].tolist() == [REVIEW_WEIGHT] * 60
    before = of_parts(unpack(fitted(learnt_of([world])).bundle, PARTS_BYTES_MAX))
    after = of_parts(unpack(fitted(learnt, 60).bundle, PARTS_BYTES_MAX))
    assert after.metadata.reviewed == 60
    assert before.probabilities(seen[:1])[0] < 0.2 < 0.5 < after.probabilities(seen[:1])[0]
    with pytest.raises(ValueError, match="schema"):
        learnt_of([world], reviewed._replace(schema=[SCHEMA + 1] * 60))
    with pytest.raises(ValueError, match="features needed"):
        learnt_of([world], reviewed._replace(features=[[1.0]] * 60))


def test_kinds_left_out_are_reported_apart() -> None:
    steps: list[str] = []
    outcome, _ = judged([twice(made(1_200, 1))], twice(made(900, 2)), steps.append)
    assert outcome.models[OWN].precision.value > 0.8
    kinds = {each.kind: each for each in outcome.kinds}
    assert {*kinds} == {"mail", "copy"}
    assert sum(each.leads for each in outcome.kinds) == outcome.scams
    for each in outcome.kinds:
        # Nothing that one kind shows was ever bad in the other.
        assert each.precision_without < each.precision - 0.3
        assert each.caught_without < each.caught
    assert {"learnt without copy", "learnt without mail"} <= {*steps}
    assert [each.name for each in outcome.thresholds] == ["flag", "quarantine"]
    blind = outcome._replace(
        models=outcome.models | {OWN: outcome.models[OWN]._replace(
            precision=outcome.models[OWN].precision._replace(value=0.949))}
    )  # fmt: skip
    assert not blind.passed


def test_the_packaged_model_is_of_this_program() -> None:
    content = listing_model.packaged()
    assert len(content) < 1_500_000
    found = listing_model.load_packaged()
    found.check()
    assert (found.schema, found.features) == (SCHEMA, NAMES)
    assert found.metadata.metrics["average_precision_left_out"] > 0.9
    assert not math.isnan(found.probabilities(made(5, 1).features).sum())
