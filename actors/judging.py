"""Judges leads for a desk: evidence, the model within a time, and rules whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.fraud_evidence import FraudEvidence
from actors.models import FraudScorer, ModelUnavailable, Scored
from engine.intake.fraud import rules
from engine.intake.fraud.rules import Rule
from engine.intake.fraud.verdict import Thresholds, Verdict, verdict_of
from engine.market.listing import Listing
from models_ml.fraud import listing_features

if TYPE_CHECKING:
    from models_ml.fraud.advertisements import Advertisement

log = logging.getLogger(__name__)

MODEL: Final = "fraud"
# Where neither the settings nor the model say.
USUAL: Final = Thresholds(0.5, 0.9)
# A model that did not answer is not asked again for this long, seconds: the turns in between
# are not to wait for it.
PAUSE: Final = 10.0


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What model and rules say of a lead. `probability` and `version` are None together, if no
    model scored it; `features` are (features,), float32."""

    verdict: Verdict
    probability: float | None
    version: int | None
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    features: NDArray[np.float32]

    @property
    def by_model(self) -> bool:
        return self.version is not None


class LeadJudge:
    """One desk's judge. `flag_at` and `quarantine_at`, where given, stand above the model's own
    thresholds; `timeout` is how long a turn waits for the model, seconds, and `pause` for how
    long it is left alone when it did not answer."""

    def __init__(
        self,
        scorer: FraudScorer | None = None,
        *,
        flag_at: float | None = None,
        quarantine_at: float | None = None,
        timeout: float = 2.0,
        pause: float = PAUSE,
    ) -> None:
        self.scorer = scorer
        self._flag_at = flag_at
        self._quarantine_at = quarantine_at
        self._timeout = timeout
        self._pause = pause
        self._ask_after = float("-inf")
        self.by_version: Counter[int] = Counter()
        self.by_rules = 0

    async def judge(
        self,
        evidence: FraudEvidence,
        leads: Mapping[str, Listing],
        advertisers: Mapping[str, Advertisement],
        *,
        only_by_model: bool = False,
    ) -> dict[str, Judged]:
        """What holds of these leads, by what is known now. `advertisers` is what is known of
        those who advertise them, by lead.

        Raises ModelUnavailable with `only_by_model`, if the model does not answer.
        """
        if not leads:
            return {}
        lead_ids, listings = list(leads), list(leads.values())
        now_us = time.time_ns() // 1_000
        told = [evidence.book.of(lead_id, now_us) for lead_id in lead_ids]
        compared = evidence.comparables.compare(lead_ids, listings)
        features = listing_features.feature_rows(listings, told, compared)
        cases = listing_features.cases(listings, told, compared)
        known = {
            place: advertisers[lead_id]
            for place, lead_id in enumerate(lead_ids)
            if lead_id in advertisers
        }
        scored = await self._ask(lead_ids, features, known, only_by_model=only_by_model)
        self._count(scored, len(lead_ids))
        return {
            lead_id: self._judged(place, rules.holding(cases[place]), features[place], scored)
            for place, lead_id in enumerate(lead_ids)
        }

    def is_resting(self) -> bool:
        """Whether there is no model, or it did not answer a moment ago."""
        return self.scorer is None or time.monotonic() < self._ask_after

    async def _ask(
        self,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Advertisement],
        *,
        only_by_model: bool,
    ) -> Scored | None:
        """The model's answer, None without one."""
        try:
            if self.scorer is None or self.is_resting():
                raise ModelUnavailable("there is none, or it did not answer a moment ago")
            return await self._answer(self.scorer, lead_ids, features, advertisers)
        except ModelUnavailable:
            if only_by_model:
                raise
            return None

    async def _answer(
        self,
        scorer: FraudScorer,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Advertisement],
    ) -> Scored:
        try:
            async with asyncio.timeout(self._timeout):
                scored = await scorer.score(lead_ids, features, advertisers)
            _check(scored, len(lead_ids))
        except (ModelUnavailable, TimeoutError) as error:
            words = str(error) or f"no answer within {self._timeout:g} s"
            log.warning("leads are judged by rules alone for %g s: %s", self._pause, words)
            self._ask_after = time.monotonic() + self._pause
            raise ModelUnavailable(words) from error
        return scored

    def _count(self, scored: Scored | None, leads: int) -> None:
        if scored is None:
            self.by_rules += leads
        else:
            self.by_version.update(scored.versions)

    def _judged(
        self,
        place: int,
        held: Sequence[Rule],
        features: NDArray[np.float32],
        scored: Scored | None,
    ) -> Judged:
        probability = version = None
        thresholds, reasons = USUAL, []
        if scored is not None:
            probability, version = scored.probabilities[place], scored.versions[place]
            thresholds = Thresholds(*scored.thresholds.get(version, USUAL))
            reasons = scored.reasons[place]
        return Judged(
            verdict=verdict_of(
                probability,
                self._thresholds(thresholds),
                suffices=any(rule.verdict == "quarantine" for rule in held),
                is_suspicious=bool(held),
            ),
            probability=probability,
            version=version,
            rules=tuple(rule.name for rule in held),
            reasons=(*(rule.words for rule in held), *reasons),
            features=features,
        )

    def _thresholds(self, own: Thresholds) -> Thresholds:
        flag_at = own.flag_at if self._flag_at is None else self._flag_at
        quarantine_at = own.quarantine_at if self._quarantine_at is None else self._quarantine_at
        return Thresholds(flag_at, quarantine_at)


def _check(scored: Scored, leads: int) -> None:
    """Raises ModelUnavailable for an answer that is none."""
    columns = (scored.versions, scored.probabilities, scored.reasons)
    if any(len(column) != leads for column in columns):
        lengths = ", ".join(str(len(column)) for column in columns)
        raise ModelUnavailable(f"asked of {leads} leads it answered of {lengths}")
    if any(math.isnan(each) or not 0 <= each <= 1 for each in scored.probabilities):
        raise ModelUnavailable("a probability is not between 0 and 1")
