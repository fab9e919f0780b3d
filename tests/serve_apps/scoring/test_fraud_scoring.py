"""Leads scored by what is in service: live, canary, advertiser, shadow; without Serve."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import numpy as np
import pytest

from actors.models import ModelUnavailable
from engine.adapters.postgres.shadow_scores import ShadowScore
from engine.rollout.roles import Role, Version, falls_to_canary
from models_ml.fraud.advertisements import Advertisement
from serve_apps.scoring.fraud_scoring import (
    SHADOW_BATCHES_MAX,
    FraudScoring,
    Question,
    with_advertiser,
)
from serve_apps.scoring.in_service import InService, Loaded
from tests.serve_apps.scoring.small_model import FEATURES, SmallModel

LEADS = [f"lead-{number}" for number in range(40)]
AD = Advertisement("", "", 1.0, "", "", 0.0, 0.0, 0.0, 0.0, "", "", "")


class PaperLink:
    """The registry's place: keeps what a shadow scored."""

    def __init__(self) -> None:
        self.shadowed_scores: list[ShadowScore] = []
        self.written = asyncio.Event()

    async def shadowed(self, name: str, version: int, scores: Sequence[ShadowScore]) -> None:
        self.shadowed_scores.extend(scores)
        self.written.set()


class Scoring(FraudScoring):
    """Without a database: what is in service is set by hand."""

    def __init__(self, **services: InService[SmallModel]) -> None:
        # Not the one of Serve, which is awaited and follows the registry.
        self.services = services
        self._tallies = {}
        self._shadowed = deque(maxlen=SHADOW_BATCHES_MAX)
        self._to_shadow = asyncio.Event()
        self.link = PaperLink()
        self.registry = self.link  # type: ignore[assignment]

    def __del__(self) -> None:
        """Nothing was started."""

    def service(self, name):  # type: ignore[no-untyped-def]
        found = self.services.get(name)
        if found is None or found.live is None:
            raise ModelUnavailable(f"no version of {name} is live")
        return found

    def optional(self, name):  # type: ignore[no-untyped-def]
        return self.services.get(name)

    def watch(self) -> dict[tuple[str, int, Role], tuple[int, int, int]]:
        """Calls, errors and rows counted, by model, version and role."""
        taken = {key: tally.taken() for key, tally in self._tallies.items()}
        return {
            key: (each.calls, each.errors, each.rows)
            for key, each in taken.items()
            if each is not None
        }


def loaded(number: int, score: float, *, fails: bool = False) -> Loaded[SmallModel]:
    version = Version("fraud", number, "", "", 0, 1, FEATURES, "", {}, 0, "", "")
    return Loaded(version, SmallModel(score, fails=fails))


def question(lead_ids: Sequence[str] = LEADS, **more: Advertisement) -> Question:
    rows = np.zeros((len(lead_ids), len(FEATURES)), np.float32)
    return Question(list(lead_ids), rows, {int(place[1:]): ad for place, ad in more.items()})


async def test_questions_are_answered_together_and_each_gets_its_own() -> None:
    scoring = Scoring(fraud=InService(live=loaded(1, 0.3)))
    first, second = await scoring.answer([question(LEADS[:3]), question(LEADS[3:5])])
    assert (first.versions, first.probabilities) == ([1, 1, 1], [0.3, 0.3, 0.3])
    assert (len(second.versions), second.reasons) == (2, [["it always says so"]] * 2)
    assert scoring.watch() == {("fraud", 1, "live"): (1, 0, 5)}


async def test_only_the_suspected_get_reasons() -> None:
    scoring = Scoring(fraud=InService(live=loaded(1, 0.01)))
    (scored,) = await scoring.answer([question()])
    assert scored.reasons == [[]] * len(LEADS)


async def test_the_canary_answers_for_its_leads_exactly() -> None:
    service = InService(live=loaded(1, 0.1), canary=loaded(2, 0.2), share=0.3)
    (scored,) = await Scoring(fraud=service).answer([question()])
    wanted = [2 if falls_to_canary("fraud", 2, each, 0.3) else 1 for each in LEADS]
    assert scored.versions == wanted
    assert 0 < wanted.count(2) < len(LEADS)
    assert scored.probabilities == [version / 10 for version in wanted]


async def test_a_canary_that_fails_costs_no_answer_and_is_counted() -> None:
    service = InService(live=loaded(1, 0.1), canary=loaded(2, 0.2, fails=True), share=0.5)
    scoring = Scoring(fraud=service)
    (scored,) = await scoring.answer([question()])
    assert scored.versions == [1] * len(LEADS)
    watched = scoring.watch()
    assert watched["fraud", 2, "canary"] == (1, 1, 0)
    assert watched["fraud", 1, "live"][2] == len(LEADS)


async def test_nothing_is_answered_without_a_live_version_or_by_one_that_fails() -> None:
    with pytest.raises(ModelUnavailable, match="no version of fraud is live"):
        await Scoring().answer([question()])
    with pytest.raises(ModelUnavailable, match="version 1 failed: RuntimeError: it fails"):
        await Scoring(fraud=InService(live=loaded(1, 0.1, fails=True))).answer([question()])
    with pytest.raises(ModelUnavailable, match="no probability"):
        await Scoring(fraud=InService(live=loaded(1, float("nan")))).answer([question()])


async def test_features_of_another_shape_are_named() -> None:
    scoring = Scoring(fraud=InService(live=loaded(1, 0.1)))
    with pytest.raises(ValueError, match=r"shape \(3, 5\) for 3 leads; wanted \(3, 2\)"):
        scoring.checked(Question(LEADS[:3], np.zeros((3, 5), np.float32), {}))
    with pytest.raises(ValueError, match="at most 256 leads"):
        scoring.checked(question([str(number) for number in range(257)]))


async def test_what_is_known_of_an_advertiser_moves_the_odds() -> None:
    services = {
        "fraud": InService(live=loaded(1, 0.3)),
        "advertiser": InService(live=loaded(4, 0.5)),
    }
    (scored,) = await Scoring(**services).answer([question(LEADS[:3], p1=AD)])
    assert scored.probabilities[0] == scored.probabilities[2] == 0.3
    assert scored.probabilities[1] == pytest.approx(with_advertiser(0.3, 0.5, 0.1))
    assert scored.probabilities[1] > 0.7


async def test_an_advertiser_model_that_fails_leaves_the_listing_s_score() -> None:
    services = {
        "fraud": InService(live=loaded(1, 0.3)),
        "advertiser": InService(live=loaded(4, 0.5, fails=True)),
    }
    scoring = Scoring(**services)
    (scored,) = await scoring.answer([question(LEADS[:3], p1=AD)])
    assert scored.probabilities == [0.3] * 3
    assert scoring.watch()["advertiser", 4, "live"] == (1, 1, 0)


def test_an_advertiser_s_word_is_bounded_both_ways() -> None:
    assert with_advertiser(0.3, 0.1, 0.1) == pytest.approx(0.3)
    assert with_advertiser(0.5, 1.0, 0.1) == pytest.approx(20 / 21)
    assert with_advertiser(0.5, 0.0, 0.1) == pytest.approx(1 / 21)
    assert 0 < with_advertiser(0.0, 1.0, 0.5) < with_advertiser(1.0, 0.0, 0.5) < 1


async def test_a_shadow_scores_what_the_live_version_scored() -> None:
    service = InService(live=loaded(1, 0.1), shadow=loaded(3, 0.7))
    scoring = Scoring(fraud=service)
    (scored,) = await scoring.answer([question()])
    assert set(scored.versions) == {1}
    shadowing = asyncio.create_task(scoring._shadow())
    await asyncio.wait_for(scoring.link.written.wait(), 10)
    shadowing.cancel()
    assert scoring.link.shadowed_scores == [ShadowScore(each, 0.7, 1, 0.1) for each in LEADS]
    assert scoring.watch()["fraud", 3, "shadow"] == (1, 0, len(LEADS))
